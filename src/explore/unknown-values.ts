// Values of a deployment that nobody here knows stand in the memory of the processes that were given them (arguments,
// environment variables, what was made of these). Each stands for any text: another one can be put in its place while
// the service waits. What a program decided on such a value while it booted stays as it was decided.
import { encodeText } from '../bytes/index.ts';
import type { Kernel } from '../linux/index.ts';
import { MemoryFault, PagedSpace, PROT } from '../machine/index.ts';

/** Writable memory of one process that is looked at. */
const MAX_BYTES = 96 << 20;
/** Shorter texts are somewhere by chance. */
const SHORTEST = 5;

/** Puts bytes in the place of a text wherever it stands in writable memory: of its length, and zeros where they are fewer. */
export function replaceText(kernel: Kernel, text: string, by: Uint8Array): void {
  const bytes = encodeText(text);
  if (bytes.length < SHORTEST) return;
  const spaces = new Set(
    [...kernel.processes.values()]
      .filter(({ exitStatus }) => exitStatus === undefined)
      .map(({ space }) => space),
  );
  for (const space of spaces)
    if (space instanceof PagedSpace)
      for (const address of placesOf(space, bytes)) replaceAt(space, address, by, bytes.length);
}

function replaceAt(space: PagedSpace, address: number, by: Uint8Array, length: number): void {
  try {
    if (by.length < length) space.write(address + by.length, new Uint8Array(length - by.length));
    space.write(address, by.length <= length ? by : by.subarray(0, length));
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
  }
}

function placesOf(space: PagedSpace, text: Uint8Array): number[] {
  const out: number[] = [];
  let left = MAX_BYTES;
  for (const region of space.regions()) {
    if ((region.prot & PROT.WRITE) === 0 || left <= 0) continue;
    for (const { address, bytes } of space.touched(region.start, region.end, left)) {
      left -= bytes.length;
      for (let at = find(bytes, text, 0); at >= 0; at = find(bytes, text, at + 1)) out.push(address + at);
    }
  }
  return out;
}

function find(bytes: Uint8Array, text: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(text[0], from); at >= 0; at = bytes.indexOf(text[0], at + 1)) {
    let same = 1;
    while (same < text.length && bytes[at + same] === text[same]) same++;
    if (same === text.length) return at;
  }
  return -1;
}
