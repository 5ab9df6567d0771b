// Random sequences of calls on sockets, pipes, eventfds and epoll sets (random-calls.ts), all without waiting.
import { test } from 'node:test';
import { treeBuilder } from '../../src/image/index.ts';
import { O } from '../../src/linux/abi-file.ts';
import { AF, MSG, SHUT, SO, SOCK, SOL } from '../../src/linux/abi-socket.ts';
import { EPOLL } from '../../src/linux/epoll.ts';
import { cannotRun } from './native-script.ts';
import { call, compareSequence, type Generator, number, out, type Random, text } from './random-calls.ts';
import type { Value } from './script.ts';

const fd = (r: Random): Value => number(3 + r.below(9));
const bytes = (...values: number[]): Value => ({ kind: 'bytes', bytes: Uint8Array.from(values) });
const inet = (port: number): Value =>
  bytes(2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
/** `/sock0`, `/sock1`, or the abstract name of the same. */
function unix(r: Random): readonly [Value, Value] {
  const name = [...`${r.pick(['/', '\0'])}sock${r.below(2)}`].map((ch) => ch.charCodeAt(0));
  return [bytes(1, 0, ...name), number(2 + name.length)];
}
function address(r: Random): readonly [Value, Value] {
  return r.below(2) === 0 ? [inet(45901 + r.below(3)), number(16)] : unix(r);
}
const NOWAIT = SOCK.NONBLOCK;
const EVENTS = [1, 4, 5, 0x2001, 0x80000001, 0x80000005, 0x40000001] as const;
const event = (events: number, fdValue: Value): Value =>
  bytes(
    events & 255,
    (events >> 8) & 255,
    (events >> 16) & 255,
    events >>> 24,
    fdValue.kind === 'number' ? Number(fdValue.value) : 0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  );

const flags = (r: Random): Value =>
  number(MSG.NOSIGNAL | MSG.DONTWAIT | r.pick([0, 0, 0, MSG.PEEK, MSG.TRUNC]));

const GENERATORS: readonly Generator[] = [
  (r) =>
    call('socket', [
      number(r.pick([AF.INET, AF.INET, AF.UNIX])),
      number(r.pick([SOCK.STREAM, SOCK.STREAM, SOCK.DGRAM]) | NOWAIT),
      number(0),
    ]),
  (r) =>
    call(
      'socketpair',
      [
        number(AF.UNIX),
        number(r.pick([SOCK.STREAM, SOCK.DGRAM, SOCK.SEQPACKET]) | NOWAIT),
        number(0),
        out(8),
      ],
      [[0, 8]],
    ),
  (r) => call('bind', [fd(r), ...address(r)]),
  (r) => call('listen', [fd(r), number(4)]),
  (r) => call('connect', [fd(r), ...address(r)]),
  (r) => call('connect', [fd(r), ...address(r)]),
  (r) => call('accept4', [fd(r), number(0), number(0), number(NOWAIT)]),
  (r) => call('accept4', [fd(r), number(0), number(0), number(NOWAIT)]),
  (r) =>
    call('sendto', [
      fd(r),
      text('hello world'),
      number(r.below(12)),
      number(MSG.NOSIGNAL | MSG.DONTWAIT),
      number(0),
      number(0),
    ]),
  (r) =>
    call('sendto', [
      fd(r),
      text('to an address'),
      number(r.below(14)),
      number(MSG.NOSIGNAL | MSG.DONTWAIT),
      ...address(r),
    ]),
  (r) =>
    call('recvfrom', [fd(r), out(32), number(r.pick([32, 3, 1])), flags(r), number(0), number(0)], [[0, 32]]),
  (r) => call('write', [fd(r), text('written'), number(r.below(8))]),
  (r) => call('read', [fd(r), out(32), number(r.pick([32, 8, 2]))], [[0, 32]]),
  (r) => call('shutdown', [fd(r), number(r.pick([SHUT.RD, SHUT.WR, SHUT.RDWR]))]),
  (r) => call('close', [fd(r)]),
  (r) => call('dup', [fd(r)]),
  (r) => call('unlink', [text(`/sock${r.below(2)}`)]),
  () => call('pipe2', [out(8), number(O.NONBLOCK)], [[0, 8]]),
  () => call('eventfd2', [number(1), number(O.NONBLOCK)]),
  () => call('epoll_create1', [number(0)]),
  (r) => {
    const target = fd(r);
    return call('epoll_ctl', [
      fd(r),
      number(r.pick([EPOLL.CTL_ADD, EPOLL.CTL_ADD, EPOLL.CTL_MOD, EPOLL.CTL_DEL])),
      target,
      event(r.pick(EVENTS), target),
    ]);
  },
  (r) => call('epoll_wait', [fd(r), out(48), number(4), number(0)], [[0, 48]]),
  (r) => call('epoll_wait', [fd(r), out(48), number(1), number(0)], [[0, 48]]),
  (r) => {
    const target = fd(r);
    const low = target.kind === 'number' ? Number(target.value) : 0;
    return call('poll', [bytes(low, 0, 0, 0, 0x1f, 0x20, 0, 0), number(1), number(0)], [[0, 8]]);
  },
  (r) =>
    call('getsockopt', [
      fd(r),
      number(SOL.SOCKET),
      number(r.pick([SO.ERROR, SO.TYPE, SO.ACCEPTCONN, SO.DOMAIN])),
      out(4),
      number(0),
    ]),
  (r) => call('getpeername', [fd(r), out(16), number(0)]),
  (r) => call('fcntl', [fd(r), number(3), number(0)]),
];

const seeds = Number(process.env.EFFIGY_SEEDS ?? 12);
const tree = () => treeBuilder().addFile('/file', 'f').build();

test('random socket calls do as on the host', (t) => {
  const reason = cannotRun();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  for (let seed = 1; seed <= seeds; seed++)
    compareSequence(seed, 150, { tree, start: [], generators: GENERATORS });
});
