// What clients said in a capture: TCP streams put in order, retransmissions left out, as the messages between which the
// server answered; UDP datagrams by flow. Memory is bounded; what goes beyond is an InputError.
import { InputError, joined } from '../bytes/index.ts';
import { type Segment, segmentsOf, TCP } from './capture-packets.ts';

/** What one client sent on one connection, or in one flow of datagrams. */
export interface Conversation {
  readonly protocol: 'tcp' | 'udp';
  /** Of the server, as the capture has it. */
  readonly port: number;
  readonly messages: readonly Uint8Array[];
  /** Bytes are missing in the capture; what came after them is left out. */
  readonly isBroken: boolean;
}

const MAX_CONNECTIONS = 20_000;
const MAX_BYTES = 64 << 20;
/** Bytes that wait for others that come before them, of one direction. */
const MAX_WAITING = 1 << 20;

class Direction {
  /** Sequence number of the next byte; undefined until one is seen. */
  next: number | undefined;
  readonly waiting = new Map<number, Uint8Array>();
  waitingBytes = 0;
}

class Connection {
  readonly client: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  readonly messages: Uint8Array[][] = [];
  readonly sent = new Direction();
  readonly answered = new Direction();
  isBroken = false;
  /** The server answered since the last message. */
  turned = true;

  constructor({ from, toPort, protocol }: Segment) {
    this.client = from;
    this.port = toPort;
    this.protocol = protocol;
  }
}

/** Conversations in the order in which they began. */
export function conversationsOf(bytes: Uint8Array, name: string): readonly Conversation[] {
  const open = new Map<string, Connection>();
  const all: Connection[] = [];
  let kept = 0;
  for (const segment of segmentsOf(bytes, name)) {
    const key = `${segment.protocol} ${[segment.from, segment.to].sort().join(' ')}`;
    let connection = open.get(key);
    const isFirst = (segment.flags & (TCP.SYN | TCP.ACK)) === TCP.SYN && segment.protocol === 'tcp';
    if (connection === undefined || (isFirst && isNewStart(connection, segment))) {
      // who speaks first is the client, also where the capture began later
      connection = new Connection((segment.flags & TCP.SYN) !== 0 && !isFirst ? turned(segment) : segment);
      if (all.push(connection) > MAX_CONNECTIONS)
        throw new InputError(`more than ${MAX_CONNECTIONS} connections`, name, 'cut the capture into parts');
      open.set(key, connection);
    }
    kept += segment.bytes.length;
    if (kept > MAX_BYTES)
      throw new InputError(`more than ${MAX_BYTES} bytes`, name, 'cut the capture into parts');
    take(connection, segment);
  }
  return all.flatMap((connection) => {
    const { protocol, port } = connection;
    const messages = connection.messages
      .map((parts) => joined(parts))
      .filter((message) => message.length > 0);
    const isBroken = connection.isBroken || connection.sent.waiting.size > 0;
    return messages.length === 0 ? [] : [{ protocol, port, messages, isBroken }];
  });
}

const turned = (segment: Segment): Segment => ({
  ...segment,
  from: segment.to,
  to: segment.from,
  fromPort: segment.toPort,
  toPort: segment.fromPort,
});

/** A client's SYN that is no retransmission: the ports are used again. */
const isNewStart = ({ client, sent }: Connection, { from, sequence }: Segment): boolean =>
  from !== client ||
  (sent.next !== undefined && sent.next !== (sequence + 1) >>> 0 && sent.next !== sequence);

function take(connection: Connection, segment: Segment): void {
  const isClient = segment.from === connection.client;
  if (segment.protocol === 'udp') {
    if (isClient) connection.messages.push([segment.bytes]);
    return;
  }
  const direction = isClient ? connection.sent : connection.answered;
  let { sequence } = segment;
  if ((segment.flags & TCP.SYN) !== 0) sequence = (sequence + 1) >>> 0;
  direction.next ??= sequence;
  if (segment.bytes.length === 0) return;
  for (const part of inOrder(connection, direction, sequence, segment.bytes)) {
    if (!isClient) {
      connection.turned = true;
      continue;
    }
    const { messages } = connection;
    if (connection.turned) messages.push([]);
    connection.turned = false;
    messages[messages.length - 1].push(part);
  }
}

/** The bytes that come next, with those that waited for them; what was there before is left out. */
function* inOrder(
  connection: Connection,
  direction: Direction,
  sequence: number,
  bytes: Uint8Array,
): Iterable<Uint8Array> {
  const { waiting } = direction;
  const known = waiting.get(sequence);
  if (known === undefined || known.length < bytes.length) {
    direction.waitingBytes += bytes.length - (known?.length ?? 0);
    waiting.set(sequence, bytes);
  }
  for (let found = true; found; ) {
    found = false;
    for (const [at, part] of waiting) {
      const behind = ((direction.next ?? at) - at) | 0;
      if (behind < 0) continue;
      waiting.delete(at);
      direction.waitingBytes -= part.length;
      if (behind >= part.length) continue;
      direction.next = (at + part.length) >>> 0;
      yield part.subarray(behind);
      found = true;
    }
  }
  if (direction.waitingBytes <= MAX_WAITING) return;
  connection.isBroken = true;
  waiting.clear();
  direction.waitingBytes = 0;
}
