// The nodes below some roots, children before parents. Since children have smaller numbers, ascending order will do.
import { ARITY, OP } from './ops.ts';
import type { NodeStore } from './store.ts';

const stampsOf = new WeakMap<NodeStore, { stamps: Int32Array; current: number }>();

/** All nodes that the roots consist of, roots included, each once, ascending. */
export function nodesBelow(s: NodeStore, roots: readonly number[]): number[] {
  let state = stampsOf.get(s);
  if (state === undefined || state.stamps.length < s.count) {
    state = { stamps: new Int32Array(s.heads.length), current: 0 };
    stampsOf.set(s, state);
  }
  const { stamps } = state;
  const current = ++state.current;
  const out: number[] = [];
  const visit = (e: number): void => {
    if (stamps[e] === current) return;
    stamps[e] = current;
    out.push(e);
  };
  for (const root of roots) visit(root);
  for (let i = 0; i < out.length; i++) {
    const e = out[i];
    const op = s.heads[e] & 0xff;
    const arity = ARITY[op];
    if (arity === 0) {
      if (op === OP.const && s.widthOf(e) > 64) {
        visit(s.as[e]);
        visit(s.bs[e]);
      }
      continue;
    }
    visit(s.as[e]);
    if (arity > 1) visit(s.bs[e]);
    if (arity > 2) visit(s.cs[e]);
  }
  return out.sort((a, b) => a - b);
}
