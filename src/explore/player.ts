// Carries out a scenario's actions on one machine.
import { decodeText, InputError } from '../bytes/index.ts';
import { type Kernel, type Listener, placeFile, sendSignal, world } from '../linux/index.ts';
import { openAccount } from './accounts.ts';
import { CLIENT_PORTS, ENVIRONMENTS } from './environments.ts';
import type { Launch } from './launch.ts';
import type { NameSearch } from './names.ts';
import type { StepRecorder, SymbolicPlay } from './recorders.ts';
import { type Action, encodePayload, namesAccount, type Payload } from './scenario.ts';
import { TlsSession } from './tls.ts';
import type { Step } from './trace.ts';
import { replaceText } from './unknown-values.ts';

/** Whether these steps of a run, in so many instructions, are all that need be seen of it. */
export type Enough = (steps: readonly Step[], instructions: number) => boolean;

export interface PlayOptions {
  /** What stands for `{name}` in payloads. */
  readonly name?: string | undefined;
  readonly search?: NameSearch | undefined;
  readonly symbolic?: SymbolicPlay | undefined;
  /** On the service as the warming up left it. */
  readonly warm?: boolean | undefined;
  /** Instructions after which the scenario is left, with a cut. */
  readonly most?: number | undefined;
  /** The scenario is left, with a cut, where enough has been seen. */
  readonly enough?: Enough | undefined;
}

/** In files that come to be there. */
const PLACED = new TextEncoder().encode('0123456789\n');

export class Player {
  private readonly kernel: Kernel;
  private readonly listeners: readonly Listener[];
  private readonly launch: Launch;
  private readonly recorder: StepRecorder;
  private readonly options: PlayOptions;
  private readonly connections = new Map<string, number>();
  /** By connection: those over TLS. */
  private readonly sessions = new Map<number, TlsSession>();
  private ports = 0;

  constructor(
    kernel: Kernel,
    listeners: readonly Listener[],
    launch: Launch,
    recorder: StepRecorder,
    options: PlayOptions,
  ) {
    this.kernel = kernel;
    this.listeners = listeners;
    this.launch = launch;
    this.recorder = recorder;
    this.options = options;
  }

  /** Does it; returns how far virtual time may then go by itself, in ns. */
  act(action: Action): bigint {
    switch (action.do) {
      case 'connect':
        this.connect(action.id, this.listeners[action.listener], action);
        return 0n;
      case 'connect-opened': {
        const known = new Set(this.listeners.map((listener) => JSON.stringify(listener)));
        const opened = world.listeners(this.kernel).find((listener) => !known.has(JSON.stringify(listener)));
        if (opened?.stream === true) this.connect(action.id, opened);
        return 0n;
      }
      case 'send':
        this.onConnection(action.id, (id) => {
          this.say(id, this.bytes(action.payload));
          if (action.gone === true) world.reset(this.kernel, id);
        });
        return 0n;
      case 'datagram':
        world.datagram(
          this.kernel,
          this.listeners[action.listener],
          this.client(action.within),
          this.bytes(action.payload),
        );
        return 0n;
      case 'close-write':
        this.onConnection(action.id, (id) => {
          this.sayEnd(id);
          world.closeWrite(this.kernel, id);
        });
        return 0n;
      case 'close':
        this.onConnection(action.id, (id) => {
          this.sayEnd(id);
          world.close(this.kernel, id);
        });
        return 0n;
      case 'reset':
        this.onConnection(action.id, (id) => world.reset(this.kernel, id));
        return 0n;
      case 'signal':
        sendSignal(this.kernel, 1, action.signal);
        return 0n;
      case 'outside':
        world.setOutside(this.kernel, action.how);
        return 0n;
      case 'place':
        this.place(decodeText(this.plain(action.path)), action.payload);
        return 0n;
      case 'answer':
        this.recorder.remotes?.says(action.nth, this.bytes(action.payload));
        return 0n;
      case 'value': {
        const value = this.launch.unknown[action.nth];
        if (value !== undefined) replaceText(this.kernel, value, this.bytes(action.payload));
        return 0n;
      }
      case 'enter':
        this.enter(action.entry);
        return 0n;
      case 'wait':
        return BigInt(action.ms) * 1_000_000n;
    }
  }

  private place(path: string, payload: Payload | undefined): void {
    const bytes = payload === undefined ? PLACED : this.bytes(payload);
    placeFile(this.kernel, path, bytes);
    if (payload !== undefined) this.options.symbolic?.onPlaced(path, bytes);
  }

  private enter(index: number): void {
    const { reason, spec } = this.launch.entries[index];
    const { steps } = this.recorder;
    const before = steps.length;
    try {
      const task = this.kernel.spawnEntered(spec);
      // the exec is the runtime's own
      steps.length = before;
      this.recorder.entered(task, index, reason);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      steps.length = before;
      this.kernel.cut({
        kind: 'deployment',
        what: `${reason}: ${error.message}`,
        consequence: 'it will fail in the container, too',
        exe: '',
        at: undefined,
      });
    }
  }

  private connect(name: string, listener: Listener, { within = false, tls = false } = {}): void {
    const client = this.client();
    const from = within ? { ...client, address: '127.0.0.1' } : client;
    const id = world.connect(this.kernel, listener, from);
    // Nobody listens any more: what the scenario does on this connection does not happen.
    if (id === undefined) return;
    this.connections.set(name, id);
    if (!tls) return;
    const session = new TlsSession(`${this.launch.environment.token} ${this.sessions.size}`);
    this.sessions.set(id, session);
    world.send(this.kernel, id, session.hello());
  }

  private say(id: number, bytes: Uint8Array): void {
    this.shakeHands(id);
    const session = this.sessions.get(id);
    world.send(this.kernel, id, session === undefined ? bytes : session.send(bytes));
  }

  private sayEnd(id: number): void {
    this.shakeHands(id);
    const end = this.sessions.get(id)?.end();
    if (end !== undefined && end.length > 0) world.send(this.kernel, id, end);
  }

  /** Takes what the server said, where TLS is spoken, and says what follows from it. */
  private shakeHands(id: number): void {
    const answer = this.sessions.get(id)?.take(world.received(this.kernel, id));
    if (answer !== undefined && answer.length > 0) world.send(this.kernel, id, answer);
  }

  /** What clients got; datagrams that the container sent come last. */
  answers(): readonly string[] {
    const { kernel } = this;
    return [
      ...[...this.connections.values()].map((id) => {
        this.shakeHands(id);
        return this.sessions.get(id)?.received() ?? world.received(kernel, id);
      }),
      ...world.sentDatagrams(kernel).map(({ bytes }) => bytes),
    ].map((bytes) => decodeText(bytes));
  }

  private onConnection(name: string, act: (id: number) => void): void {
    const id = this.connections.get(name);
    if (id !== undefined) act(id);
  }

  private bytes(payload: string): Uint8Array {
    const bytes = this.plain(payload);
    return this.options.symbolic?.send(bytes) ?? bytes;
  }

  private plain(payload: string): Uint8Array {
    const { token } = this.launch.environment;
    return encodePayload(
      payload,
      token,
      this.options.name,
      namesAccount(payload) ? this.account() : undefined,
    );
  }

  /** Environments log in as different ones, where there are several. */
  private account(): string | undefined {
    const choice = ENVIRONMENTS.findIndex(({ token }) => token === this.launch.environment.token);
    return openAccount(this.kernel, Math.max(0, choice));
  }

  private client(within = false): { address: string; port: number } {
    const { clientAddress, clientPort } = this.launch.environment.values;
    return {
      address: within ? '127.0.0.1' : clientAddress,
      port: clientPort + (this.ports++ % CLIENT_PORTS),
    };
  }
}
