// Whether a later start under another environment is all that a first start need be compared with: what only the first
// one did (compiling, filling caches) was seen under one environment, so it must have nothing of the environment's.
import { resourceTexts } from '../effect/index.ts';
import type { Explorer } from '../explore/index.ts';
import { ADDRESS_DIGITS, unmatched } from './generalize.ts';
import { bootRun } from './tasks.ts';

/** Whether the texts of what only the first start did are those of the image, or of the later start, or plain names. */
export function settlesFirst(first: Explorer, later: Explorer): boolean {
  const runs = [bootRun(first), bootRun(later)];
  const names = new Set(
    runs[1].events.flatMap(({ effect }) => resourceTexts(effect.resource)).flatMap(partsOf),
  );
  const known = runs[0].known.filter(({ length }) => length >= 3);
  const isSettled = (text: string): boolean =>
    first.inImage(text) ||
    (!MADE.test(text) &&
      !known.some((own) => text.includes(own)) &&
      partsOf(text).every((part) => isPlain(part, names)));
  return unmatched(runs).every(({ effect }) => {
    const { kind } = effect.resource;
    return kind === 'task' || kind === 'id' || resourceTexts(effect.resource).every(isSettled);
  });
}

const partsOf = (text: string): readonly string[] => text.split('/');

/** Where programs make names at random. */
const MADE = /^\/(?:tmp|var\/tmp|dev\/shm)\//;

/** A name of the later start, perhaps with an address after it, or one without digits: numbers may be anybody's. */
function isPlain(part: string, names: ReadonlySet<string>): boolean {
  const rest = part.replace(ADDRESS_DIGITS, '').replace(/\W+$/, '');
  return names.has(part) || names.has(rest) || !/\d/.test(rest);
}
