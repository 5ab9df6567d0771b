// Which names a service looked for after it was sent one: if a path that it asked for contains the text that a client
// sent, then clients choose files below the part before it, and the files that are there are worth asking for.

export class NameSearch {
  private readonly token: string;
  private readonly found = new Set<string>();

  constructor(token: string) {
    this.token = token;
  }

  /** A path that a task named in a syscall, absolute. */
  looked(path: string): void {
    const at = path.indexOf(this.token);
    if (at < 0) return;
    const slash = path.lastIndexOf('/', at);
    this.found.add(path.slice(0, slash) || '/');
  }

  /** Directories, in a stable order. */
  directories(): readonly string[] {
    return [...this.found].sort();
  }
}
