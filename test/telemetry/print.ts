// Observations as lines, for tests that compare what was seen.
import { printEffect, printResource } from '../../src/effect/index.ts';
import type { Observation } from '../../src/telemetry/index.ts';

export function printObservation(o: Observation): string {
  switch (o.kind) {
    case 'stream':
      return `stream ${o.exporter} ${o.version}`;
    case 'container':
      return `container ${o.container.id} ${o.container.name} ${o.container.image} ${o.container.imageId}${o.container.privileged ? ' privileged' : ''}`;
    case 'process': {
      const p = o.process;
      const flags = [p.tty ? 'tty' : '', p.entry ? 'entry' : '', p.again ? 'again' : '']
        .filter((flag) => flag !== '')
        .join(' ');
      return `process ${p.id.pid}@${p.id.created} of ${p.parent === undefined ? '-' : `${p.parent.pid}@${p.parent.created}`} ${p.exe} [${p.args}] ${p.user}(${p.uid}) ${p.containerId} ${flags}`.trimEnd();
    }
    case 'event':
      return `event ${o.time} ${o.task.process.pid}/${o.task.tid} ${printEffect(o.effect)} = ${o.ret}`;
    case 'flow':
      return `flow ${o.start}-${o.end} ${o.task.process.pid}/${o.task.tid} ${[...o.ops].join('|')}${o.cut ? ' cut' : ''} ${o.access} ${printResource(o.resource)}${o.sidesAssumed ? ' ?' : ''} fd ${o.fd} r ${o.reads}/${o.bytesRead} w ${o.writes}/${o.bytesWritten}`;
    default:
      return `gap ${o.reason} ${o.records}`;
  }
}
