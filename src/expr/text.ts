// Expressions as text: `(add byte0 0x5:8)`. Nodes that occur more than once below a root are named `$1`, `$2` … where
// they first occur (`$1=(…)`), so that the text of a shared graph stays as small as the graph.
import type { Expressions } from './expressions.ts';
import { ARITY, type Expression, OP, OPERATIONS } from './ops.ts';
import { nodesBelow } from './order.ts';

/** A printed text stops here; deeper or larger expressions end in `…`. */
const MOST_NODES = 4096;

export function textOf(x: Expressions, root: Expression): string {
  const { nodes } = x;
  const uses = new Map<number, number>();
  const below = nodesBelow(nodes, [root]);
  if (below.length > MOST_NODES) return `(… ${below.length} nodes of ${x.width(root)} bits)`;
  for (const e of below) {
    for (let i = 0; i < ARITY[nodes.opOf(e)]; i++)
      uses.set(x.child(e, i), (uses.get(x.child(e, i)) ?? 0) + 1);
  }
  const named = new Map<number, number>();
  const print = (e: Expression): string => {
    const op = nodes.opOf(e);
    if (op === OP.const) return `0x${x.value(e).toString(16)}:${x.width(e)}`;
    if (op === OP.variable) return nodes.variablesByNumber[nodes.as[e]].name;
    const known = named.get(e);
    if (known !== undefined) return `$${known}`;
    let label = '';
    if ((uses.get(e) ?? 0) > 1) {
      named.set(e, named.size + 1);
      label = `$${named.size}=`;
    }
    return `${label}(${[...headOf(x, e), ...childrenOf(x, e).map(print)].join(' ')})`;
  };
  return print(root);
}

function childrenOf(x: Expressions, e: Expression): Expression[] {
  return Array.from({ length: ARITY[x.op(e)] }, (_, i) => x.child(e, i));
}

function headOf(x: Expressions, e: Expression): string[] {
  const op = x.op(e);
  const name = OPERATIONS[op][0];
  if (op === OP.zext || op === OP.sext) return [`${name}${x.width(e)}`];
  if (op === OP.extract) return [`${name}${x.nodes.auxOf(e)}+${x.width(e)}`];
  if (op === OP.table) return [`${name}${x.width(e)}[${x.tableEntries(e).join(',')}]`];
  return [name];
}
