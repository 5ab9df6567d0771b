// The control flow of a region, and the order that lets WebAssembly's structured control express it (Ramsey, "Beyond
// Relooper", ICFP 2022): reverse postorder, dominators, loop headers, merge nodes. Node 0 stands for a switch over the
// ways in; where a loop has more than one, all but the first become ways in as well.

export interface Graph {
  /** By node: reverse postorder number, -1 where not reached; 0 is the switch. */
  readonly order: Int32Array;
  /** Children in the dominator tree that more than one forward edge leads to, last in order first. */
  readonly merges: readonly (readonly number[])[];
  readonly isLoop: Uint8Array;
  readonly isMerge: Uint8Array;
  /** Nodes reached, in reverse postorder. */
  readonly sequence: readonly number[];
  dominates(a: number, b: number): boolean;
}

/**
 * The graph of nodes 1.. with these successors, entered at `entries`. What a jump back goes to without being above it
 * is one more entry.
 */
export function analyseGraph(
  successors: readonly (readonly number[])[],
  entries: readonly number[],
): { readonly graph: Graph; readonly entries: readonly number[] } {
  const ways = [...entries];
  for (;;) {
    const graph = structure([ways, ...successors.slice(1)]);
    const more = new Set<number>();
    for (const node of graph.sequence) {
      if (node === 0) continue;
      for (const to of successors[node])
        if (graph.order[to] <= graph.order[node] && !ways.includes(to) && !graph.dominates(to, node))
          more.add(to);
    }
    if (more.size === 0) return { graph, entries: ways };
    ways.push(...more);
  }
}

function structure(successors: readonly (readonly number[])[]): Graph {
  const n = successors.length;
  const sequence = reversePostorder(successors);
  const order = new Int32Array(n).fill(-1);
  sequence.forEach((node, i) => {
    order[node] = i;
  });
  const predecessors: number[][] = Array.from({ length: n }, () => []);
  for (const node of sequence) for (const next of successors[node]) predecessors[next].push(node);
  const idom = dominators(sequence, order, predecessors);
  const dominates = (a: number, b: number): boolean => {
    let node = b;
    while (order[node] > order[a]) node = idom[node];
    return node === a;
  };
  const isLoop = new Uint8Array(n);
  const isMerge = new Uint8Array(n);
  for (const node of sequence) {
    let forward = 0;
    for (const p of predecessors[node]) {
      if (order[p] < order[node]) forward++;
      else if (dominates(node, p)) isLoop[node] = 1;
    }
    if (forward > 1) isMerge[node] = 1;
  }
  if (successors[0].length > 1) {
    isLoop[0] = 1;
    for (const node of successors[0]) isMerge[node] = 1;
  }
  const merges: number[][] = Array.from({ length: n }, () => []);
  for (const node of sequence) if (node !== 0 && isMerge[node] !== 0) merges[idom[node]].unshift(node);
  return { order, merges, isLoop, isMerge, sequence, dominates };
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const seen = new Uint8Array(successors.length);
  const out: number[] = [];
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  seen[0] = 1;
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const to = successors[top.node][top.next++];
    if (to === undefined) {
      out.push(top.node);
      stack.pop();
    } else if (seen[to] === 0) {
      seen[to] = 1;
      stack.push({ node: to, next: 0 });
    }
  }
  return out.reverse();
}

/** Immediate dominators (Cooper, Harvey, Kennedy). */
function dominators(
  sequence: readonly number[],
  order: Int32Array,
  predecessors: readonly (readonly number[])[],
): Int32Array {
  const idom = new Int32Array(order.length).fill(-1);
  idom[0] = 0;
  const intersect = (x: number, y: number): number => {
    let [a, b] = [x, y];
    while (a !== b) {
      while (order[a] > order[b]) a = idom[a];
      while (order[b] > order[a]) b = idom[b];
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of sequence) {
      if (node === 0) continue;
      let best = -1;
      for (const p of predecessors[node]) {
        if (idom[p] < 0) continue;
        best = best < 0 ? p : intersect(best, p);
      }
      if (idom[node] !== best) {
        idom[node] = best;
        changed = true;
      }
    }
  }
  return idom;
}
