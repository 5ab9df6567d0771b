// Effects of one run on symbolic inputs whose resources clients' bytes came into, with the patterns that these can be.
// What a call names by a path or an address is taken from its arguments; what later calls name by a descriptor has the
// patterns under which it was opened.
import { type Pattern, resourceTexts } from '../effect/index.ts';
import type { EffectEvent, SyscallRow, Task } from '../linux/index.ts';
import type { ConcolicEngine } from '../machine/index.ts';
import { type CallInputs, callInputs } from './symbolic-call.ts';
import { type Asking, patternsOfCall, type TextPatterns } from './symbolic-resource.ts';

/** Patterns of the events that have some. */
export type ExploredPatterns = ReadonlyMap<EffectEvent, TextPatterns>;

const NAMING = /:(?:path|string|argv|sockaddr)$/;

export class SymbolicEvents {
  readonly patterns = new Map<EffectEvent, TextPatterns>();
  /** Events whose path may lead out of its directory by `..`. */
  readonly climbing: EffectEvent[] = [];
  private readonly engine: ConcolicEngine;
  private readonly asking: () => Asking;
  /** By task: of the call at hand. */
  private readonly calls = new Map<
    number,
    { readonly names: boolean; readonly inputs: CallInputs | undefined }
  >();
  /** By text of a path, or of an endpoint: what it can be. */
  private readonly named = new Map<string, readonly Pattern[]>();

  constructor(engine: ConcolicEngine, asking: () => Asking) {
    this.engine = engine;
    this.asking = asking;
  }

  onCall(task: Task, row: SyscallRow, args: readonly bigint[]): void {
    const names = row.args.some((arg) => NAMING.test(arg));
    this.calls.set(task.tid, { names, inputs: callInputs(this.engine, task, row, args) });
  }

  onEffect(event: EffectEvent): void {
    const call = this.calls.get(event.tid);
    const { resource } = event.effect;
    if (call?.inputs === undefined) {
      if (call?.names !== true) this.byName(event);
      return;
    }
    const found = patternsOfCall(this.asking(), resource, call.inputs);
    if (found === undefined) {
      this.byName(event);
      return;
    }
    this.patterns.set(event, found.texts);
    if (found.climbs) this.climbing.push(event);
    for (const [i, name] of namesOf(event).entries()) {
      const patterns = found.texts[i];
      if (patterns !== undefined && name !== '') this.named.set(name, patterns);
    }
  }

  private byName(event: EffectEvent): void {
    if (this.named.size === 0) return;
    const texts = namesOf(event).map((name) => this.named.get(name));
    if (texts.some((patterns) => patterns !== undefined)) this.patterns.set(event, texts);
  }
}

/** What each text is a name of; of an endpoint, which one. */
function namesOf({ effect: { resource } }: EffectEvent): readonly string[] {
  const texts = resourceTexts(resource);
  if (resource.kind === 'file') return texts.map((text) => `file ${text}`);
  if (resource.kind !== 'net') return texts.map(() => '');
  const { local, peer } = resource;
  return [local, peer].flatMap(({ address, port }) => [
    `address ${address}:${port}`,
    `port ${address}:${port}`,
  ]);
}
