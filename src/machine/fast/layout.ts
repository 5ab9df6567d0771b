// Where the fast engine keeps its state in the pool's linear memory.
//
//   CPU area (one page table's worth of frames, 16 KiB), from `cpu`:
//      0  the register file (registers.ts LAYOUT)
//   1024  pending flags: kind | width << 8 (i32, -1 none), a 1032, b 1040, c 1048 (i64)
//   1056  fuel (i32)   1060 byte address of the root page table   1064 header of the block at hand   1068 stream
//         position at the exit
//   1072  64 bits that are always 0
//   1088  four slots of 16 bytes: operands and result of a region's slow operation
//   1152  epoch (i32): another one when what code was looked up may have changed: mappings of code, code itself,
//         regions   1156 the case `dispatch`, as an operation   1160 address of a region's access that failed (i64)
//   1168  1: at rip the stream is to run, the region there can't go on   1172 the last call in the places from 1792 on
//   1280  LEAVES places of 16 bytes, by the lowest bits of an address' upper part (bits from 24 on): that part (i64,
//         -1 none), byte address of the leaf page table
//   1792  the last calls, 16 places of 16 bytes: where they return to (i64), byte address of the link of the block that
//         called, for what is there
//   2048  WINDOWS places of 32 bytes: pages that regions reached last, by what addresses are made from: 0 where the page
//         begins in the guest (i64), 8 offsets below this may be read (i64, 0 closed), 16 the same for writing,
//         24 what its byte address here is more than the low half of the one in the guest (i32)
//   3584  slots of 16 bytes for the interpreter's values
//   8192  NUMBERS small numbers (i64), from FIRST_NUMBER on: constants that streams have in common
//
//   Dispatch table, from `table`: ENTRIES entries of 16 bytes, by hash of the address, such that those of nearby code are
//   near each other (a lookup mostly waits for memory)
//      0  rip (i64, 0 empty; 1 in the place of rip 0)   8 target: header of a stream block, or index in the function table
//         << 1 | 1   12 epoch in which frames and pages were as they should be
//   and from ENTRY_DETAIL after each, what is asked once an epoch or by regions
//      0  frame   4 frame of the next page where code reaches into it, else 0; of a region its descriptor   8 header of the
//         stream block   12 number of the entry into the region
//
//   Descriptor of a region: 0 number of pages, 4 exits (i32), 8 the addresses of the last EXITS of them (i64), then
//   instructions between entry and exit (i32, compact ones only), then for each page its number (i64) and frame (i32), 16 bytes
//
//   Stream block: 0 instructions, 4 executions, 8 number of the block, 12 where its jump or its branch that is taken led
//   last: header of the stream block and epoch, 20 the same for a branch not taken, or a return to after its call, 28 first operation; an operation is a case
//   number and its operands, all i32; operands are absolute byte addresses of values.
export const CPU = {
  pending: 1024,
  a: 1032,
  b: 1040,
  c: 1048,
  fuel: 1056,
  root: 1060,
  block: 1064,
  pc: 1068,
  zero: 1072,
  scratch: 1088,
  epoch: 1152,
  again: 1156,
  address: 1160,
  skip: 1168,
  lastCall: 1172,
  leaves: 1280,
  calls: 1792,
  windows: 2048,
  slots: 3584,
  numbers: 8192,
} as const;

export const SLOT = 16;
/** Places of calls, in bytes. */
export const CALLS = 256;
export const NUMBERS = 1024;
export const FIRST_NUMBER = -192;
export const ENTRIES = 262_144;
export const ENTRY_SIZE = 16;
export const ENTRY_DETAIL = ENTRIES * ENTRY_SIZE;
export const HEADER = 28;
/** In a header, links to what comes after the block. */
export const LINKS = 12;
export const LINK_SIZE = 8;
/** Leaf page tables that are remembered. */
export const LEAVES = 32;
/** Pages that regions remember; the first 16 belong to the general registers. */
export const WINDOWS = 40;
export const WINDOW_SIZE = 32;
/** Exits that a region remembers, and the offset of its pages. */
export const EXITS = 64;
export const DESCRIPTOR_RAN = 8 + 8 * EXITS;
export const DESCRIPTOR_PAGES = DESCRIPTOR_RAN + 8;

/** Absolute byte addresses. */
export interface Places {
  readonly cpu: number;
  readonly table: number;
  /** A leaf page table without entries. */
  readonly emptyLeaf: number;
}

/** Why translated code returned. */
export const EXIT = {
  /** rip has no entry in the dispatch table. */
  miss: 0,
  /** Fewer instructions are left than the block at rip has. */
  fuel: 1,
  syscall: 2,
  /** A trap or an unsupported instruction ends the block. */
  end: 3,
  /** A slow operation faulted. */
  fault: 4,
  /** The block at rip has become hot. */
  hot: 5,
  /** The boundary between two instructions where a stop was put. */
  boundary: 6,
  /** A region met a jump out of user space: the instruction at rip is the interpreter's. */
  outside: 7,
  /** A region met what only the interpreter can do: it runs the instruction at rip. */
  slow: 8,
  /** A region was left often: it may be translated anew, with what it goes on to. */
  grow: 9,
} as const;
