// Times far ahead. One record with a wrong time must not move the monitor's clock: all that waits would be judged before
// what belongs before it has come, and everything after it would be late. So a record whose time is far ahead of the
// last one's is held until the next ones have come: where these agree with it, time has passed (a quiet night); where
// they don't, it was wrong, and is judged as of now. What is far ahead of the wall clock, where there is one, is wrong
// whatever its neighbours say.
import type { Observation } from '../telemetry/index.ts';
import type { Core } from './core.ts';
import type { Moment } from './tables.ts';

/** How far ahead of the last record a time may be, in ns; and of the wall clock. */
export const farAhead = 900e9;
/** Records that must agree with each other before they move the clock. */
const agreeing = 3;

export type Timed = Extract<Observation, { kind: 'event' | 'flow' }>;

function timeOf(observation: Timed): bigint {
  if (observation.kind === 'event') return observation.time;
  const { start, end } = observation;
  if (start > end) return start;
  return end;
}

export class Ahead {
  private readonly core: Core;
  private readonly judge: (observation: Timed) => void;
  private readonly wall: (() => bigint) | undefined;
  private held: Timed[] = [];

  /** `judge` takes observations whose time is right; `wall`: epoch ns now. */
  constructor(core: Core, judge: (observation: Timed) => void, wall: (() => bigint) | undefined) {
    this.core = core;
    this.judge = judge;
    this.wall = wall;
  }

  get waits(): boolean {
    return this.held.length > 0;
  }

  /** Whether a time is one to be careful with. */
  is(moment: Moment): boolean {
    return moment > this.core.now + farAhead && this.core.now !== Number.NEGATIVE_INFINITY;
  }

  beyondWall(observation: Timed): boolean {
    return this.wall !== undefined && timeOf(observation) > this.wall() + BigInt(farAhead);
  }

  /** Of such an observation. */
  hold(observation: Timed): void {
    const { held } = this;
    if (this.beyondWall(observation)) {
      this.wrong(observation);
      return;
    }
    held.push(observation);
    if (held.length >= agreeing) this.release();
  }

  /** A record of now came after those that are held: they were wrong. */
  refuse(): void {
    for (const observation of this.held.splice(0)) this.wrong(observation);
  }

  /** They are right, or nothing more comes that could tell. */
  release(): void {
    for (const observation of this.held.splice(0)) this.judge(observation);
  }

  private wrong(observation: Timed): void {
    const { core } = this;
    core.counters.ahead++;
    core.note({ kind: 'ahead', time: timeOf(observation), pid: observation.task.process.pid });
    const now = core.clock.time(core.now);
    const least = (time: bigint): bigint => (time < now ? time : now);
    if (observation.kind === 'event') this.judge({ ...observation, time: least(observation.time) });
    else this.judge({ ...observation, start: least(observation.start), end: least(observation.end) });
  }
}
