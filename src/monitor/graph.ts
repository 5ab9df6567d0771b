// Objects that refer to each other as text, and back: what snapshots are made of. Identity is kept (two references to
// one object stay that), order is kept (of maps, sets and the objects themselves, so that one state has one text), and
// nothing is trusted when reading: only classes that are named, with exactly their fields.
//
//   number, string, boolean, null (undefined) as they are · [n] object n · ["123"] bigint · ["d", "Infinity"] number
//
// Each object is a list that begins with its kind: A array, M map, S set, I Int32Array, O plain object (names of its
// fields, then values), X something outside (`outside`), else the name of a class.
import { InputError } from '../bytes/index.ts';

export interface GraphClass {
  readonly prototype: object;
  /** Fields that are not written; they are set by whoever reads. */
  readonly without: readonly string[];
  /** An object as its constructor leaves it, for its fields' names and what was not written. */
  readonly make: () => object;
}

export interface GraphOptions {
  readonly classes: Readonly<Record<string, GraphClass>>;
  /** Fields of plain objects that are not written. */
  readonly without: ReadonlySet<string>;
  /** Text for an object that is not written but found again by `inside`; undefined for all others. */
  readonly outside: (object: object) => string | undefined;
  readonly inside: (text: string) => object;
}

type Value = null | string | number | boolean | readonly [number | string] | readonly ['d', string];
export type GraphNode = readonly [string, ...unknown[]];

export function writeGraph(root: object, options: GraphOptions): GraphNode[] {
  const numbers = new Map<object, number>();
  const work: object[] = [];
  const names = new Map(Object.entries(options.classes).map(([name, { prototype }]) => [prototype, name]));
  const value = (each: unknown): Value => {
    switch (typeof each) {
      case 'undefined':
        return null;
      case 'bigint':
        return [String(each)];
      case 'number':
        return Number.isFinite(each) && !Object.is(each, -0)
          ? each
          : ['d', Object.is(each, -0) ? '-0' : String(each)];
      case 'string':
      case 'boolean':
        return each;
      case 'object': {
        if (each === null) return null;
        let number = numbers.get(each);
        if (number === undefined) {
          number = work.push(each) - 1;
          numbers.set(each, number);
        }
        return [number];
      }
      default:
        throw new Error(`internal error: a ${typeof each} in a snapshot`);
    }
  };
  const node = (object: object): GraphNode => {
    const text = options.outside(object);
    if (text !== undefined) return ['X', text];
    if (Array.isArray(object)) return ['A', ...object.map(value)];
    if (object instanceof Map)
      return ['M', ...[...object].flatMap(([key, each]) => [value(key), value(each)])];
    if (object instanceof Set) return ['S', ...[...object].map(value)];
    if (object instanceof Int32Array) return ['I', ...object];
    const name = names.get(Object.getPrototypeOf(object));
    if (name === undefined) {
      if (Object.getPrototypeOf(object) !== Object.prototype)
        throw new Error(`internal error: a ${object.constructor.name} in a snapshot`);
      const entries = Object.entries(object).filter(([key]) => !options.without.has(key));
      return ['O', entries.map(([key]) => key), ...entries.map(([, each]) => value(each))];
    }
    const fields = fieldsOf(options.classes[name]);
    return [name, ...fields.map((field) => value((object as Readonly<Record<string, unknown>>)[field]))];
  };
  value(root);
  const out: GraphNode[] = [];
  for (let i = 0; i < work.length; i++) out.push(node(work[i]));
  return out;
}

const fieldsOf = ({ make, without }: GraphClass): string[] =>
  Object.keys(make()).filter((field) => !without.includes(field));

/** The first object. InputError where the nodes are not what `writeGraph` writes. */
export function readGraph(nodes: readonly unknown[], where: string, options: GraphOptions): object {
  const fail = (what: string): never => {
    throw new InputError(`damaged state: ${what}`, where, 'remove it to begin anew');
  };
  const checked = nodes.map(
    (node): GraphNode =>
      Array.isArray(node) && typeof node[0] === 'string'
        ? (node as unknown as GraphNode)
        : fail('not an object'),
  );
  const objects = checked.map(([kind, ...parts]): object => {
    if (kind === 'X') return options.inside(String(parts[0]));
    if (kind === 'A') return [];
    if (kind === 'M') return new Map();
    if (kind === 'S') return new Set();
    if (kind === 'I') return Int32Array.from(parts as number[]);
    if (kind === 'O') return {};
    if (!Object.hasOwn(options.classes, kind)) fail('an object of no known kind');
    return options.classes[kind].make();
  });
  const value = (each: unknown): unknown => {
    if (each === null) return undefined;
    if (!Array.isArray(each)) return typeof each === 'object' ? fail('a value of no kind') : each;
    const [first, second] = each as readonly unknown[];
    if (first === 'd') return Number(second);
    if (typeof first === 'string') return /^-?\d+$/.test(first) ? BigInt(first) : fail('not a number');
    const object = objects[first as number];
    return object ?? fail('an object that is not there');
  };
  for (const [i, [kind, ...parts]] of checked.entries()) {
    const object = objects[i];
    if (kind === 'X' || kind === 'I') continue;
    if (Array.isArray(object)) for (const part of parts) object.push(value(part));
    else if (object instanceof Map)
      for (let k = 0; k + 1 < parts.length; k += 2) object.set(value(parts[k]), value(parts[k + 1]));
    else if (object instanceof Set) for (const part of parts) object.add(value(part));
    else {
      const fields = kind === 'O' ? (parts[0] as readonly string[]) : fieldsOf(options.classes[kind]);
      const values = kind === 'O' ? parts.slice(1) : parts;
      if (!Array.isArray(fields) || fields.length !== values.length) fail(`a ${kind} with other fields`);
      for (const [k, field] of fields.entries()) {
        if (field === '__proto__') fail('a field of no kind');
        (object as Record<string, unknown>)[field] = value(values[k]);
      }
    }
  }
  return objects[0] ?? fail('nothing in it');
}
