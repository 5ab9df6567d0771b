// Values of a Compose file, interpolated; what could not be used is noted.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import { interpolate, type Variables } from './compose-interpolate.ts';
import type { DeploymentNote } from './deployment.ts';
import { shellWords } from './shell-words.ts';
import { known, resolve, type Text, unknown, unknownsOf } from './text.ts';

/** A file beside the manifest, by its path relative to it; undefined where it is not there. */
export type ReadFile = (path: string) => Uint8Array | undefined;

export class ComposeReader {
  readonly notes: DeploymentNote[] = [];
  readonly readFile: ReadFile;
  private readonly variables: Variables;

  constructor(variables: Variables, readFile: ReadFile) {
    this.variables = variables;
    this.readFile = readFile;
  }

  note(what: string, at: Fields): void {
    this.notes.push({ what, where: at.where });
  }

  text(fields: Fields): Text {
    return interpolate(fields.scalar(), this.variables, fields.where);
  }

  /** A variable that the shell or `.env` passes on. */
  variable(name: string): Text {
    const value = this.variables.get(name);
    return value === undefined ? unknown(`variable ${printable(name)} of the shell`) : known(value);
  }

  /** A value that has to be known; noted and replaced where it is not. */
  plain(fields: Fields, fallback: string): string {
    if (fields.absent) return fallback;
    const text = this.text(fields);
    const [missing] = unknownsOf(text);
    if (missing !== undefined) {
      this.note(`${missing.source} is not known: the value is not used`, fields);
      return fallback;
    }
    return resolve(text, () => '');
  }

  /** `NAME=value`, or a name alone. */
  pair(fields: Fields): readonly [string, Text | undefined] {
    const raw = fields.scalar();
    const equals = raw.indexOf('=');
    if (equals === 0) throw new InputError('not the name of a variable', fields.where);
    if (equals < 0) return [raw, undefined];
    return [raw.slice(0, equals), interpolate(raw.slice(equals + 1), this.variables, fields.where)];
  }

  /** A list of words or a text that is split as a shell does; undefined where absent. */
  command(fields: Fields): Text[] | undefined {
    if (fields.absent) return undefined;
    if (!fields.isText) return fields.items().map((item) => this.text(item));
    const words = shellWords(fields.text());
    if (words === undefined) throw new InputError('a quote is not closed', fields.where);
    return words.map((word) => interpolate(word, this.variables, fields.where));
  }
}
