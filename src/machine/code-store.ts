// Where an engine keeps code that it prepared, from one process to the next. The machine knows no files: whoever makes
// it says where. Entries are found by name, and what is found is only believed where it proves itself (checksums, the
// guest's own bytes), so a store may lose, mix up or damage entries without changing what a guest does.

export interface CodeStore {
  /** The entry of this name, at an offset of its buffer that is a multiple of 4; undefined where there is none. */
  load(name: string): Uint8Array | undefined;
  /** Keeps the entry, in place of an earlier one. Never throws: what can't be kept is lost. */
  save(name: string, bytes: Uint8Array): void;
}
