// One file, several names: paths with the image's symbolic links resolved, as far as the policy names them. Text only;
// what links a running container made is unknown here.

export class Links {
  private readonly links: ReadonlyMap<string, string>;
  /** Whether there are any; else `follow` and `parent` return the path itself. */
  readonly any: boolean;

  constructor(links: Readonly<Record<string, string>>) {
    this.links = new Map(Object.entries(links));
    this.any = this.links.size > 0;
  }

  /** Paths of all links. */
  names(): string[] {
    return [...this.links.keys()];
  }

  /** Every link resolved, the last name's too. */
  follow(path: string): string {
    if (!this.any || !path.startsWith('/')) return path;
    return this.resolve(path, path.length);
  }

  /** Links on the way resolved, not the last name: what unlink, rename and mkdir work on. */
  parent(path: string): string {
    if (!this.any || !path.startsWith('/')) return path;
    const slash = path.lastIndexOf('/');
    return this.resolve(path.slice(0, slash), slash) + path.slice(slash);
  }

  private resolve(path: string, until: number): string {
    let text = path.slice(0, until);
    let from = 1;
    // As many links as the kernel follows (MAXSYMLINKS).
    for (let steps = 0; steps < 40; ) {
      const slash = text.indexOf('/', from);
      const prefix = slash < 0 ? text : text.slice(0, slash);
      const target = this.links.get(prefix);
      if (target !== undefined) {
        text =
          target === '/'
            ? slash < 0
              ? '/'
              : text.slice(slash)
            : target + (slash < 0 ? '' : text.slice(slash));
        from = 1;
        steps++;
      } else if (slash < 0) {
        break;
      } else {
        from = slash + 1;
      }
    }
    return text;
  }
}
