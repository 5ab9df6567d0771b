// Interpolation of Compose files: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`,
// `${NAME+other}`, `${NAME:?message}`, `${NAME?message}`, `$$` (Compose specification, interpolation).
import { InputError, printable } from '../bytes/index.ts';
import { join, known, type Text, unknown } from './text.ts';

export type Variables = ReadonlyMap<string, string>;

/** Variables of an `.env` file: `NAME=value` lines, comments, quotes. */
export function readEnvFile(text: string): Map<string, string> {
  const out = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, name, raw] = match;
    const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(raw);
    if (quoted === null) out.set(name, raw.replace(/\s+#.*$/, ''));
    else
      out.set(
        name,
        quoted[1] === '"' ? quoted[2].replace(/\\n/g, '\n').replace(/\\(["\\$])/g, '$1') : quoted[2],
      );
  }
  return out;
}

const NAME = /^[A-Za-z_]\w*/;

export function interpolate(text: string, variables: Variables, where: string): Text {
  const parts: Text[] = [];
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) break;
    parts.push(known(text.slice(at, dollar)));
    const { part, end } = reference(text, dollar, variables, where);
    parts.push(part);
    at = end;
  }
  parts.push(known(text.slice(at)));
  return join(parts);
}

function reference(
  text: string,
  dollar: number,
  variables: Variables,
  where: string,
): { part: Text; end: number } {
  if (text[dollar + 1] === '$') return { part: known('$'), end: dollar + 2 };
  if (text[dollar + 1] !== '{') {
    const name = NAME.exec(text.slice(dollar + 1))?.[0];
    if (name === undefined)
      throw new InputError('a $ that names no variable', where, 'write $$ for a dollar sign');
    return { part: variableOf(name, variables), end: dollar + 1 + name.length };
  }
  const close = closing(text, dollar + 2);
  const name = NAME.exec(text.slice(dollar + 2))?.[0];
  if (close < 0 || name === undefined)
    throw new InputError('a ${ that is not closed or names no variable', where);
  const rest = text.slice(dollar + 2 + name.length, close);
  return { part: modified(name, rest, variables, where), end: close + 1 };
}

/** Index of the brace that closes the one before `from`; defaults may hold references. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{' && text[i - 1] === '$') depth++;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  return -1;
}

const variableOf = (name: string, variables: Variables): Text => {
  const value = variables.get(name);
  return value === undefined ? unknown(`variable ${name} of the shell`) : known(value);
};

function modified(name: string, rest: string, variables: Variables, where: string): Text {
  if (rest === '') return variableOf(name, variables);
  const match = /^(:?)([-+?])([\s\S]*)$/.exec(rest);
  if (match === null) throw new InputError(`cannot read ${printable(rest)} after a variable's name`, where);
  const [, colon, operator, other] = match;
  const value = variables.get(name);
  const has = value !== undefined && !(colon === ':' && value === '');
  // The shell that starts the project may set it; a default says what the file means without.
  if (operator === '-') return has ? known(value) : interpolate(other, variables, where);
  if (operator === '+') return has ? interpolate(other, variables, where) : [];
  return has ? known(value) : unknown(`variable ${name} of the shell`);
}
