// From a finding, as our JSON has it, to an amendment that covers it. Kept as narrow as the finding, save for what says
// nothing of the program: ports that kernels choose, the container's own address. Wider only where that is asked for.
import { InputError } from '../bytes/index.ts';
import {
  ANY,
  type Effect,
  literal,
  mapResource,
  type Pattern,
  parsePattern,
  type Resource,
} from '../effect/index.ts';
import { allowanceFor, type FindingKind, repositoryOf } from '../monitor/index.ts';
import { type Amendment, checkerOf, covers } from '../policy/index.ts';
import { FINDING_SCHEMA } from './schema.ts';
import { baseName } from './terms.ts';

/** What of a finding's line an amendment is made from. */
export interface RecordedFinding {
  readonly id: string;
  readonly time: string;
  readonly kind: FindingKind;
  readonly image: string;
  readonly exe: string;
  readonly effect: { readonly op: Effect['op']; readonly access: string; readonly resource: string };
  readonly target: Resource;
  readonly automata: readonly string[];
}

export interface AllowOptions {
  /** '' makes one up from program and effect. */
  readonly name: string;
  readonly why: string;
  readonly by: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly expires?: string;
  /** Pattern in place of the path of the file or program. */
  readonly path?: string;
  readonly anyArgs: boolean;
  /** Any address and port of the other side. */
  readonly anyPeer: boolean;
  readonly anyImage: boolean;
  /** Whatever the task follows in the policy. */
  readonly anyAutomaton: boolean;
}

const check = checkerOf(FINDING_SCHEMA);

/** Findings of a file of JSON lines; empty lines are passed over. */
export function readFindings(content: string, name: string): RecordedFinding[] {
  return content.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const where = `${name}, line ${i + 1}`;
    const advice = 'make such lines with: effigy monitor --output json';
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new InputError('not a finding: not JSON', where, advice);
    }
    const wrong = check(value);
    if (wrong !== undefined) throw new InputError(`not a finding: ${wrong}`, where, advice);
    return [value as RecordedFinding];
  });
}

/** `others`: amendments that are there already: none may cover it, names are told apart. */
export function allowFinding(
  finding: RecordedFinding,
  options: AllowOptions,
  others: readonly Amendment[],
): Amendment {
  const { id, kind, time, effect, automata } = finding;
  const { op, access } = effect;
  const image = repositoryOf(finding.image);
  const now = Date.parse(options.created);
  const known = others.find(
    (other) =>
      !(other.expires !== undefined && Date.parse(other.expires) <= now) &&
      covers(other, {
        image,
        program: finding.exe,
        automata,
        needs: allowanceFor(kind),
        effect: { op, access, resource: finding.target },
      }),
  );
  if (known !== undefined)
    throw new InputError(`amendment ${known.name} covers it already`, `finding ${id}`, 'nothing was written');
  return {
    name: options.name === '' ? nameOf(finding, others) : options.name,
    image:
      options.anyImage || !/[a-z]/i.test(finding.image) || /^(.*@)?sha256:/.test(finding.image)
        ? ANY
        : literal(image),
    program: literal(finding.exe),
    automaton: options.anyAutomaton || automata.length !== 1 ? '' : automata[0],
    allows: allowanceFor(kind),
    effect: { op, access, resource: widened(finding, options) },
    why: options.why,
    by: options.by,
    created: options.created,
    ...(options.expires === undefined ? {} : { expires: options.expires }),
    finding: { id, kind, time },
  };
}

/** `echo-open-passwd`, with a number where that is taken. */
function nameOf({ exe, effect, target }: RecordedFinding, others: readonly Amendment[]): string {
  const what =
    target.kind === 'file' || target.kind === 'program'
      ? baseName(target.path)
      : target.kind === 'net'
        ? target.peer.port
        : '';
  const base =
    [baseName(exe), effect.op.toLowerCase(), what]
      .map((part) => part.replace(/[^A-Za-z0-9.]+/g, '-').replace(/^[-.]+|-+$/g, ''))
      .filter((part) => part !== '')
      .join('-')
      .slice(0, 80) || 'amendment';
  const taken = new Set(others.map(({ name }) => name));
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
  return name;
}

function widened({ target, effect, id }: RecordedFinding, options: AllowOptions): Resource<Pattern> {
  const { path, anyArgs, anyPeer } = options;
  const resource = mapResource(target, literal);
  const misplaced = (option: string, what: string): never => {
    throw new InputError(`the finding is about no ${what}`, `finding ${id}`, `leave out ${option}`);
  };
  if (anyPeer && resource.kind !== 'net') misplaced('--any-peer', 'connection');
  if (anyArgs && resource.kind !== 'program') misplaced('--any-args', 'program');
  switch (resource.kind) {
    case 'file':
      return path === undefined ? resource : { ...resource, path: checked(path) };
    case 'program':
      return {
        ...resource,
        path: path === undefined ? resource.path : checked(path),
        args: anyArgs ? [ANY] : resource.args,
      };
    case 'net':
      if (path !== undefined) misplaced('--path', 'file');
      return connection(resource, effect.op, anyPeer);
    case 'task':
      // Which kind of task a clone makes is not always told.
      return effect.op === 'CLONE' ? { ...resource, what: ANY } : resource;
    default:
      if (path !== undefined) misplaced('--path', 'file');
      return resource;
  }
}

function connection(
  resource: Extract<Resource<Pattern>, { kind: 'net' }>,
  op: Effect['op'],
  anyPeer: boolean,
): Resource<Pattern> {
  const anything = { address: ANY, port: ANY } as const;
  const { local, peer } = resource;
  if (op === 'BIND' || op === 'LISTEN' || op === 'ACCEPT')
    return {
      ...resource,
      local: { address: ANY, port: local.port },
      peer: { address: anyPeer ? ANY : peer.address, port: ANY },
    };
  // Who began the rest is told by the port that the kernel chose: the higher one.
  if (op !== 'CONNECT' && Number(local.port) < Number(peer.port))
    return {
      ...resource,
      local: { address: ANY, port: local.port },
      peer: anyPeer ? anything : { address: peer.address, port: ANY },
    };
  return { ...resource, local: anything, peer: anyPeer ? anything : peer };
}

function checked(text: string): Pattern {
  const pattern = parsePattern(text);
  if (pattern === undefined)
    throw new InputError(
      'not a pattern',
      `--path ${text}`,
      'a backslash before each of * [ ] + makes it literal',
    );
  return pattern;
}
