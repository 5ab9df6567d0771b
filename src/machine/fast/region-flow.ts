// Where blocks of a region go on, and what is known of the pending flags there. What is read off the intermediate
// representation only: no code is written here.
import { IR, JUMP_KINDS, WORDS } from '../../isa/index.ts';
import { isConst, keepsFlags } from './analysis.ts';
import type { StreamBlock } from './core.ts';
import { analyseGraph, type Graph } from './graph.ts';

/** The address that a value is, where it is a constant in user space. */
export function constantAddress(code: Int32Array, value: number): number | undefined {
  if (!isConst(code, value) || code[value * WORDS + 2] >>> 0 >= 0x8000) return undefined;
  return (code[value * WORDS + 2] >>> 0) * 2 ** 32 + (code[value * WORDS + 1] >>> 0);
}

/** Values that a block may go on at; an `exit` only stands in its last instruction. */
export function targetsOf(code: Int32Array): number[] {
  const at = code.length - WORDS;
  const op = code[at] & 0xff;
  const values = op === IR.jump ? [code[at + 1]] : op === IR.branch ? [code[at + 2], code[at + 3]] : [];
  for (let i = 0; i < at; i += WORDS) if ((code[i] & 0xff) === IR.exit) values.push(code[i + 2]);
  return values;
}

/** Direct successors of a block, by address. */
export function successorsOf(block: StreamBlock): number[] {
  return targetsOf(block.code).flatMap((value) => constantAddress(block.code, value) ?? []);
}

/** The value is where an `exit` in the block's midst goes. */
export function leavesEarly(code: Int32Array, value: number): boolean {
  for (let at = 0; at < code.length - WORDS; at += WORDS)
    if ((code[at] & 0xff) === IR.exit && code[at + 2] === value) return true;
  return false;
}

/** Pending flags after a block, given those before. */
export function flagsAfter(code: Int32Array, before: number): number {
  let known = before;
  for (let at = 0; at < code.length; at += WORDS) {
    const op = code[at] & 0xff;
    if (op === IR.flags) known = keepsFlags(code, at) ? -1 : (code[at] >>> 16) | (code[at] & 0xff00);
    else if (op === IR.setf || op === IR.setrflags) known = -1;
  }
  return known;
}

/** What ends a block, where that is a jump. */
export function jumpKind(code: Int32Array): (typeof JUMP_KINDS)[number] | undefined {
  const head = code[code.length - WORDS];
  return (head & 0xff) === IR.jump ? JUMP_KINDS[head >>> 16] : undefined;
}

/** Where a block that ends in a call is returned to. */
export function returnSite(block: StreamBlock): number | undefined {
  const kind = jumpKind(block.code);
  return kind === 'call' || kind === 'indirect-call' ? block.address + block.length : undefined;
}

/** How a region is gone through: nodes are 1 + the number of a block, 0 is the switch over the entries. */
export interface Flow {
  readonly graph: Graph;
  /** Nodes where it may be entered, from outside and by jumps to an address that is computed. */
  readonly entries: readonly number[];
  /** By node that ends in a return: nodes that it is likely to go to. */
  readonly returns: ReadonlyMap<number, readonly number[]>;
}

/** Return sites that a return is compared with one by one. */
const COMPARED = 4;

/** `seeds`: numbers of the blocks where the region is to be entered. */
export function flowOf(
  blocks: readonly StreamBlock[],
  seeds: readonly number[],
  index: ReadonlyMap<number, number>,
): Flow {
  const direct = [
    [],
    ...blocks.map((block) => successorsOf(block).flatMap((address) => index.get(address) ?? [])),
  ];
  const sites = [0, ...blocks.map((block) => index.get(returnSite(block) ?? -1) ?? 0)];
  const calls = [false, ...blocks.map((block) => returnSite(block) !== undefined)];
  const isReturn = [false, ...blocks.map((block) => jumpKind(block.code) === 'ret')];
  const entries = new Set(seeds.map((seed) => seed + 1));
  const found = new Map<number, Set<number>>();
  for (let node = 1; node < direct.length; node++) {
    if (sites[node] === 0) continue;
    const ends = direct[node].flatMap((callee) => returnsOf(callee, direct, calls, sites, isReturn));
    if (ends.length === 0) entries.add(sites[node]);
    for (const end of ends) {
      const known = found.get(end);
      if (known === undefined) found.set(end, new Set([sites[node]]));
      else known.add(sites[node]);
    }
  }
  const returns = new Map<number, readonly number[]>();
  for (const [end, to] of found) {
    if (to.size <= COMPARED) returns.set(end, [...to]);
    else for (const site of to) entries.add(site);
  }
  const successors = direct.map((to, node) => [...new Set([...to, ...(returns.get(node) ?? [])])]);
  return { ...analyseGraph(successors, [...entries]), returns };
}

/** Returns that code from a node on ends in, calls on the way being stepped over. */
function returnsOf(
  from: number,
  direct: readonly (readonly number[])[],
  calls: readonly boolean[],
  sites: readonly number[],
  isReturn: readonly boolean[],
): number[] {
  const seen = new Set([from]);
  const out: number[] = [];
  for (const node of seen) {
    if (isReturn[node]) out.push(node);
    for (const to of calls[node] ? (sites[node] === 0 ? [] : [sites[node]]) : direct[node]) seen.add(to);
  }
  return out;
}
