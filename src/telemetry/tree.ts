// The tree of processes of a trace, what each did folded below it: one line for all that it did with one thing. Bounded:
// of very many processes and things the rest is counted.
import { printable } from '../bytes/index.ts';
import type { Op } from '../effect/index.ts';
import { endsOf } from './fields.ts';
import { type Observation, type ProcessId, type ProcessInfo, processKey } from './observation.ts';
import { entityText, opsText } from './row-text.ts';
import { type Row, RowBook } from './rows.ts';

const mostProcesses = 100_000;
const mostEntities = 500;

interface Folded {
  readonly row: Row;
  readonly entity: string;
  readonly ops: Set<Op>;
  count: number;
  read: number;
  written: number;
}

interface Node {
  readonly id: ProcessId;
  info: ProcessInfo | undefined;
  /** Programs in turn. */
  readonly programs: string[];
  readonly effects: Map<string, Folded>;
  more: number;
  readonly children: Node[];
}

export class ProcessTree {
  private readonly book = new RowBook();
  private readonly nodes = new Map<string, Node>();
  private more = 0;

  /** `wanted`: whether a record is to be in it. */
  add(observation: Observation, wanted: (row: Row) => boolean): void {
    const row = this.book.row(observation);
    if (observation.kind === 'process') this.meet(observation.process);
    if (row === undefined || !wanted(row)) return;
    const node = this.node(
      observation.kind === 'event' || observation.kind === 'flow' ? observation.task.process : undefined,
    );
    if (node !== undefined) fold(node, row);
  }

  private meet(info: ProcessInfo): void {
    const node = this.node(info.id);
    if (node === undefined) return;
    node.info = info;
    const program = info.args === '' ? info.exe : `${info.exe} ${info.args}`;
    if (node.programs.at(-1) !== program && node.programs.length < 16) node.programs.push(program);
  }

  private node(id: ProcessId | undefined): Node | undefined {
    if (id === undefined) return undefined;
    const key = processKey(id);
    let node = this.nodes.get(key);
    if (node === undefined) {
      if (this.nodes.size >= mostProcesses) {
        this.more++;
        return undefined;
      }
      node = { id, info: undefined, programs: [], effects: new Map(), more: 0, children: [] };
      this.nodes.set(key, node);
    }
    return node;
  }

  /** Lines of all processes; with `bare` also of those that did nothing that is wanted, nor their children. */
  *lines(bare: boolean): Generator<string> {
    const roots: Node[] = [];
    for (const node of this.nodes.values()) node.children.length = 0;
    for (const node of this.nodes.values()) {
      const parent =
        node.info?.parent === undefined ? undefined : this.nodes.get(processKey(node.info.parent));
      // A process without a creation time may seem to be its own ancestor.
      if (parent === undefined || isAbove(node, parent, this.nodes)) roots.push(node);
      else parent.children.push(node);
    }
    const shown = bare ? undefined : withEffects(roots);
    const work = roots.map((node) => ({ node, depth: 0 })).reverse();
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      const { node, depth } = at;
      if (shown !== undefined && !shown.has(node)) continue;
      yield* this.linesOf(node, '  '.repeat(Math.min(depth, 40)));
      for (const child of [...node.children].reverse()) work.push({ node: child, depth: depth + 1 });
    }
    if (this.more > 0) yield `(${this.more} records of further processes)`;
  }

  private *linesOf(node: Node, indent: string): Generator<string> {
    const { info } = node;
    const container =
      info === undefined || info.containerId === '' ? undefined : this.book.container(info.containerId);
    const where =
      info === undefined || info.containerId === ''
        ? ''
        : ` [${printable(container?.name || info.containerId)}]`;
    const user = info === undefined || info.user === '' ? '' : ` ${printable(info.user)}`;
    yield `${indent}${node.id.pid}${user}${where} ${node.programs.map(printable).join(' => ') || '?'}`;
    for (const { row, entity, ops, count, read, written } of node.effects.values()) {
      const bytes = `${read > 0 ? ` read ${read}` : ''}${written > 0 ? ` written ${written}` : ''}`;
      const times = count > 1 ? ` ×${count}` : '';
      const what = [row.type, opsText({ ...row, ops: [...ops] }), entity].filter((text) => text !== '');
      yield `${indent}    ${what.join(' ')}${times}${bytes}`;
    }
    if (node.more > 0) yield `${indent}    (${node.more} more records)`;
  }
}

function fold(node: Node, row: Row): void {
  const entity = foldedEntity(row);
  // What stands alone as an event keeps its operation; flows on one thing are one line.
  const key =
    row.type === 'PE' || row.type === 'FE'
      ? `${row.type} ${row.ops.join()} ${entity}`
      : `${row.type} ${entity}`;
  let folded = node.effects.get(key);
  if (folded === undefined) {
    if (node.effects.size >= mostEntities) {
      node.more++;
      return;
    }
    folded = { row, entity, ops: new Set(), count: 0, read: 0, written: 0 };
    node.effects.set(key, folded);
  }
  folded.count++;
  for (const op of row.ops) folded.ops.add(op);
  const { observation } = row;
  if (observation.kind !== 'flow') return;
  folded.read += observation.bytesRead;
  folded.written += observation.bytesWritten;
}

/** Clients' ports are drawn anew each time: left out. */
function foldedEntity(row: Row): string {
  const ends = endsOf(row);
  if (ends === undefined) return entityText(row);
  const { source, destination } = ends;
  return `${source.address}-${destination.address}:${destination.port}`;
}

function isAbove(node: Node, from: Node, nodes: ReadonlyMap<string, Node>): boolean {
  let each: Node | undefined = from;
  for (let n = 0; each !== undefined && n < 1000; n++) {
    if (each === node) return true;
    const parent: ProcessId | undefined = each.info?.parent;
    each = parent === undefined ? undefined : nodes.get(processKey(parent));
  }
  return each !== undefined;
}

/** Nodes that have effects, and those above them. */
function withEffects(roots: readonly Node[]): ReadonlySet<Node> {
  const shown = new Set<Node>();
  const order: Node[] = [];
  const work = [...roots];
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    order.push(node);
    work.push(...node.children);
  }
  for (const node of order.reverse())
    if (node.effects.size > 0 || node.children.some((child) => shown.has(child))) shown.add(node);
  return shown;
}
