// A block of guest code that has a stream. What only slow paths and the translator want (IR, where values live) is made again from the code's bytes when it is asked for: most blocks run without.

/** What is known of a block besides its stream. */
export interface BlockDetail {
  readonly code: Int32Array;
  /** Absolute address of each operation's value; 0 none. */
  readonly homes: Int32Array;
  /** By instruction where it begins: word from the header | bytes from the block's start << 16. */
  readonly marks: Uint32Array;
}

export interface BlockFacts {
  readonly number: number;
  readonly address: number;
  readonly length: number;
  readonly instructions: number;
  /** Byte address where its constants begin, and of the header after them. */
  readonly base: number;
  readonly header: number;
  /** Words of the stream, constants included. */
  readonly words: number;
  readonly frame: number;
  readonly version: number;
  /** Frame of the next page where the code reaches into it, else 0. */
  readonly frame2: number;
  readonly version2: number;
  /** The guest's bytes: `compared` of them from `textAt` on. */
  readonly text: Uint8Array;
  readonly textAt: number;
  readonly compared: number;
}

/** A way into a region. */
export interface RegionEntry {
  /** Index in the function table << 1 | 1. */
  readonly target: number;
  /** Number of the entry. */
  readonly entry: number;
  /** Byte address of the descriptor (layout.ts). */
  readonly descriptor: number;
  /** The pages that its code is from. */
  readonly pages: readonly { readonly page: number; readonly frame: number; readonly version: number }[];
}

export class StreamBlock implements BlockFacts {
  readonly number: number;
  readonly address: number;
  readonly length: number;
  readonly instructions: number;
  readonly base: number;
  readonly header: number;
  readonly words: number;
  readonly frame: number;
  readonly version: number;
  readonly frame2: number;
  readonly version2: number;
  readonly text: Uint8Array;
  readonly textAt: number;
  readonly compared: number;
  /** The region that may be entered here. */
  region: RegionEntry | undefined = undefined;
  /** Another block at this address, made before (block-index.ts). */
  older: StreamBlock | undefined = undefined;
  private readonly detailOf: (block: StreamBlock) => BlockDetail;
  private known: BlockDetail | undefined = undefined;

  constructor(facts: BlockFacts, detailOf: (block: StreamBlock) => BlockDetail) {
    this.number = facts.number;
    this.address = facts.address;
    this.length = facts.length;
    this.instructions = facts.instructions;
    this.base = facts.base;
    this.header = facts.header;
    this.words = facts.words;
    this.frame = facts.frame;
    this.version = facts.version;
    this.frame2 = facts.frame2;
    this.version2 = facts.version2;
    this.text = facts.text;
    this.textAt = facts.textAt;
    this.compared = facts.compared;
    this.detailOf = detailOf;
  }

  private get detail(): BlockDetail {
    this.known ??= this.detailOf(this);
    return this.known;
  }

  get code(): Int32Array {
    return this.detail.code;
  }
  get homes(): Int32Array {
    return this.detail.homes;
  }
  get marks(): Uint32Array {
    return this.detail.marks;
  }
}

const CHUNK = 65_536;

/** Keeps the bytes of blocks, many to an array. */
export class TextArena {
  bytes = new Uint8Array(0);
  private at = 0;

  /** Makes room; then `bytes` is where `position` is in. */
  take(length: number): number {
    if (this.at + length > this.bytes.length) {
      this.bytes = new Uint8Array(CHUNK);
      this.at = 0;
    }
    const position = this.at;
    this.at += length;
    return position;
  }
}
