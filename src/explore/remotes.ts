// Those outside that a container turns to, where they answer: a name server, and servers that take every connection and
// say what a client of their protocol waits for (remote-answers.ts). They act when every task waits.
import { type Kernel, type Outside, world } from '../linux/index.ts';
import type { Environment } from './environments.ts';
import { answerDns, greeting, type Names, reply } from './remote-answers.ts';

/** Answers in one run; a service that begins anew with every answer would never come to rest. */
const MAX_ANSWERS = 256;

export class Remotes {
  private readonly names: Names;
  private left = MAX_ANSWERS;
  /** The last datagram that was looked at. */
  private lastDatagram = -1;
  /** By number of a connection: bytes of the container's that were looked at. */
  private readonly heard = new Map<number, number>();
  /** Cuts that were made: by number of a connection. */
  private readonly noted = new Set<number | 'left'>();
  /** Answers that were given so far, and what is given in their place, by number. */
  private given = 0;
  private readonly said = new Map<number, Uint8Array>();

  /** `kernel`: what it has sent already was answered, or was not. */
  constructor(environment: Environment, kernel: Kernel) {
    this.names = namesOf(environment);
    for (const { id } of world.sentDatagrams(kernel)) this.lastDatagram = id;
    for (const id of world.asked(kernel)) this.heard.set(id, world.received(kernel, id).length);
  }

  /** The answer of this number is another one than theirs. */
  says(nth: number, bytes: Uint8Array): void {
    this.said.set(nth, bytes);
  }

  /** Told of every answer before it is given: what is given in its place. */
  onAnswer: ((nth: number, bytes: Uint8Array) => Uint8Array) | undefined;

  private answer(bytes: Uint8Array): Uint8Array {
    const nth = this.given++;
    return this.said.get(nth) ?? this.onAnswer?.(nth, bytes) ?? bytes;
  }

  /** Answers what was asked since; whether anything was said. */
  act(kernel: Kernel): boolean {
    const how = world.outside(kernel);
    if (how !== 'answers' && how !== 'denies') return false;
    if (this.left <= 0) {
      this.noteLeft(kernel);
      return false;
    }
    const before = this.left;
    this.answerDatagrams(kernel, how);
    for (const { id, peer } of world.outbound(kernel)) {
      world.acceptOutbound(kernel, id);
      this.heard.set(id, 0);
      this.left--;
      const first = how === 'denies' ? undefined : greeting(peer.port);
      if (how === 'denies') world.close(kernel, id);
      else if (first !== undefined) world.send(kernel, id, this.answer(first.bytes));
    }
    if (how === 'answers') this.answerConnections(kernel);
    return this.left < before;
  }

  /** Somebody who would be answered asks once more, and is not. */
  private noteLeft(kernel: Kernel): void {
    const asks =
      world.outbound(kernel).length > 0 ||
      world.sentDatagrams(kernel).some(({ id, peer }) => id > this.lastDatagram && peer.port === 53) ||
      world.asked(kernel).some((id) => world.received(kernel, id).length > (this.heard.get(id) ?? 0));
    if (!asks || this.noted.has('left')) return;
    this.noted.add('left');
    const what = `${MAX_ANSWERS} answers of those outside`;
    kernel.cut({ kind: 'budget', what, consequence: 'then nobody answers', exe: '', at: undefined });
  }

  /** What no protocol here knows is not answered. */
  private noteUnknown(kernel: Kernel, id: number): void {
    if (this.noted.has(id)) return;
    this.noted.add(id);
    kernel.cut({
      kind: 'environment',
      what: `what is said to port ${world.peerOf(kernel, id).port} outside`,
      consequence: 'nothing is answered: no protocol here begins so',
      exe: '',
      at: undefined,
    });
  }

  private answerDatagrams(kernel: Kernel, how: Outside): void {
    for (const { id, peer, bytes } of world.sentDatagrams(kernel)) {
      if (id <= this.lastDatagram) continue;
      this.lastDatagram = id;
      if (peer.port !== 53) continue;
      const answer = answerDns(bytes, how === 'answers' ? this.names : undefined);
      if (answer === undefined) continue;
      if (world.answerDatagram(kernel, id, this.answer(answer))) this.left--;
    }
  }

  private answerConnections(kernel: Kernel): void {
    for (const id of world.asked(kernel)) {
      const all = world.received(kernel, id);
      const from = this.heard.get(id) ?? 0;
      if (all.length <= from) continue;
      const answer = reply(world.peerOf(kernel, id).port, all.subarray(from), this.names);
      // more may be needed to tell what it is, but everybody waits by now
      if (answer === undefined) {
        this.noteUnknown(kernel, id);
        continue;
      }
      this.heard.set(id, all.length);
      this.left--;
      world.send(kernel, id, this.answer(answer.bytes));
      if (answer.ends) world.closeWrite(kernel, id);
    }
  }
}

/** Public addresses (RFC 6890 has none of them): of every name another, and in every environment. */
const NETWORKS = [23, 34, 45, 52, 63, 74, 81, 93, 104, 151, 185, 199] as const;
const NAMED = /^host-(\d+)-(\d+)-(\d+)-(\d+)\./;

function namesOf({ values, token }: Environment): Names {
  return {
    // what an address is called, has that address
    addressOf: (name) => {
      const [, ...parts] = NAMED.exec(name) ?? [];
      if (parts.length === 4) return parts.join('.');
      const hash = hashOf(`${values.seed} ${name.toLowerCase()}`);
      return `${NETWORKS[hash % NETWORKS.length]}.${[8, 16, 24].map((shift) => 1 + (((hash >>> shift) & 0xff) % 253)).join('.')}`;
    },
    nameOf: (address) => `host-${address.replaceAll('.', '-')}.${token}.example`,
  };
}

/** FNV-1a, 32 bits, with its bits mixed. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
