// Where a search on symbolic inputs stops short, by program point: branches whose other side was not tried, values that
// runs went on with as they were, values that no expression could be kept of, paths that may lead elsewhere.
import type { EffectEvent } from '../linux/index.ts';
import type { ConstraintKind } from '../machine/index.ts';
import type { SymbolicCut } from './explorer.ts';
import type { Loss } from './symbolic-path.ts';

/** What a run goes on with as it is, in words. */
const PINNED: Readonly<Record<Exclude<ConstraintKind, 'branch'>, string>> = {
  address: 'address from input',
  place: 'place in input',
  jump: 'jump target from input',
};

export class SymbolicCuts {
  private readonly losses = new Map<string, Loss>();
  private readonly climbing = new Map<string, EffectEvent>();
  /** By kind and address: the calls there of which other values may be left. */
  private readonly pinned = new Map<
    string,
    { readonly kind: ConstraintKind; readonly at: number; readonly open: Set<number> }
  >();
  private readonly fixed = new Set<number>();
  private dropped = 0;

  lost(losses: Iterable<Loss>): void {
    for (const loss of losses) {
      const key = `${loss.at} ${loss.what}`;
      const known = this.losses.get(key);
      if (known === undefined) this.losses.set(key, { ...loss });
      else known.count += loss.count;
    }
  }

  /** A branch that the environment decides on. */
  environment(at: number): void {
    this.fixed.add(at);
  }

  /** Decisions of a run beyond those that are noted. */
  beyond(count: number): void {
    this.dropped += count;
  }

  /** A path may lead out of its directory. */
  climbs(event: EffectEvent): void {
    const [frame] = event.stack;
    this.climbing.set(`${event.syscall} ${frame?.module} ${frame?.offset}`, event);
  }

  /** A run went on with a value as it was; `call` tells calls of the place apart. */
  pins(kind: ConstraintKind, at: number, call: number): void {
    const key = `${kind} ${at}`;
    const known = this.pinned.get(key);
    if (known === undefined) this.pinned.set(key, { kind, at, open: new Set([call]) });
    else known.open.add(call);
  }

  /** By name: how often something was lost. */
  lossCounts(): ReadonlyMap<string, number> {
    const out = new Map<string, number>();
    for (const { what, count } of this.losses.values()) out.set(what, (out.get(what) ?? 0) + count);
    return out;
  }

  /** `branches`: addresses of those whose other side was not tried. `isSettled`: no value of the call is left. */
  all(branches: Iterable<number>, isSettled: (call: number) => boolean): readonly SymbolicCut[] {
    const out: SymbolicCut[] = [];
    const budget = (what: string, consequence: string, at: SymbolicCut['at']): void => {
      out.push({ kind: 'budget', what, consequence, at });
    };
    for (const at of branches) budget('branch on input', 'its other side was not tried', at);
    for (const at of this.fixed)
      budget('branch on the environment', 'time, process numbers, random bytes, peers: as they are here', at);
    for (const { kind, at, open } of this.pinned.values())
      if (kind !== 'branch' && [...open].some((call) => !isSettled(call)))
        budget(PINNED[kind], 'runs went on with the values that they had; not all others were tried', at);
    if (this.dropped > 0)
      budget('decisions on input', 'those of long runs beyond a limit were not turned around', undefined);
    for (const { what, at } of this.losses.values())
      out.push({
        kind: 'instruction',
        what: `${what} on input`,
        consequence: 'what depends on its result was not turned around',
        at,
      });
    for (const { syscall, stack } of this.climbing.values())
      out.push({
        kind: 'environment',
        what: `path of ${syscall} from input`,
        consequence: '`..` can lead out of the directory; the model has what is below it only',
        at: stack[0],
      });
    return out;
  }
}
