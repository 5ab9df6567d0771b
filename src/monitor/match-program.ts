// Which of a policy's programs an observed exec is. Sources name what was given to execve (a link, a script) or what
// the kernel mapped (the file, the interpreter), and SysFlow joins arguments by spaces.
import type { Pattern } from '../effect/index.ts';
import type { Links } from './links.ts';
import { isUnnamed } from './runtime.ts';
import { type TextTest, textTest } from './text-test.ts';

export interface ProgramRow {
  readonly id: number;
  readonly path: TextTest;
  readonly resolved: string | undefined;
  readonly args: readonly TextTest[];
  /** All arguments, joined by spaces. */
  readonly joined: TextTest;
  /** All but the first: of an interpreter that was given an argument by the script's first line. */
  readonly rest: TextTest;
  /** The first arguments that are known to be read as a script. */
  readonly scripts: readonly TextTest[];
}

const join = (args: readonly Pattern[]): TextTest => textTest(args.join(' ') as Pattern);

export class ProgramMatcher {
  private readonly links: Links;
  private readonly rows: ProgramRow[] = [];

  constructor(links: Links) {
    this.links = links;
  }

  /**
   * `scripts`: which of the first two arguments the program reads as its script; only these may stand for the program
   * (`rm /tmp/x` must not allow to execute /tmp/x).
   */
  add(id: number, path: Pattern, args: readonly Pattern[], scripts: readonly Pattern[]): void {
    const test = textTest(path);
    this.rows.push({
      id,
      path: test,
      resolved: test.literal === undefined ? undefined : this.links.follow(test.literal),
      args: args.map(textTest),
      joined: join(args),
      rest: join(args.slice(1)),
      scripts: scripts.map(textTest),
    });
  }

  /** Ids of programs with these arguments, in order of addition. */
  match(exe: string, args: string): number[] {
    return this.rows.filter((row) => this.withArgs(row, exe, args.trim())).map((row) => row.id);
  }

  /** The same, whatever the arguments. */
  matchPath(exe: string): number[] {
    return this.rows.filter((row) => this.samePath(row, exe) || this.isScript(row, exe)).map((row) => row.id);
  }

  all(): number[] {
    return this.rows.map((row) => row.id);
  }

  private withArgs(row: ProgramRow, exe: string, args: string): boolean {
    if (row.joined.test(args)) {
      return this.samePath(row, exe) || this.isScript(row, exe) || (isUnnamed(exe) && args !== '');
    }
    // The script's path and its arguments, without what its first line puts before them.
    if (!this.isScript(row, exe)) return false;
    for (const path of new Set([exe, this.links.follow(exe)])) {
      const line = args === '' ? path : `${path} ${args}`;
      if (row.joined.test(line) || (row.args.length > 1 && row.rest.test(line))) return true;
    }
    return false;
  }

  private samePath(row: ProgramRow, exe: string): boolean {
    return row.path.test(exe) || row.resolved === this.links.follow(exe);
  }

  /** `#!` puts the script's path first, or second after one argument. */
  private isScript(row: ProgramRow, exe: string): boolean {
    const followed = this.links.follow(exe);
    return row.scripts.some(
      (arg) => arg.test(exe) || (arg.literal !== undefined && this.links.follow(arg.literal) === followed),
    );
  }
}
