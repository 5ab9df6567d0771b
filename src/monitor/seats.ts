// Tasks by small numbers, for rows of numbers that are about them: a seat is a task and what it was when (its segment).
// It is taken as long as something waits that names it.
import type { Segment, Task } from './tables.ts';

export class Seat {
  readonly task: Task;
  readonly segment: Segment | undefined;
  /** -1: nobody needs it. */
  id = -1;
  /** Rows that name it. */
  rows = 0;

  constructor(task: Task, segment: Segment | undefined) {
    this.task = task;
    this.segment = segment;
  }
}

export class Seats {
  private taken: (Seat | undefined)[] = [];
  private free: number[] = [];

  at(id: number): Seat {
    return this.taken[id] as Seat;
  }

  /** For one row. */
  take(task: Task, segment: Segment | undefined): Seat {
    let { seat } = task;
    if (seat === undefined || seat.segment !== segment) task.seat = seat = new Seat(task, segment);
    if (seat.rows++ === 0) {
      const { free } = this;
      seat.id = free.length > 0 ? (free.pop() as number) : this.taken.length;
      this.taken[seat.id] = seat;
    }
    return seat;
  }

  release(seat: Seat): void {
    if (--seat.rows > 0) return;
    this.taken[seat.id] = undefined;
    this.free.push(seat.id);
    seat.id = -1;
  }
}
