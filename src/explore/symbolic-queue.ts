// Decisions that wait to be turned around, the most promising first. What is promising changes while others are tried,
// so a cost is looked at again when its decision comes to the top.

interface Waiting<T> {
  readonly item: T;
  readonly order: number;
  cost: number;
}

/** A heap by cost, then by age. */
export class CostQueue<T> {
  private readonly heap: Waiting<T>[] = [];
  private readonly costOf: (item: T) => number;
  private next = 0;

  /** `costOf`: Infinity where the item is of no use any more. Costs only grow. */
  constructor(costOf: (item: T) => number) {
    this.costOf = costOf;
  }

  get length(): number {
    return this.heap.length;
  }

  push(item: T): void {
    const cost = this.costOf(item);
    if (cost !== Infinity) this.insert({ item, cost, order: this.next++ });
  }

  take(): T | undefined {
    for (let top = this.remove(); top !== undefined; top = this.remove()) {
      const now = this.costOf(top.item);
      if (now <= top.cost) return top.item;
      if (now === Infinity) continue;
      top.cost = now;
      this.insert(top);
    }
    return undefined;
  }

  clear(): void {
    this.heap.length = 0;
  }

  *items(): Iterable<T> {
    for (const { item } of this.heap) yield item;
  }

  private insert(one: Waiting<T>): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(one);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(one, heap[up])) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = one;
  }

  private remove(): Waiting<T> | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1], heap[down])) down++;
      if (!before(heap[down], last)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = last;
    return top;
  }
}

const before = <T>(a: Waiting<T>, b: Waiting<T>): boolean =>
  a.cost < b.cost || (a.cost === b.cost && a.order < b.order);
