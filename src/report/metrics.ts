// The monitor's counters as Prometheus' text (exposition format 0.0.4): what a scraper reads from `--metrics`.
import type { Counters, MonitorSummary } from '../monitor/index.ts';

/** What only the one who runs the monitor knows. */
export interface RuntimeMetrics {
  /** Bytes. */
  readonly resident: number;
  readonly heap: number;
  /** Seconds between the last record's time and now; undefined before there is one. */
  readonly lag: number | undefined;
  /** Epoch seconds. */
  readonly started: number;
  /** Times that policies were exchanged. */
  readonly reloads: number;
}

/** Counters that are steps of one: [name, help, field, label of each]. */
const counters: readonly (readonly [
  string,
  string,
  readonly (readonly [label: string, field: keyof Counters])[],
])[] = [
  [
    'effigy_records_total',
    'Records read, by kind.',
    [
      ['kind="container"', 'containers'],
      ['kind="event"', 'events'],
      ['kind="flow"', 'flows'],
      ['kind="process"', 'processes'],
      ['kind="stream"', 'streams'],
    ],
  ],
  [
    'effigy_checked_total',
    'Events and flows by what became of them.',
    [
      ['result="watched"', 'watched'],
      ['result="prelude"', 'prelude'],
      ['result="foreign"', 'foreign'],
      ['result="unwatched"', 'unwatched'],
      ['result="unattributed"', 'unattributed'],
      ['result="absent"', 'absent'],
    ],
  ],
  [
    'effigy_drops_total',
    'Records that could not be used or not be judged in full, by why.',
    [
      ['why="lost"', 'lostRecords'],
      ['why="dropped"', 'dropped'],
      ['why="late"', 'late'],
      ['why="early"', 'early'],
      ['why="ahead"', 'ahead'],
      ['why="undecided"', 'undecided'],
    ],
  ],
  ['effigy_gaps_total', 'Times that the source said that records are lost.', [['', 'gaps']]],
  [
    'effigy_findings_total',
    'Findings, by whether they were told one by one.',
    [
      ['told="no"', 'unreported'],
      ['told="repeated"', 'repeated'],
      ['told="allowed"', 'allowed'],
    ],
  ],
];

export function printMetrics(summary: MonitorSummary, runtime: RuntimeMetrics): string {
  const out: string[] = [];
  const family = (name: string, type: 'counter' | 'gauge', help: string): void => {
    out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  };
  const sample = (name: string, labels: string, value: number): void => {
    out.push(`${name}${labels === '' ? '' : `{${labels}}`} ${Number.isFinite(value) ? value : 'NaN'}`);
  };
  for (const [name, help, rows] of counters) {
    family(name, 'counter', help);
    for (const [labels, field] of rows) sample(name, labels, summary.counters[field]);
    if (name === 'effigy_findings_total')
      sample(name, 'told="yes"', summary.counters.findings - summary.counters.unreported);
  }
  const gauge = (name: string, help: string, value: number, labels = ''): void => {
    family(name, 'gauge', help);
    sample(name, labels, value);
  };
  gauge('effigy_incidents', 'Incidents so far.', summary.incidents.length + summary.moreIncidents);
  gauge(
    'effigy_containers',
    'Containers that are watched.',
    summary.containers.filter(({ policy }) => policy !== undefined).length,
  );
  gauge('effigy_processes', 'Processes that are known.', summary.processes);
  gauge('effigy_tasks', 'Threads of watched processes that are known.', summary.tasks);
  gauge('effigy_pending', 'Records that wait for their verdict on order.', summary.pending);
  gauge('effigy_evicted_processes', 'Processes that were forgotten for want of room.', summary.evicted);
  gauge('effigy_lag_seconds', 'Age of the newest record.', runtime.lag ?? Number.NaN);
  gauge('effigy_policy_reloads', 'Times that policies were exchanged.', runtime.reloads);
  gauge('process_resident_memory_bytes', 'Resident memory.', runtime.resident);
  gauge('nodejs_heap_size_used_bytes', 'Used heap.', runtime.heap);
  gauge('process_start_time_seconds', 'Start of the process, epoch seconds.', runtime.started);
  return `${out.join('\n')}\n`;
}
