// How many findings of one container are told one by one. An attack that goes on for days, through ever new processes
// and files, must not bury what else happens, nor fill the disk of whoever keeps the findings: after a burst the rest
// is counted only. What is new in its kind is always told.

/** Findings at once, and how long it takes until one more may be told, in ns of telemetry time. */
const burst = 500;
const every = 60e9;

export interface Bucket {
  tokens: number;
  since: number;
  readonly told: Set<string>;
}

export class Throttle {
  /** By container. */
  readonly buckets = new Map<string, Bucket>();

  /** `sort`: findings of one sort are alike; there must be few sorts. */
  passes(container: string, sort: string, time: number): boolean {
    let bucket = this.buckets.get(container);
    if (bucket === undefined)
      this.buckets.set(container, (bucket = { tokens: burst, since: time, told: new Set() }));
    if (time > bucket.since) {
      const gained = Math.floor((time - bucket.since) / every);
      bucket.tokens = Math.min(burst, bucket.tokens + gained);
      bucket.since = bucket.tokens === burst ? time : bucket.since + gained * every;
    }
    if (bucket.tokens > 0) bucket.tokens--;
    else if (bucket.told.has(sort)) return false;
    bucket.told.add(sort);
    return true;
  }
}
