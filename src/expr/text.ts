// Expressions as text: `(add byte0 0x5:8)`. Nodes that occur more than once below a root are named `$1`, `$2` … where
// they first occur (`$1=(…)`), so that the text of a shared graph stays as small as the graph. `parseText` reads the
// same form, by the builders, into a store that has the variables.
import { InputError } from '../bytes/index.ts';
import type { Expressions } from './expressions.ts';
import { ARITY, type Expression, OP, OPERATIONS } from './ops.ts';
import { nodesBelow } from './order.ts';
import { build } from './substitute.ts';

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

const TOKEN = /\s*(\$\d+=\(|\(|\)|[^\s()]+)/y;

/** The expression that a text says; an InputError where it is none, or names a variable that the store has not. */
export function parseText(x: Expressions, text: string): Expression {
  const named = new Map<string, Expression>();
  let at = 0;
  const fail = (what: string): never => {
    throw new InputError(what, `expression, character ${at + 1}`);
  };
  const next = (): string => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text) ?? fail('the text ends too early');
    at = TOKEN.lastIndex;
    return match[1];
  };
  const read = (token: string): Expression => {
    if (token === ')') fail('no expression before )');
    if (!token.endsWith('(')) return named.get(token) ?? leaf(x, token) ?? fail(`unknown name ${token}`);
    const head = next();
    const children: Expression[] = [];
    for (let inner = next(); inner !== ')'; inner = next()) children.push(read(inner));
    const made = node(x, head, children) ?? fail(`no operation ${head} of ${children.length} operands`);
    if (token !== '(') named.set(token.slice(0, -2), made);
    return made;
  };
  const out = read(next());
  if (text.slice(at).trim() !== '') fail('the text goes on after the expression');
  return out;
}

function leaf(x: Expressions, token: string): Expression | undefined {
  const constant = /^(0x[0-9a-f]+):(\d+)$/.exec(token);
  if (constant !== null) return x.constantBig(Number(constant[2]), BigInt(constant[1]));
  return x.variableNamed(token);
}

/** Operations with numbers in their names: the width, or bit and width, or width and entries. */
const HEAD = /^([a-z]+?)(\d+)?(?:\+(\d+))?(?:\[([\d,]+)\])?$/;

function node(x: Expressions, head: string, children: readonly Expression[]): Expression | undefined {
  const match = HEAD.exec(head);
  const op = OPERATIONS.findIndex(([name]) => name === match?.[1]);
  if (match === null || op < 0 || ARITY[op] === 0 || ARITY[op] !== children.length) return undefined;
  const [, , first, second, entries] = match;
  const shape = {
    op,
    width: Number(second ?? first ?? 0),
    at: Number(first ?? 0),
    table: entries === undefined ? [] : entries.split(',').map(BigInt),
  };
  return build(x, shape, (i) => children[i]);
}
