// Decisions that wait to be turned around, the most promising first. Those of one place cost alike, so each place has
// a line of its own, and only the first of each line is compared.

export interface Costs<T> {
  /** Of all items of a place; Infinity: of no use any more. */
  readonly base: (item: T) => number;
  /** Of this one beyond that; Infinity likewise. Never falls. */
  readonly extra: (item: T) => number;
}

interface Waiting<T> {
  readonly item: T;
  readonly order: number;
}

/** First in, first out. */
class Line<T> {
  private items: Waiting<T>[] = [];
  private at = 0;

  get first(): Waiting<T> | undefined {
    return this.items[this.at];
  }

  push(one: Waiting<T>): void {
    this.items.push(one);
  }

  shift(): void {
    this.at++;
    if (this.at < 64 || this.at * 2 < this.items.length) return;
    this.items = this.items.slice(this.at);
    this.at = 0;
  }

  *waiting(): Iterable<T> {
    for (let i = this.at; i < this.items.length; i++) yield this.items[i].item;
  }
}

interface Place<T> {
  /** Those that cost nothing extra when they were last looked at, and the others. */
  readonly plain: Line<T>;
  readonly dear: Line<T>;
}

export class PlaceQueue<T> {
  private readonly places = new Map<number, Place<T>>();
  private readonly costs: Costs<T>;
  private next = 0;

  constructor(costs: Costs<T>) {
    this.costs = costs;
  }

  push(place: number, item: T): void {
    let lines = this.places.get(place);
    if (lines === undefined) {
      lines = { plain: new Line(), dear: new Line() };
      this.places.set(place, lines);
    }
    lines.plain.push({ item, order: this.next++ });
  }

  /** The cheapest, of equals the oldest; undefined where all cost as much as the limit. */
  take(limit = Infinity): T | undefined {
    let best: Waiting<T> | undefined;
    let from: Line<T> | undefined;
    let least = limit;
    for (const [place, lines] of this.places) {
      const line = this.ahead(lines);
      const first = line?.first;
      if (line === undefined || first === undefined) {
        this.places.delete(place);
        continue;
      }
      const cost = this.costs.base(first.item) + this.costs.extra(first.item);
      if (cost > least || (cost === least && (best === undefined || first.order > best.order))) continue;
      [best, from, least] = [first, line, cost];
    }
    from?.shift();
    return best?.item;
  }

  /** The line whose first is the place's next; undefined where nothing of use waits there. */
  private ahead({ plain, dear }: Place<T>): Line<T> | undefined {
    const { base, extra } = this.costs;
    for (let one = plain.first; one !== undefined; one = plain.first) {
      const more = base(one.item) + extra(one.item) === Infinity ? Infinity : extra(one.item);
      if (more === 0) return plain;
      plain.shift();
      if (more !== Infinity) dear.push(one);
    }
    for (let one = dear.first; one !== undefined; one = dear.first) {
      if (base(one.item) + extra(one.item) !== Infinity) return dear;
      dear.shift();
    }
    return undefined;
  }

  clear(): void {
    this.places.clear();
  }

  *items(): Iterable<T> {
    for (const { plain, dear } of this.places.values()) {
      yield* plain.waiting();
      yield* dear.waiting();
    }
  }
}
