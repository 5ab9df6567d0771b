// The symbolic links on the way to what a policy names. Sources of telemetry name a file as the program did or as the
// kernel resolved it, a policy as the program did (programs as the kernel did): with these links a reader knows that
// both are one file.
//
// Three kinds of links are of use: those that a named path goes through, those of the image that lead to a named file
// or to a directory above it (another name for the same), and those that a pattern with a literal directory covers.
// Left out is what lies in /proc and /sys: where these links lead depends on who looks.
import { isLiteral, literal, matcher, type Pattern, patternParts, resourceTexts } from '../effect/index.ts';
import { type Tree, walk } from '../image/index.ts';
import type { Policy } from '../policy/index.ts';

/** As many as the kernel follows in one path. */
const MAX_LINKS = 40;

/** Text of the symbolic link at this path; undefined where there is none. No directory in the path is a link. */
export type LinkReader = (path: string) => string | undefined;

/**
 * Links of `policy`: absolute path (its directories resolved) to absolute path, one step each, sorted. `booted`: what
 * the boots of the image see once they are at rest; a link that they do not agree on is not the image's.
 */
export function policyLinks(
  policy: Pick<Policy, 'image' | 'programs' | 'automata'>,
  tree: Tree,
  booted: readonly LinkReader[],
): Readonly<Record<string, string>> {
  const follower = new LinkFollower((path) => {
    const now = new Set(booted.map((read) => read(path)));
    const [text] = now;
    if (now.size === 1 && text !== undefined) return text;
    const node = tree.lookup(path, { follow: false });
    return node?.kind === 'symlink' ? node.target : undefined;
  });
  const patterns = namedPatterns(policy);
  const named = new Set<string>();
  for (const path of patterns.flatMap(literalPath))
    for (let at = follower.follow(path, true); at !== ''; at = at.slice(0, at.lastIndexOf('/')))
      named.add(at);
  const wide = patterns
    .filter((pattern) => !isLiteral(pattern) && literalPath(pattern).length > 0)
    .map(matcher);
  for (const [path, node] of walk(tree)) {
    if (node.kind !== 'symlink') continue;
    if (named.has(follower.follow(path, false)) || wide.some((matches) => matches(path)))
      follower.follow(path, true);
  }
  return Object.fromEntries([...follower.links].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Everything in a policy that may be a path of a file. */
function namedPatterns({
  image,
  programs,
  automata,
}: Pick<Policy, 'image' | 'programs' | 'automata'>): Pattern[] {
  const out = new Set<Pattern>([...image.entrypoint.slice(0, 1), ...image.cmd.slice(0, 1)].map(literal));
  for (const { path } of programs) out.add(literal(path));
  for (const { args, edges } of automata) {
    for (const arg of args) out.add(arg);
    for (const { effect } of edges) {
      const kind = effect?.resource.kind;
      if (effect === undefined || (kind !== 'file' && kind !== 'program')) continue;
      for (const text of resourceTexts(effect.resource)) out.add(text);
    }
  }
  return [...out].filter((pattern) => pattern.startsWith('/')).sort();
}

/** The path, or of a pattern the directory of its literal beginning; nothing where that is the root. */
function literalPath(pattern: Pattern): string[] {
  const [head, ...rest] = patternParts(pattern) ?? [];
  if (head?.kind !== 'literal') return [];
  const path = rest.length === 0 ? head.text : head.text.slice(0, head.text.lastIndexOf('/'));
  return path === '' ? [] : [path];
}

/** Follows paths as the kernel would and keeps the links that it went through. */
export class LinkFollower {
  /** Absolute path to absolute path, one step each. */
  readonly links = new Map<string, string>();
  private readonly read: LinkReader;
  private steps = 0;

  constructor(read: LinkReader) {
    this.read = read;
  }

  /**
   * The path without links, as far as it goes (dangling links and missing names stay); '' for the root. After as many
   * links as the kernel follows the rest is taken as it is. `keep`: the links on the way are kept.
   */
  follow(path: string, keep: boolean): string {
    this.steps = 0;
    return this.text(this.walk([], path, keep));
  }

  /** Components of `path`, which starts at `base` (resolved) unless it is absolute. */
  private walk(base: readonly string[], path: string, keep: boolean): string[] {
    const pending = components(path).reverse();
    let at = path.startsWith('/') ? [] : [...base];
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '..') {
        at.pop();
        continue;
      }
      const here = this.text([...at, part]);
      const target = isKernels(here) || this.steps >= MAX_LINKS ? undefined : this.read(here);
      if (target === undefined || target === '') {
        at.push(part);
        continue;
      }
      this.steps++;
      if (keep) this.links.set(here, this.oneStep(at, target));
      if (target.startsWith('/')) at = [];
      pending.push(...components(target).reverse());
    }
    return at;
  }

  /** The target as an absolute path without `..`: what stands before one is resolved, since it may be a link itself. */
  private oneStep(directory: readonly string[], target: string): string {
    const parts = components(target);
    const up = parts.lastIndexOf('..') + 1;
    const absolute = target.startsWith('/');
    const before = parts.slice(0, up).join('/');
    const start = this.walk(directory, absolute ? `/${before}` : before, false);
    return this.text([...start, ...parts.slice(up)]) || '/';
  }

  private text(parts: readonly string[]): string {
    return parts.map((part) => `/${part}`).join('');
  }
}

const isKernels = (path: string): boolean => /^\/(proc|sys)(\/|$)/.test(path);

const components = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
