// Falco's alerts as JSON (json_output: true), one a line: what happened is in `output_fields`, by libsinsp's names. Also
// lines of bare fields, as `sysdig -j -p` writes them. Falco tells only what its rules select, and of that only the
// fields that the rule's output names: nothing is expected of it. Alerts of other sources (audit logs) are counted.
import type { Op } from '../effect/index.ts';
import type { Feed, FeedOptions } from './feed.ts';
import { isBlank, jsonObject, LineCutter, numberOf, objectAt, textOf, timeOf } from './json-lines.ts';
import type { Observation } from './observation.ts';
import { selectedTraits } from './selected.ts';
import { SinspMapper } from './sinsp.ts';

export function falcoFeed(emit: (observation: Observation) => void, options: FeedOptions): Feed {
  const sees = options.sees ?? new Set<Op>();
  const mapper = new SinspMapper('falco', sees, emit);
  const cutter = new LineCutter({
    line: (text) => line(text, mapper),
    tooLong: () => mapper.book.gap('overlong line', 1),
  });
  return {
    traits: selectedTraits('falco', sees, { access: false, pathOnly: false }),
    skipped: mapper.skipped,
    push: (bytes) => cutter.push(bytes),
    end: () => cutter.end(),
  };
}

function line(text: string, mapper: SinspMapper): void {
  if (isBlank(text)) return;
  const alert = jsonObject(text);
  if (alert === undefined) {
    mapper.book.gap('malformed JSON line', 1);
    return;
  }
  const bare = alert['evt.type'] !== undefined || alert['evt.num'] !== undefined;
  const fields = bare ? alert : objectAt(alert, 'output_fields');
  const source = textOf(alert['source']) || 'syscall';
  const drops = dropped(textOf(alert['rule']), fields);
  if (drops > 0) mapper.book.gap('events dropped by Falco', drops);
  else if (source !== 'syscall') mapper.skip(`alert of source ${source}`);
  else if (fields === undefined) mapper.skip('alert without output_fields');
  else {
    const get = (name: string): string => {
      const value = textOf(fields[name]);
      return value === '<NA>' ? '' : value;
    };
    const time = bare
      ? undefined
      : (timeOf(fields['evt.rawtime'] ?? fields['evt.time']) ?? timeOf(alert['time']));
    if (!mapper.event(get, time)) mapper.skip('alert without a process');
  }
}

/** Falco says itself that it lost events: "Falco internal: syscall event drop". */
function dropped(rule: string, fields: { readonly [name: string]: unknown } | undefined): number {
  if (!/^Falco internal: .*drop/i.test(rule)) return 0;
  return Math.max(1, numberOf(fields?.['n_drops']) ?? numberOf(fields?.['n_drops_total']) ?? 1);
}
