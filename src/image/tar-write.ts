// Writing tar: ustar headers, with extended headers (pax) for what does not fit. The bytes depend on the entries alone.
import { assert, encodeText, joined } from '../bytes/index.ts';
import { openFile, pieces } from '../host/index.ts';
import { blockSize, padded } from './tar-header.ts';

interface Described {
  /** With or without a leading slash; no `.` or `..`. */
  readonly path: string;
  /** Default: directories 0755, symlinks 0777, others 0644. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds; default 0. */
  readonly mtime?: number;
  readonly mtimeNs?: number;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/**
 * What a layer can say of a path. `whiteout` hides the path of lower layers, `opaque` all they have in a directory. A
 * hard link's metadata, where it gives none, are those of its target in this layer; of a target in a lower layer they
 * have to be repeated, for engines let the link's entry count.
 */
export type LayerEntry =
  | (Described & { readonly kind: 'file'; readonly bytes: Uint8Array | string })
  | (Described & { readonly kind: 'file'; readonly hostFile: string })
  | (Described & { readonly kind: 'dir' | 'fifo' | 'whiteout' | 'opaque' })
  | (Described & { readonly kind: 'symlink' | 'link'; readonly target: string })
  | (Described & { readonly kind: 'char' | 'block'; readonly major: number; readonly minor: number });

const types: { readonly [kind in LayerEntry['kind']]: string } = {
  file: '0',
  whiteout: '0',
  opaque: '0',
  link: '1',
  symlink: '2',
  char: '3',
  block: '4',
  dir: '5',
  fifo: '6',
};

/** The archive, piece by piece; each is valid until the next. */
export function* writeTar(entries: Iterable<LayerEntry>): Generator<Uint8Array> {
  const written = new Map<string, LayerEntry>();
  for (const entry of entries) {
    const file = entry.kind === 'file' && 'hostFile' in entry ? openFile(entry.hostFile) : undefined;
    const bytes =
      entry.kind === 'file' && 'bytes' in entry
        ? typeof entry.bytes === 'string'
          ? encodeText(entry.bytes)
          : entry.bytes
        : undefined;
    const size = file?.size ?? bytes?.length ?? 0;
    const described = entry.kind === 'link' ? likeTarget(entry, written.get(relative(entry.target))) : entry;
    if (described.kind === 'file' || described.kind === 'link') written.set(relative(entry.path), described);
    yield headers(described, size);
    if (file !== undefined) {
      yield* pieces(file);
      file.close();
    } else if (bytes !== undefined) yield bytes;
    if (padded(size) > size) yield new Uint8Array(padded(size) - size);
  }
  yield new Uint8Array(2 * blockSize);
}

function relative(path: string): string {
  return path.replace(/^\/+/, '').replace(/\/+$/, '');
}

/** Engines give the shared inode the metadata of the link's own entry, so it has to repeat the target's. */
function likeTarget(link: LayerEntry, target: LayerEntry | undefined): LayerEntry {
  const { mode, uid, gid, mtime, mtimeNs, xattrs } = target ?? {};
  const inherited = Object.fromEntries(
    Object.entries({ mode, uid, gid, mtime, mtimeNs, xattrs }).filter(([, value]) => value !== undefined),
  );
  return { ...inherited, ...link };
}

function archivePath(entry: LayerEntry): string {
  const path = relative(entry.path);
  const slash = path.lastIndexOf('/') + 1;
  switch (entry.kind) {
    case 'dir':
      return path === '' ? './' : `${path}/`;
    case 'whiteout':
      return `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
    case 'opaque':
      return `${path === '' ? '' : `${path}/`}.wh..wh..opq`;
    default:
      return path;
  }
}

function headers(entry: LayerEntry, size: number): Uint8Array {
  const path = archivePath(entry);
  const linkname =
    entry.kind === 'link' ? entry.target.replace(/^\/+/, '') : entry.kind === 'symlink' ? entry.target : '';
  const mode = entry.mode ?? (entry.kind === 'dir' ? 0o755 : entry.kind === 'symlink' ? 0o777 : 0o644);
  const numbers = { mode, uid: entry.uid ?? 0, gid: entry.gid ?? 0, size, mtime: entry.mtime ?? 0 };
  const device = entry.kind === 'char' || entry.kind === 'block' ? entry : { major: 0, minor: 0 };
  const records = paxRecords(entry, path, linkname, numbers);
  const own = header({ ...numbers, type: types[entry.kind], name: path, linkname, ...device });
  if (records.length === 0) return own;
  const out = new Uint8Array(blockSize + padded(records.length) + blockSize);
  out.set(
    header({
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      size: records.length,
      type: 'x',
      name: 'PaxHeaders/entry',
      linkname: '',
      major: 0,
      minor: 0,
    }),
  );
  out.set(records, blockSize);
  out.set(own, out.length - blockSize);
  return out;
}

interface Numbers {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}

const octalLimit = { short: 0o7777777, long: 0o77777777777 };

function paxRecords(entry: LayerEntry, path: string, linkname: string, numbers: Numbers): Uint8Array {
  const records: (readonly [key: string, value: Uint8Array])[] = [];
  const add = (key: string, value: string): void => void records.push([key, encodeText(value)]);
  if (!plain(path)) add('path', path);
  if (!plain(linkname)) add('linkpath', linkname);
  if (numbers.size > octalLimit.long) add('size', String(numbers.size));
  if (numbers.uid > octalLimit.short) add('uid', String(numbers.uid));
  if (numbers.gid > octalLimit.short) add('gid', String(numbers.gid));
  const ns = entry.mtimeNs ?? 0;
  if (ns !== 0 || numbers.mtime < 0 || numbers.mtime > octalLimit.long)
    add('mtime', decimalTime(numbers.mtime, ns));
  const { xattrs = {} } = entry;
  for (const name of Object.keys(xattrs).sort()) records.push([`SCHILY.xattr.${name}`, xattrs[name]]);
  return joined(records.map(([key, value]) => paxRecord(key, value)));
}

function decimalTime(seconds: number, ns: number): string {
  if (ns === 0) return String(seconds);
  const [whole, part, sign] = seconds < 0 ? [-seconds - 1, 1_000_000_000 - ns, '-'] : [seconds, ns, ''];
  return `${sign}${whole}.${String(part).padStart(9, '0')}`;
}

/** Fits a header's field of 100 bytes as it is. */
function plain(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

/** The length counts its own digits. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const tail = joined([encodeText(` ${key}=`), value, encodeText('\n')]);
  let length = tail.length + 1;
  while (String(length).length + tail.length !== length) length = String(length).length + tail.length;
  return joined([encodeText(String(length)), tail]);
}

function header(
  fields: Numbers & {
    readonly type: string;
    readonly name: string;
    readonly linkname: string;
    readonly major: number;
    readonly minor: number;
  },
): Uint8Array {
  const block = new Uint8Array(blockSize);
  const text = (at: number, length: number, value: string): void => {
    // Text that is not ASCII stands in the extended header.
    for (let i = 0; i < value.length && i < length; i++) block[at + i] = value.charCodeAt(i) & 0x7f;
  };
  const number = (at: number, length: number, value: number, limit: number): void => {
    // What does not fit stands in the extended header, which counts.
    text(at, length, (value < 0 || value > limit ? 0 : value).toString(8).padStart(length - 1, '0'));
  };
  assert(fields.mode >= 0 && fields.mode <= 0o7777, `mode ${fields.mode}`);
  assert(fields.major <= octalLimit.short && fields.minor <= octalLimit.short, 'device number');
  text(0, 100, fields.name);
  number(100, 8, fields.mode, octalLimit.short);
  number(108, 8, fields.uid, octalLimit.short);
  number(116, 8, fields.gid, octalLimit.short);
  number(124, 12, fields.size, octalLimit.long);
  number(136, 12, fields.mtime, octalLimit.long);
  text(148, 8, '        ');
  text(156, 1, fields.type);
  text(157, 100, fields.linkname);
  text(257, 8, 'ustar\x0000');
  number(329, 8, fields.major, octalLimit.short);
  number(337, 8, fields.minor, octalLimit.short);
  let sum = 0;
  for (const byte of block) sum += byte;
  text(148, 8, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}
