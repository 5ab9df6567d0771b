// Translated regions as they are stored: function bodies, with the numbers that are of one run only (patches), the
// blocks that they were made from with the guest's bytes, and what the translator wants to know of them. A region holds
// where all its blocks are there as they were. An entry of the store has those of one file at one address
// (library.ts): an index in JSON, then the bytes that it names.
import { decodeText, encodeText } from '../../bytes/index.ts';
import type { CodeStore } from '../code-store.ts';
import type { Patch } from './asm.ts';
import { seal, unseal } from './stored-code.ts';
import type { StreamBlock } from './stream-block.ts';
import type { FunctionSource } from './wasm-code.ts';

/** What a patched number is measured from; blocks of the region, by their index, from `firstBlock` on. */
export const PATCH = { descriptor: 0, entryTable: 1, firstBlock: 2 } as const;

/** A region's function without its name. */
export interface RegionBody extends Pick<FunctionSource, 'body' | 'locals' | 'unlikely'> {
  readonly patches: readonly Patch[];
}

export interface StoredRegion {
  /** By block: address, instructions, bytes of its code. */
  readonly addresses: readonly number[];
  readonly instructions: readonly number[];
  readonly lengths: readonly number[];
  readonly text: Uint8Array;
  /** Indices of the blocks where it was to be entered. */
  readonly seeds: readonly number[];
  /** Addresses of its entries, by number, and the entry in each place of the table of entries. */
  readonly entries: readonly number[];
  readonly slots: readonly number[];
  readonly growths: number;
  readonly function: RegionBody;
}

/** Writes the table of entries: 16 bytes a place, the address and the number of the entry. */
export function writeEntryTable(
  view: DataView,
  table: number,
  slots: readonly number[],
  addresses: readonly number[],
): void {
  slots.forEach((entry, i) => {
    const at = table + 16 * i;
    view.setUint32(at, addresses[entry] % 2 ** 32, true);
    view.setUint32(at + 4, Math.floor(addresses[entry] / 2 ** 32), true);
    view.setUint32(at + 8, entry, true);
  });
}

/** The body for these places and blocks. */
export function patchedBody(
  { body, patches }: RegionBody,
  places: { readonly descriptor: number; readonly entryTable: number },
  blocks: readonly StreamBlock[],
): Uint8Array {
  const out = body.slice();
  for (const { at, kind, addend } of patches) {
    const base =
      kind === PATCH.descriptor
        ? places.descriptor
        : kind === PATCH.entryTable
          ? places.entryTable
          : blocks[kind - PATCH.firstBlock].number;
    const value = base + addend;
    for (let i = 0; i < 4; i++) out[at + i] = ((value >>> (7 * i)) & 0x7f) | 0x80;
    out[at + 4] = value >>> 28;
  }
  return out;
}

/** The block is the region's block of this index. */
export function isBlockOf(region: StoredRegion, index: number, offset: number, block: StreamBlock): boolean {
  if (block.instructions !== region.instructions[index] || block.length !== region.lengths[index])
    return false;
  if (block.frame2 !== 0) return false;
  for (let i = 0; i < block.length; i++)
    if (block.text[block.textAt + i] !== region.text[offset + i]) return false;
  return true;
}

export function storedRegion(
  blocks: readonly StreamBlock[],
  facts: Pick<StoredRegion, 'seeds' | 'entries' | 'slots' | 'growths' | 'function'>,
): StoredRegion {
  const lengths = blocks.map(({ length }) => length);
  const text = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    text.set(block.text.subarray(block.textAt, block.textAt + block.length), at);
    at += block.length;
  }
  return {
    addresses: blocks.map(({ address }) => address),
    instructions: blocks.map(({ instructions }) => instructions),
    lengths,
    text,
    ...facts,
  };
}

interface IndexRow
  extends Pick<
    StoredRegion,
    'addresses' | 'instructions' | 'lengths' | 'seeds' | 'entries' | 'slots' | 'growths'
  > {
  readonly locals: FunctionSource['locals'];
  readonly unlikely: readonly number[];
  readonly patches: readonly Patch[];
  /** Where text and body begin, and where the body ends. */
  readonly at: readonly [number, number, number];
}

function encodeRegions(regions: readonly StoredRegion[]): Uint8Array {
  let at = 0;
  const rows = regions.map((region): IndexRow => {
    const { text, function: code, ...rest } = region;
    const { body, locals, unlikely = [], patches } = code;
    const start = at;
    at += text.length + body.length;
    return { ...rest, locals, unlikely, patches, at: [start, start + text.length, at] };
  });
  const index = encodeText(JSON.stringify(rows));
  const bytes = new Uint8Array(4 + index.length + at);
  new DataView(bytes.buffer).setUint32(0, index.length, true);
  bytes.set(index, 4);
  regions.forEach((region, i) => {
    const [textAt, bodyAt] = rows[i].at;
    bytes.set(region.text, 4 + index.length + textAt);
    bytes.set(region.function.body, 4 + index.length + bodyAt);
  });
  return seal(bytes);
}

/** No regions where the bytes are not such an entry, or damaged. */
function decodeRegions(sealed: Uint8Array): StoredRegion[] {
  const bytes = unseal(sealed);
  if (bytes === undefined) return [];
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const blob = bytes.subarray(4 + length);
  const rows = JSON.parse(decodeText(bytes.subarray(4, 4 + length))) as readonly IndexRow[];
  return rows.map(({ at: [textAt, bodyAt, end], locals, unlikely, patches, ...rest }) => ({
    ...rest,
    text: blob.subarray(textAt, bodyAt),
    function: { body: blob.subarray(bodyAt, end), locals, unlikely, patches },
  }));
}

/** An entry is written anew for one region more in so many. */
const WORTH = 16;

/** The stored regions of one file at one address. */
export class Shelf {
  /** By address of the first seed; those not tried yet in this run. */
  readonly waiting = new Map<number, StoredRegion>();
  private readonly all = new Map<number, StoredRegion>();
  private readonly store: CodeStore;
  private readonly name: string;
  private fresh = 0;

  constructor(store: CodeStore, name: string) {
    this.store = store;
    this.name = `regions.${name}`;
    const bytes = store.load(this.name);
    for (const region of bytes === undefined ? [] : decodeRegions(bytes)) {
      this.waiting.set(region.addresses[region.seeds[0]], region);
      this.all.set(region.addresses[region.seeds[0]], region);
    }
  }

  /** A region was translated in this run. */
  add(region: StoredRegion): void {
    this.all.set(region.addresses[region.seeds[0]], region);
    this.fresh++;
  }

  save(): void {
    if (this.fresh * WORTH <= this.all.size) return;
    this.store.save(this.name, encodeRegions([...this.all.values()]));
    this.fresh = 0;
  }
}
