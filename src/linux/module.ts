// What is known of a mapped ELF file for naming code and unwinding: parsed once per file, kept by its backing.
import { InputError } from '../bytes/index.ts';
import {
  type Elf,
  ElfSource,
  type FunctionIndex,
  functionsOf,
  PT,
  parseElf,
  UnwindTable,
} from '../elf/index.ts';
import type { Backing } from '../machine/index.ts';
import type { Frame } from './events.ts';

export class Module {
  readonly path: string;
  private readonly elf: Elf | undefined;
  private functions: FunctionIndex | undefined;
  private table: UnwindTable | undefined;
  private readonly frames = new Map<number, Frame>();
  /** Why the file has no unwind table that can be used; undefined where nothing is wrong. */
  malformed: string | undefined;

  constructor(backing: Backing, path: string) {
    this.path = path;
    this.elf = this.attempt(() => parseElf(new ElfSource(backing, path)));
  }

  private attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.malformed = error.message;
      return undefined;
    }
  }

  /** Virtual address in the file's own terms of what stands at a file offset; the offset itself where it is no ELF file. */
  virtualAddress(offset: number): number {
    const segment = this.elf?.segments.find(
      (s) => s.type === PT.LOAD && offset >= s.offset && offset < s.offset + s.filesz,
    );
    return segment === undefined ? offset : segment.vaddr + (offset - segment.offset);
  }

  /** The frame for code at a virtual address; `exact`: it is no return address, which may already be in the next function. */
  frame(vaddr: number, exact: boolean): Frame {
    const key = vaddr * 2 + Number(exact);
    const known = this.frames.get(key);
    if (known !== undefined) return known;
    const frame: Frame = { module: this.path, offset: vaddr, symbol: this.symbol(vaddr, exact) };
    if (this.frames.size > 65_536) this.frames.clear();
    this.frames.set(key, frame);
    return frame;
  }

  private symbol(vaddr: number, exact: boolean): string | undefined {
    if (this.elf === undefined) return undefined;
    this.functions ??= functionsOf(this.elf);
    const found = this.functions.find(exact ? vaddr : vaddr - 1);
    return found === undefined ? undefined : `${found.name}+0x${(vaddr - found.value).toString(16)}`;
  }

  unwindTable(): UnwindTable | undefined {
    const { elf } = this;
    if (elf === undefined) return undefined;
    this.table ??= this.attempt(() => new UnwindTable(elf));
    return this.table;
  }
}

const modules = new WeakMap<Backing, Map<string, Module>>();

/** The module of a file that is mapped under a name; one file may have several names. */
export function moduleOf(backing: Backing, path: string): Module {
  let names = modules.get(backing);
  if (names === undefined) modules.set(backing, (names = new Map()));
  let module = names.get(path);
  if (module === undefined) names.set(path, (module = new Module(backing, path)));
  return module;
}
