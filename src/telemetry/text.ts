// Observations as lines of text and as JSON objects.
import { printable } from '../bytes/index.ts';
import { printEffect, printResource } from '../effect/index.ts';
import type { Observation } from './observation.ts';

const clock = (time: bigint): string => {
  const date = new Date(Number(time / 1_000_000n));
  if (Number.isNaN(date.getTime())) return String(time);
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${String(time % 1_000_000_000n).padStart(9, '0')}`;
};

/** One line: time, what, pid (and tid, where it is another), the effect. */
export function printObservation(o: Observation): string {
  switch (o.kind) {
    case 'stream':
      return `stream of ${printable(o.exporter)}${o.version === 0 ? '' : `, version ${o.version}`}`;
    case 'container': {
      const { id, name, image, imageId, privileged } = o.container;
      const parts = [`container ${id}`, name, image, imageId].filter((part) => part !== '').map(printable);
      return `${parts.join(' ')}${privileged ? ' privileged' : ''}`;
    }
    case 'process': {
      const { id, parent, time, exe, args, uid, user, containerId, entry, again } = o.process;
      const who = `${user === '' ? '' : `${printable(user)} `}${uid < 0 ? '' : `uid ${uid} `}`;
      const from = parent === undefined ? '' : ` of ${parent.pid}`;
      const flags = `${entry ? ' entry' : ''}${again ? ' again' : ''}`;
      const program = exe === '' ? '?' : printable(`${exe}${args === '' ? '' : ` ${args}`}`);
      return `${clock(time)} process ${id.pid}${from} ${who}${containerId === '' ? 'host' : containerId}${flags}  ${program}`;
    }
    case 'event':
      return `${clock(o.time)} event ${taskText(o)} ${printEffect(o.effect)}${o.ret === 0 ? '' : ` = ${o.ret}`}`;
    case 'flow': {
      const counts = [
        o.reads + o.bytesRead === 0 ? '' : ` read ${o.bytesRead} bytes in ${o.reads}`,
        o.writes + o.bytesWritten === 0 ? '' : ` written ${o.bytesWritten} bytes in ${o.writes}`,
      ].join('');
      const ops = `${[...o.ops].join('+')}${o.cut ? '+…' : ''}`;
      const took = Number(o.end - o.start) / 1e6;
      const sides = o.sidesAssumed ? ' (sides assumed)' : '';
      return `${clock(o.start)} flow ${taskText(o)} ${ops}${o.access === '' ? '' : ` ${o.access}`} ${printResource(o.resource)}${sides} for ${took} ms${counts}`;
    }
    default:
      return `gap of ${o.records} ${o.records === 1 ? 'record' : 'records'}: ${printable(o.reason)}`;
  }
}

function taskText({ task }: Extract<Observation, { kind: 'event' | 'flow' }>): string {
  return task.tid === task.process.pid ? String(task.tid) : `${task.process.pid}/${task.tid}`;
}

/** Times as decimal text, sets as lists. */
export function observationJson(o: Observation): string {
  return JSON.stringify(o, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value instanceof Set ? [...value] : value;
  });
}
