// From an observed resource to its class: the set of a policy's resource patterns that it matches, as one number.
// Classes are few, observations are many, so everything after this works on numbers.
import type { Pattern, Resource } from '../effect/index.ts';
import type { StreamFile } from '../telemetry/index.ts';
import type { Links } from './links.ts';
import { FileMatcher, isInternal, spaceOf } from './match-file.ts';
import { NetMatcher } from './match-net.ts';
import { ProgramMatcher } from './match-program.ts';
import { type TextTest, textTest } from './text-test.ts';

/**
 * What is known about how the task came by the resource.
 * - opened: this observation opened it, or names it itself.
 * - continued: part of a flow whose beginning is not in this record: our side and the peer's may be swapped.
 * - given: continued, on a descriptor that a runtime gives (0, 1, 2): whatever it is, it is standard input or output.
 */
export const Origin = { opened: 0, continued: 1, given: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

export interface ResourceClass {
  readonly id: number;
  /** Ids of the patterns that match, ascending. */
  readonly patterns: readonly number[];
  /** Reaches nothing outside of the task (eventfd …), or is what the runtime gave as standard input and output. */
  readonly harmless: boolean;
}

/** How a resource pattern is used, which decides how it matches. */
export interface PatternUse {
  /** File operation that follows a link in the last place. */
  readonly follow: boolean;
  /** The local port was asked for, not chosen by the kernel. */
  readonly bound: boolean;
  /** Arguments of a program that it reads as a script. */
  readonly scripts: readonly Pattern[];
}

/** Most texts whose class is remembered, a table; beyond, the table starts anew. */
const remembered = 65_536;

export class ResourceIndex {
  private readonly files: FileMatcher;
  private readonly net = new NetMatcher();
  private readonly programs: ProgramMatcher;
  /** task and id resources: [id, kind, test]. */
  private readonly texts: { readonly id: number; readonly kind: 'task' | 'id'; readonly test: TextTest }[] =
    [];
  private readonly none: number[] = [];
  private readonly classes: ResourceClass[] = [];
  private readonly byKey = new Map<string, ResourceClass>();
  /** By origin: path to class, for files without a second path. */
  private readonly paths: readonly Map<string, ResourceClass>[] = [new Map(), new Map(), new Map()];
  private readonly others = new Map<string, ResourceClass>();
  /** By id of the only matching pattern: most connections match one. */
  private readonly single: (ResourceClass | undefined)[] = [];
  private readonly nothing: ResourceClass;
  private stdio: readonly number[] | undefined;

  constructor(links: Links) {
    this.files = new FileMatcher(links);
    this.programs = new ProgramMatcher(links);
    this.nothing = this.intern([], false);
  }

  add(id: number, resource: Resource<Pattern>, use: PatternUse): void {
    switch (resource.kind) {
      case 'file':
        this.files.add(id, resource.type, resource.path, resource.to, use.follow);
        break;
      case 'net':
        this.net.add(id, resource, use.bound);
        break;
      case 'program':
        this.programs.add(id, resource.path, resource.args, use.scripts);
        break;
      case 'task':
        this.texts.push({ id, kind: 'task', test: textTest(resource.what) });
        break;
      case 'id':
        this.texts.push({ id, kind: 'id', test: textTest(resource.value) });
        break;
      default:
        this.none.push(id);
    }
  }

  classOf(resource: Resource, origin: Origin): ResourceClass {
    switch (resource.kind) {
      case 'file':
        return resource.to === undefined ? this.file(resource, origin) : this.files2(resource);
      case 'net':
        return this.connection(resource, origin);
      case 'program':
        return this.program(resource.path, resource.args.join(' '));
      case 'task':
        return this.text('task', resource.what);
      case 'id':
        return this.text('id', resource.value);
      default:
        return this.remember('none', () => this.intern(this.none, false));
    }
  }

  /** Texts that are the same for ports, and for addresses, between which no pattern makes a difference. */
  portKind(port: string): string {
    return this.net.portKind(port);
  }

  /** As NetMatcher has it. */
  get namedPorts(): readonly string[] | undefined {
    return this.net.namedPorts;
  }

  addressKind(address: string): string {
    return this.net.addressKind(address);
  }

  program(exe: string, args: string): ResourceClass {
    return this.remember(`program ${exe}\0${args}`, () => this.intern(this.programs.match(exe, args), false));
  }

  /** Programs of this path, whatever their arguments. */
  programPath(exe: string): ResourceClass {
    return this.remember(`path ${exe}`, () => this.intern(this.programs.matchPath(exe), false));
  }

  /** Every program: for a source that does not say what a failed exec was for. */
  anyProgram(): ResourceClass {
    return this.remember('any program', () => this.intern(this.programs.all(), false));
  }

  private file(resource: Extract<Resource, { kind: 'file' }>, origin: Origin): ResourceClass {
    const space = spaceOf(resource.type);
    const table = this.paths[origin];
    const key = space === 'path' ? resource.path : `${space} ${resource.path}`;
    let found = table.get(key);
    if (found === undefined) {
      const own = this.files.match(resource.type, resource.path, undefined);
      const given =
        origin === Origin.given || (origin === Origin.continued && this.files.isStdio(space, resource.path));
      const ids = given ? this.withStdio(own) : own;
      found = this.intern(ids, given || isInternal(resource.path));
      if (table.size >= remembered) table.clear();
      table.set(key, found);
    }
    return found;
  }

  /**
   * As `classOf` of a stream's file; its path is not made text where that can be told from its bytes. Names that a
   * runtime gives, and that stand for something else, are asked for as text.
   */
  fileClass(file: StreamFile, origin: Origin): ResourceClass {
    const { bytes, start, end, type } = file;
    if (
      bytes === undefined ||
      origin !== Origin.opened ||
      spaceOf(type) !== 'path' ||
      !isOrdinary(bytes, start, end)
    )
      return this.classOf(file.resource, origin);
    const ids = this.files.matchBytes(bytes, start, end);
    return ids === undefined ? this.classOf(file.resource, origin) : this.intern(ids, false);
  }

  private files2(resource: Extract<Resource, { kind: 'file' }>): ResourceClass {
    return this.remember(`file ${resource.path}\0${resource.to}`, () =>
      this.intern(this.files.match(resource.type, resource.path, resource.to), false),
    );
  }

  private withStdio(own: readonly number[]): readonly number[] {
    this.stdio ??= this.files.stdioRows();
    return [...new Set([...own, ...this.stdio])].sort((a, b) => a - b);
  }

  private connection(resource: Extract<Resource, { kind: 'net' }>, origin: Origin): ResourceClass {
    const { net } = this;
    const count = net.match(resource, origin !== Origin.opened);
    if (count === 0) return this.nothing;
    const only = net.found[0];
    if (count > 1) return this.intern(net.found.slice(0, count), false);
    return (this.single[only] ??= this.intern([only], false));
  }

  private text(kind: 'task' | 'id', value: string): ResourceClass {
    return this.remember(`${kind} ${value}`, () => {
      const unknown = value === '' || value.startsWith('<NA');
      const rows = this.texts.filter((row) => row.kind === kind && (unknown || sameText(row.test, value)));
      return this.intern(
        rows.map((row) => row.id),
        false,
      );
    });
  }

  private remember(key: string, make: () => ResourceClass): ResourceClass {
    let found = this.others.get(key);
    if (found === undefined) {
      found = make();
      if (this.others.size >= remembered) this.others.clear();
      this.others.set(key, found);
    }
    return found;
  }

  private intern(patterns: readonly number[], harmless: boolean): ResourceClass {
    const key = `${harmless ? '~' : ''}${patterns.join(',')}`;
    let found = this.byKey.get(key);
    if (found === undefined) {
      found = { id: this.classes.length, patterns: [...patterns], harmless };
      this.classes.push(found);
      this.byKey.set(key, found);
    }
    return found;
  }
}

/** An absolute path, which no anonymous inode has. */
const isOrdinary = (bytes: Uint8Array, start: number, end: number): boolean =>
  end > start && bytes[start] === 0x2f;

/** Numbers may be told with more words around them (`uid=33`), or as a list of the same number. */
function sameText(test: TextTest, value: string): boolean {
  if (test.test(value)) return true;
  if (test.literal === undefined) return false;
  const a = numbers(test.literal);
  const b = numbers(value);
  return a !== '' && a === b;
}

const numbers = (text: string): string => [...new Set(text.match(/\d+/g) ?? [])].sort().join(' ');
