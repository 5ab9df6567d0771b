// Which of a policy's file patterns an observed file matches.
import type { FileType, Pattern } from '../effect/index.ts';
import { literal, patternOf, patternParts } from '../effect/index.ts';
import type { Links } from './links.ts';
import { PathAutomaton } from './path-automaton.ts';
import { type TextTest, textTest } from './text-test.ts';

/** Sources tell regular files, directories and devices apart unreliably; sockets and pipes are other things. */
type Space = 'path' | 'unix' | 'pipe';
export const spaceOf = (type: FileType): Space => (type === 'u' ? 'unix' : type === 'p' ? 'pipe' : 'path');

interface Row {
  readonly id: number;
  readonly space: Space;
  readonly path: TextTest;
  /** The path with links resolved; undefined where that is the same. */
  readonly resolved: TextTest | undefined;
  /** Links that a pattern covers: what lies behind them goes by another name, too. */
  readonly covered: readonly Covered[];
  readonly to: TextTest | undefined;
  /** As `resolved`, of `to`. */
  readonly resolvedTo: TextTest | undefined;
  readonly follow: boolean;
}

/** Told by the automaton, before all rows, for paths that have to be asked for as text. */
const asText = 0;

interface Covered {
  readonly link: string;
  /** Where it leads, links resolved. */
  readonly target: string;
}

/** Names that a container runtime gives to standard input and output. */
const stdio =
  /^(\/dev\/(pts\/\d+|console|tty\d*|null|stdin|stdout|stderr|fd\/[012])|\/proc\/(self|\d+)\/fd\/[012]|\/run\/systemd\/journal\/stdout)$/;

/** Whether this is something that a runtime may have put in place of standard input or output. */
export const isStdio = (space: Space, path: string): boolean =>
  (space === 'pipe' && !path.startsWith('/')) || (space === 'unix' && path === '') || stdio.test(path);

/** Anonymous inodes that reach nothing outside of the task (userfaultfd, bpf … are not among them). */
export const isInternal = (path: string): boolean =>
  /^anon:\[?(eventfd|eventpoll|timerfd|signalfd|inotify)\]?$/.test(path);

export class FileMatcher {
  private readonly links: Links;
  private readonly rows: Row[] = [];
  /** By space and text: rows of one literal path. */
  private readonly literals = new Map<string, Row[]>();
  private readonly patterns: Row[] = [];
  private readonly pairs: Row[] = [];
  /** Of paths; made when it is first asked for. */
  private automaton: PathAutomaton | undefined;

  constructor(links: Links) {
    this.links = links;
  }

  /** `follow`: the operation follows a link in the last place. */
  add(id: number, type: FileType, path: Pattern, to: Pattern | undefined, follow: boolean): void {
    const space = spaceOf(type);
    const resolved = this.resolvePattern(path, follow);
    const resolvedTo = to === undefined ? undefined : this.resolvePattern(to, false);
    const test = textTest(path);
    const row: Row = {
      id,
      space,
      path: test,
      resolved: resolved === path ? undefined : textTest(resolved),
      covered: test.literal === undefined && path.startsWith('/') ? this.coveredBy(test) : [],
      to: to === undefined ? undefined : textTest(to),
      resolvedTo: resolvedTo === undefined || resolvedTo === to ? undefined : textTest(resolvedTo),
      follow,
    };
    this.rows.push(row);
    this.automaton = undefined;
    if (row.to !== undefined) this.pairs.push(row);
    else if (row.path.literal === undefined) this.patterns.push(row);
    else {
      this.keep(space, row.path.literal, row);
      if (row.resolved?.literal !== undefined) this.keep(space, row.resolved.literal, row);
    }
  }

  /** Ids of the rows that match, ascending. */
  match(type: FileType, path: string, to: string | undefined): number[] {
    const space = spaceOf(type);
    const name = space === 'pipe' && !path.startsWith('/') ? 'pipe:' : path;
    // A socket whose name the source does not know (it never got connected) may be any of the policy's.
    if (space === 'unix' && name === '')
      return this.ids((row) => row.space === 'unix' && row.to === undefined);
    const followed = this.links.follow(name);
    const parent = this.links.parent(name);
    const fits = (row: Row): boolean => {
      if (row.space !== space) return false;
      const resolved = row.follow ? followed : parent;
      return (
        row.path.test(name) ||
        row.path.test(resolved) ||
        (row.resolved?.test(resolved) ?? false) ||
        row.covered.some(({ link, target }) => {
          const rest = below(resolved, target);
          return rest !== undefined && row.path.test(link + rest);
        })
      );
    };
    if (to !== undefined) {
      const target = this.links.parent(to);
      return sorted(
        this.pairs.filter(
          (row) => fits(row) && (row.to?.test(to) || row.to?.test(target) || row.resolvedTo?.test(target)),
        ),
      );
    }
    const found = this.patterns.filter(fits);
    for (const text of new Set([name, followed, parent]))
      for (const row of this.literals.get(`${space} ${text}`) ?? []) if (fits(row)) found.push(row);
    return sorted(found);
  }

  /**
   * As `match`, of a plain path in bytes; undefined where it has to be asked for as text: where links lie on its way, or
   * lead to it by a name that a pattern covers.
   */
  matchBytes(bytes: Uint8Array, start: number, end: number): readonly number[] | undefined {
    this.automaton ??= this.makeAutomaton();
    const found = this.automaton.match(bytes, start, end);
    return found[0] === asText ? undefined : found.map((id) => id - 1);
  }

  private makeAutomaton(): PathAutomaton {
    const made = new PathAutomaton();
    const below = (path: string): void => {
      made.add(literal(path), asText);
      made.add(`${literal(path)}/**` as Pattern, asText);
    };
    for (const link of this.links.names()) below(link);
    for (const { id, space, path, resolved, covered, to } of this.rows) {
      if (space !== 'path' || to !== undefined) continue;
      made.add(path.pattern, id + 1);
      if (resolved !== undefined) made.add(resolved.pattern, id + 1);
      for (const { target } of covered) below(target);
    }
    return made;
  }

  /** Rows that stand for standard input or output in the policy. */
  stdioRows(): number[] {
    return this.ids((row) => row.to === undefined && this.isStdio(row.space, row.path.literal ?? ''));
  }

  /** Whether the path, or what it is a link to, may be standard input or output. */
  isStdio(space: Space, path: string): boolean {
    return isStdio(space, path) || isStdio(space, this.links.follow(path));
  }

  private ids(keep: (row: Row) => boolean): number[] {
    return sorted(this.rows.filter(keep));
  }

  private keep(space: Space, text: string, row: Row): void {
    const key = `${space} ${text}`;
    const list = this.literals.get(key);
    if (list === undefined) this.literals.set(key, [row]);
    else if (!list.includes(row)) list.push(row);
  }

  private coveredBy(pattern: TextTest): Covered[] {
    return this.links
      .names()
      .filter((link) => pattern.test(link))
      .map((link) => ({ link, target: this.links.follow(link) }));
  }

  /** Links in the directories of the literal beginning are resolved, the rest stays. */
  private resolvePattern(pattern: Pattern, follow: boolean): Pattern {
    const parts = patternParts(pattern) ?? [];
    if (!this.links.any || parts[0]?.kind !== 'literal') return pattern;
    const [head, ...rest] = parts;
    if (rest.length === 0)
      return literal(follow ? this.links.follow(head.text) : this.links.parent(head.text));
    return patternOf([{ kind: 'literal', text: this.links.parent(head.text) }, ...rest]);
  }
}

/** What follows the directory (or file) in the path: '' where they are the same, undefined where it lies elsewhere. */
function below(path: string, directory: string): string | undefined {
  if (!path.startsWith(directory)) return undefined;
  const rest = path.slice(directory.length);
  return rest === '' || rest.startsWith('/') ? rest : undefined;
}

const sorted = (rows: readonly Row[]): number[] =>
  [...new Set(rows.map((row) => row.id))].sort((a, b) => a - b);
