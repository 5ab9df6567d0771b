// A progress bar on standard error, where that is a terminal; nothing elsewhere.
import { SingleBar } from 'cli-progress';

export interface Progress {
  /** `step` names what is being done; a new step starts a new bar. */
  update(step: string, done: number, total: number): void;
  /** Takes the bar away. Needed before anything else is written. */
  stop(): void;
}

const silent: Progress = { update() {}, stop() {} };

/** `title` stands before the step. */
export function createProgress(title: string): Progress {
  if (process.stderr.isTTY !== true) return silent;
  const bar = new SingleBar({
    format: `${title}: {step} [{bar}] {percentage}%`,
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  });
  let current: string | undefined;
  return {
    update(step, done, total) {
      if (current === undefined) bar.start(total, done, { step });
      else if (current !== step) bar.setTotal(total);
      current = step;
      bar.update(done, { step });
    },
    stop() {
      if (current !== undefined) bar.stop();
      current = undefined;
    },
  };
}
