// strace's text as it arrives; what it becomes is exact.ts's.
import { ActivityTracker } from './activity.ts';
import { ExactObserver, type StraceSourceOptions, straceTraits } from './exact.ts';
import type { Feed, FeedOptions } from './feed.ts';
import { LineCutter } from './json-lines.ts';
import type { Observation } from './observation.ts';
import { StraceParser } from './strace.ts';

export function straceFeed(
  emit: (observation: Observation) => void,
  { name, ...options }: FeedOptions & StraceSourceOptions,
): Feed {
  const observer = new ExactObserver(options, emit);
  const tracker = new ActivityTracker(options, (activity) => observer.activity(activity));
  const parser = new StraceParser({ name, midnight: options.midnight }, (event) => tracker.event(event));
  const cutter = new LineCutter(
    {
      line: (text) => parser.line(text),
      tooLong: () => emit({ kind: 'gap', reason: 'overlong line', records: 1 }),
    },
    latin1,
  );
  return {
    traits: straceTraits,
    skipped: new Map(),
    push: (bytes) => cutter.push(bytes),
    end: () => {
      cutter.end();
      parser.finish();
      tracker.finish();
    },
  };
}

/** One character a byte. */
const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
