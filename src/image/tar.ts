// Tar archives read by offset: headers only, contents stay in the archive. What Go's archive/tar takes (the reader of
// every container engine) is taken; global extended headers are passed over as engines do.
//
// Why no library: tar-stream decodes extended header values as UTF-8, which destroys binary attributes such as
// security.capability, knows no sparse files, and has to be fed every byte. It is the second opinion of the tests.
import { decodeText, encodeText, InputError, printable } from '../bytes/index.ts';
import { type RandomAccess, Window } from '../host/index.ts';
import { type Content, contiguous, emptyContent, Sparse } from './content.ts';
import type { Metadata } from './inode.ts';
import { type Budget, exceeded } from './limits.ts';
import { blockSize, isZeroBlock, padded, parseHeader, type TarHeader } from './tar-header.ts';
import { type PaxRecords, parsePax, paxNumber, paxText, paxTime, paxXattrs } from './tar-pax.ts';
import { checkSparse, oldGnuSparse, paxSparse, type SparseMap } from './tar-sparse.ts';

export type TarKind = 'file' | 'link' | 'dir' | 'symlink' | 'char' | 'block' | 'fifo';

export interface TarEntry {
  readonly kind: TarKind;
  /** As written: may be absolute, have `..`, end in a slash. */
  readonly name: string;
  /** Of links and symlinks. */
  readonly linkname: string;
  readonly metadata: Metadata;
  readonly major: number;
  readonly minor: number;
  readonly content: Content;
  /** Names archive, offset and entry. */
  readonly where: () => string;
}

export interface TarOptions {
  readonly budget: Budget;
  /** Told of what is passed over. */
  readonly note: (where: string, what: string) => void;
}

const kinds: { readonly [type: string]: TarKind | undefined } = {
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/** Go's reader takes no longer extended header either. */
const maxExtension = 1 << 20;
/** What one entry costs in memory beside its names; a rough figure. */
const entryOverhead = 64;

/** All entries in order. `name` says in messages which archive or layer this is. */
export function* readTar(file: RandomAccess, name: string, options: TarOptions): Generator<TarEntry> {
  const reader = new TarReader(file, name, options);
  for (let entry = reader.next(); entry !== undefined; entry = reader.next()) yield entry;
}

/** Extensions that come before the header they belong to. */
interface Pending {
  pax: PaxRecords | undefined;
  name: string | undefined;
  linkname: string | undefined;
}

class TarReader {
  private readonly window: Window;
  private readonly file: RandomAccess;
  private readonly name: string;
  private readonly options: TarOptions;
  private offset = 0;

  constructor(file: RandomAccess, name: string, options: TarOptions) {
    this.file = file;
    this.name = name;
    this.options = options;
    this.window = new Window(file);
  }

  next(): TarEntry | undefined {
    const pending: Pending = { pax: undefined, name: undefined, linkname: undefined };
    for (;;) {
      const at = this.offset;
      const where = (): string => `${this.name} at offset ${at}`;
      const block = this.header(where, pending);
      if (block === undefined) return undefined;
      const header = parseHeader(block, where);
      this.offset += blockSize;
      this.options.budget.spend(
        'entries',
        header.type === 'x' || header.type === 'L' || header.type === 'K' ? 0 : 1,
        where,
      );
      if (header.size < 0) throw new InputError(`size ${header.size} is negative`, where());
      if (!this.extension(header, pending, where)) return this.entry(header, block, pending, at);
    }
  }

  /** The next header block; undefined at the archive's end, which is two zero blocks or the end of the file. */
  private header(where: () => string, pending: Pending): Uint8Array | undefined {
    const block = this.window.at(this.offset, blockSize);
    if (block.length > 0 && block.length < blockSize && !isZeroBlock(block))
      throw new InputError('truncated in a tar header', where());
    if (block.length === blockSize && !isZeroBlock(block)) return block;
    if (pending.pax !== undefined || pending.name !== undefined || pending.linkname !== undefined)
      throw new InputError('truncated: an extended header without an entry', where());
    if (block.length === blockSize && !isZeroBlock(this.window.at(this.offset + blockSize, blockSize)))
      throw new InputError('a zero block inside the archive', where(), 'the archive is damaged');
    return undefined;
  }

  /** Takes in a header that says something of the next one. */
  private extension(header: TarHeader, pending: Pending, where: () => string): boolean {
    switch (header.type) {
      case 'x':
      case 'X':
        pending.pax = parsePax(this.body(header, where), where);
        return true;
      case 'L':
        pending.name = cString(this.body(header, where));
        return true;
      case 'K':
        pending.linkname = cString(this.body(header, where));
        return true;
      case 'g':
      case 'V':
        this.skip(header.size, where);
        this.options.note(
          where(),
          header.type === 'g' ? 'global extended header passed over' : 'volume header passed over',
        );
        return true;
      default:
        return false;
    }
  }

  private body(header: TarHeader, where: () => string): Uint8Array {
    if (header.size > maxExtension)
      throw new InputError(`extended header of ${header.size} bytes, more than ${maxExtension}`, where());
    this.options.budget.spend('metadataBytes', header.size, where);
    const start = this.offset;
    this.skip(header.size, where);
    return this.file.read(start, header.size);
  }

  /** Past data and padding. Only the padding of the very last entry may be missing. */
  private skip(size: number, where: () => string): void {
    if (this.offset + size > this.file.size) {
      throw new InputError(
        `truncated: ${size} bytes wanted, ${Math.max(0, this.file.size - this.offset)} left`,
        where(),
        'the archive is damaged or incomplete',
      );
    }
    this.offset = Math.min(this.offset + padded(size), Math.max(this.file.size, this.offset + size));
  }

  private entry(header: TarHeader, block: Uint8Array, pending: Pending, at: number): TarEntry {
    const { pax } = pending;
    const archive = (): string => `${this.name} at offset ${at}`;
    const name =
      paxText(pax, 'GNU.sparse.name', archive) ??
      paxText(pax, 'path', archive) ??
      pending.name ??
      header.name;
    const where = (): string => `${this.name}, entry ${shown(name)}`;
    const linkname = paxText(pax, 'linkpath', where) ?? pending.linkname ?? header.linkname;
    const kind = header.type === '0' && name.endsWith('/') ? 'dir' : kinds[header.type];
    if (kind === undefined)
      throw new InputError(`tar entry of unknown type ${printable(JSON.stringify(header.type))}`, where());
    this.checkNames(kind, name, linkname, where);
    const size = paxNumber(pax, 'size', where) ?? header.size;
    const content = kind === 'file' ? this.content(header, block, pax, size, where) : emptyContent;
    const time = paxTime(pax, 'mtime', where);
    const metadata: Metadata = {
      mode: header.mode,
      uid: owner(paxNumber(pax, 'uid', where) ?? header.uid, 'uid', where),
      gid: owner(paxNumber(pax, 'gid', where) ?? header.gid, 'gid', where),
      mtime: time?.seconds ?? header.mtime,
      mtimeNs: time?.ns ?? 0,
      xattrs: paxXattrs(pax),
    };
    return {
      kind,
      name,
      linkname: kind === 'link' || kind === 'symlink' ? linkname : '',
      metadata,
      major: header.major,
      minor: header.minor,
      content,
      where,
    };
  }

  private checkNames(kind: TarKind, name: string, linkname: string, where: () => string): void {
    const { budget } = this.options;
    const { pathBytes } = budget.limits;
    budget.spend('metadataBytes', entryOverhead + name.length + linkname.length, where);
    if (byteLength(name, pathBytes) > pathBytes || byteLength(linkname, pathBytes) > pathBytes)
      throw exceeded('pathBytes', pathBytes, where());
    if (kind === 'symlink' && linkname === '') throw new InputError('symlink without a target', where());
    if (name.length > 85 && name.split('/').some((part) => byteLength(part, 255) > 255))
      throw new InputError('a component of the path is longer than 255 bytes', where());
  }

  /** The file's bytes, and past them. */
  private content(
    header: TarHeader,
    block: Uint8Array,
    pax: PaxRecords | undefined,
    size: number,
    where: () => string,
  ): Content {
    const charge = (extents: number): void => this.options.budget.spend('metadataBytes', 32 * extents, where);
    let sparse: SparseMap | undefined;
    let stored = size;
    if (header.type === 'S') {
      // The block is the window's; reading extension blocks overwrites it.
      sparse = oldGnuSparse(block.slice(), this.window, this.offset, where, charge);
      this.offset = sparse.dataStart;
      this.skip(size, where);
    } else {
      const start = this.offset;
      this.skip(size, where);
      sparse = paxSparse(pax, this.window, start, start + size, where, charge);
      if (sparse === undefined) return contiguous(this.file, start, size);
      stored = size - (sparse.dataStart - start);
    }
    checkSparse(sparse, stored, where);
    return new Sparse(this.file, sparse.dataStart, sparse.size, sparse.map);
  }
}

/** A name in a message. */
function shown(name: string): string {
  return printable(name.length > 160 ? `${name.slice(0, 80)}…${name.slice(-79)}` : name);
}

function owner(id: number, what: string, where: () => string): number {
  if (id < 0 || id > 0xffffffff) throw new InputError(`${what} ${id} is out of range`, where());
  return id;
}

/** Bytes of a name; only counted where characters alone do not decide. */
function byteLength(text: string, limit: number): number {
  return text.length > limit || 3 * text.length <= limit ? text.length : encodeText(text).length;
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end));
}
