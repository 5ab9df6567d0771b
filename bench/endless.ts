// Room over a long time: records without end through one monitor, resident memory as they pass. Recorded bytes are
// decoded again and again; each time they are later, and of other processes: those of the time before have ended, their
// containers were started again. Run: node --expose-gc dist/bench/endless.js [RECORDS]
import { memoryAccess } from '../src/host/index.ts';
import type { Monitor } from '../src/monitor/index.ts';
import {
  type FlowRow,
  type Observation,
  type ProcessId,
  type StreamProcess,
  SysFlowDecoder,
  sysFlowTraits,
} from '../src/telemetry/index.ts';
import { heap, newMonitor, server, traffic, trafficInterval } from './monitor.ts';
import { load } from './sysflow.ts';

const requests = 50_000;
const containers = 20;
/** A quarter of it may have ended; the default of 200,000 would be reached only after 250 million records. */
const keptProcesses = 2000;

/** Feeds at least so many records; `each` is told how many have passed, a dozen times in all and at the end. */
export function endless(records: number, each: (done: number, monitor: Monitor) => void): void {
  const { schema, name, blocks } = load(
    'traffic',
    memoryAccess('traffic', traffic(containers, requests, true)),
  );
  const monitor = newMonitor(server(), { processes: keptProcesses });
  const decoder = new SysFlowDecoder(schema, name);
  /** From the stream's processes to those of this time, by row. */
  let now: StreamProcess[] = [];
  let later = 0n;
  let done = 0;
  let told = 0;
  const idOf = ({ created, pid }: ProcessId): ProcessId => ({ created: created + later, pid });
  const observe = (observation: Observation): void => {
    done++;
    if (observation.kind === 'process') {
      const { process } = observation;
      const id = idOf(process.id);
      monitor.observe(
        { ...observation, process: { ...process, id, time: process.time + later } },
        sysFlowTraits,
      );
    } else if (observation.kind === 'event') {
      const { task, time } = observation;
      const moved = { ...task, process: idOf(task.process) };
      monitor.observe({ ...observation, time: time + later, task: moved }, sysFlowTraits);
      // A header in the middle would be another trace.
    } else if (observation.kind !== 'stream' || later === 0n) monitor.observe(observation, sysFlowTraits);
  };
  const flow = (row: FlowRow): void => {
    done++;
    const { process } = row;
    let mine = now[process.row];
    if (mine === undefined) now[process.row] = mine = { row: process.row, id: idOf(process.id) };
    row.process = mine;
    [row.startHigh, row.startLow] = shifted(row.startHigh, row.startLow, later);
    [row.endHigh, row.endLow] = shifted(row.endHigh, row.endLow, later);
    monitor.flow(row, sysFlowTraits);
  };
  for (let turn = 0; done < records; turn++) {
    later = BigInt(turn * (requests * trafficInterval + 40_000_000)) * 1000n;
    now = [];
    for (const { data, records: count } of blocks) decoder.block(data, count, { observe, flow });
    if (done - told < records / 12 && done < records) continue;
    told = done;
    each(done, monitor);
  }
}

const halves = new Int32Array(2);
const whole = new BigInt64Array(halves.buffer);

function shifted(high: number, low: number, by: bigint): readonly [number, number] {
  halves[0] = low;
  halves[1] = high;
  whole[0] += by;
  return [halves[1], halves[0]];
}

const wanted = Number(process.argv[2] ?? 100e6);
const begin = process.cpuUsage();
endless(wanted, (done, monitor) => {
  const used = heap() / 2 ** 20;
  const { rss } = process.memoryUsage();
  const { counters, processes, pending } = monitor.summary();
  const { user, system } = process.cpuUsage(begin);
  process.stdout.write(
    `${(done / 1e6).toFixed(1)} M records, resident ${(rss / 2 ** 20).toFixed(0)} MiB, heap ${used.toFixed(1)} MiB, ` +
      `${processes} processes, ${pending} wait, ${counters.findings} findings, ` +
      `${((done / (user + system)) * 1e3).toFixed(0)} thousand records/s of processor time\n`,
  );
});
