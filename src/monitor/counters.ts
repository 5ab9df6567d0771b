// Exact counts of what was read and what became of it.

export interface Counters {
  /** Observations of every kind. */
  observations: number;
  streams: number;
  containers: number;
  processes: number;
  events: number;
  flows: number;
  /** Events and flows of watched containers. */
  watched: number;
  /** Of those: before the entrypoint was executed. */
  prelude: number;
  /** Of those: by foreign processes, counted in an incident. */
  foreign: number;
  /** Events and flows of containers without a policy, and of the host. */
  unwatched: number;
  /** Of those: of the host. */
  host: number;
  /** Events and flows of processes that were never announced, or so long ago that they are forgotten. */
  unattributed: number;
  /** Attempts on files that the policy does not have and that were not there. */
  absent: number;
  /** Arrived after their time had been judged: checked at once, but not in order. */
  late: number;
  /** With a time far ahead of all others: judged as of the time when they came. */
  ahead: number;
  /** Judged before everything earlier could have arrived, because too much was waiting. */
  early: number;
  /** Steps out of a thread's own order that another thread of its process could take then. */
  shared: number;
  /** Verdicts on order that were not given because records may be missing. */
  undecided: number;
  /** Records that the source could not use, and how often it said so. */
  lostRecords: number;
  gaps: number;
  /** Observations that were waiting for their process or container and had to be dropped. */
  dropped: number;
  findings: number;
  /** Of those: not told one by one, because there were too many. */
  unreported: number;
  /** Processes and threads that nothing in the policy explains, with `fail: 'open'`. */
  unknown: number;
  /** What would have been a finding, but for an amendment. */
  allowed: number;
  /** Findings again, not counting the first time. */
  repeated: number;
}

export const newCounters = (): Counters => ({
  observations: 0,
  streams: 0,
  containers: 0,
  processes: 0,
  events: 0,
  flows: 0,
  watched: 0,
  prelude: 0,
  foreign: 0,
  unwatched: 0,
  host: 0,
  unattributed: 0,
  absent: 0,
  late: 0,
  ahead: 0,
  early: 0,
  shared: 0,
  undecided: 0,
  lostRecords: 0,
  gaps: 0,
  dropped: 0,
  findings: 0,
  unreported: 0,
  unknown: 0,
  allowed: 0,
  repeated: 0,
});
