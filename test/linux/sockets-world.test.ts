// The world outside: clients, answers to connections, datagrams; and calls that wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeText, encodeText } from '../../src/bytes/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { snapshot } from '../../src/linux/snapshot.ts';
import { world } from '../../src/linux/world.ts';
import { Box } from './box.ts';

const inet = (port: number, ...address: number[]): Uint8Array =>
  Uint8Array.of(2, 0, port >> 8, port & 255, ...address, 0, 0, 0, 0, 0, 0, 0, 0);
const peer = { address: '10.0.0.9', port: 40000 };

function listening(box: Box, port: number): number {
  const fd = box.sys('socket', 2, 1, 0) as number;
  assert.equal(box.sys('bind', fd, inet(port, 0, 0, 0, 0), 16), 0);
  assert.equal(box.sys('listen', fd, 1), 0);
  return fd;
}

const told = (box: Box): string[] =>
  box.effects.splice(0).map(({ effect, result }) => `${printEffect(effect)} = ${result}`);

test('a client connects, talks and goes', () => {
  const box = new Box();
  const server = listening(box, 80);
  const [listener] = world.listeners(box.kernel);
  assert.deepEqual(listener, { protocol: 'tcp', address: '0.0.0.0', port: 80, stream: true });
  const waiting = box.sys('accept', server, 0, 0);
  assert.equal(typeof waiting, 'object');
  const id = world.connect(box.kernel, listener, peer);
  assert.ok(id !== undefined);
  const fd = box.again(box.task) as number;
  assert.ok(fd > server);
  world.send(box.kernel, id, encodeText('GET / HTTP/1.0\r\n\r\n'));
  const buffer = box.buffer(64);
  assert.equal(box.sys('read', fd, buffer, 64), 18);
  assert.equal(box.sys('write', fd, 'HTTP/1.0 200 OK\r\n', 17), 17);
  assert.equal(decodeText(world.received(box.kernel, id)), 'HTTP/1.0 200 OK\r\n');
  world.closeWrite(box.kernel, id);
  assert.equal(box.sys('read', fd, buffer, 64), 0);
  assert.equal(box.sys('write', fd, 'more', 4), 4);
  box.sys('close', fd);
  assert.deepEqual(told(box), [
    'BIND tcp 0.0.0.0:80 = 0',
    'LISTEN tcp 0.0.0.0:80 = 0',
    'ACCEPT tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 4',
    'READ tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 18',
    'WRITE tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 17',
    'READ tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 0',
    'WRITE tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 4',
    'CLOSE tcp 172.17.0.2:80 <-> 10.0.0.9:40000 = 0',
  ]);
});

test('a client resets, a client leaves before it is accepted, a full backlog', () => {
  const box = new Box();
  const server = listening(box, 80);
  const [listener] = world.listeners(box.kernel);
  const ids = [1, 2, 3].map((i) => world.connect(box.kernel, listener, { ...peer, port: peer.port + i }));
  assert.deepEqual(
    ids.map((id) => id === undefined),
    [false, false, true],
  );
  world.reset(box.kernel, ids[0] as number);
  world.close(box.kernel, ids[1] as number);
  const buffer = box.buffer(16);
  const first = box.sys('accept', server, 0, 0) as number;
  assert.equal(box.sys('read', first, buffer, 16), -104);
  assert.equal(box.sys('read', first, buffer, 16), 0);
  assert.equal(box.sys('sendto', first, 'x', 1, 0x4000, 0, 0), -32);
  const second = box.sys('accept', server, 0, 0) as number;
  assert.equal(box.sys('read', second, buffer, 16), 0);
  assert.equal(box.sys('sendto', second, 'x', 1, 0x4000, 0, 0), 1);
  assert.equal(box.sys('sendto', second, 'x', 1, 0x4000, 0, 0), -32);
});

test('a broken stream raises SIGPIPE unless told not to', () => {
  const box = new Box();
  const server = listening(box, 80);
  const id = world.connect(box.kernel, world.listeners(box.kernel)[0], peer) as number;
  const fd = box.sys('accept', server, 0, 0) as number;
  world.reset(box.kernel, id);
  assert.equal(box.sys('read', fd, box.buffer(4), 4), -104);
  box.task.process.actions[12].handler = 0x1000;
  assert.equal(box.sys('sendto', fd, 'x', 1, 0x4000, 0, 0), -32);
  const pending = () => [...box.task.pending, ...box.task.process.pending].map(({ signal }) => signal);
  assert.deepEqual(pending(), []);
  assert.equal(box.sys('write', fd, 'x', 1), -32);
  assert.deepEqual(pending(), [13]);
});

test('connections to the outside wait for the world', () => {
  const box = new Box();
  const fd = box.sys('socket', 2, 1, 0) as number;
  assert.equal(typeof box.sys('connect', fd, inet(443, 93, 184, 216, 34), 16), 'object');
  const [request] = world.outbound(box.kernel);
  assert.deepEqual(request.peer, { family: 'inet', address: '93.184.216.34', port: 443 });
  const id = world.acceptOutbound(box.kernel, request.id);
  assert.equal(box.again(box.task), 0);
  box.sys('write', fd, 'hello', 5);
  assert.equal(decodeText(world.received(box.kernel, id)), 'hello');
  world.send(box.kernel, id, encodeText('hi'));
  assert.equal(box.sys('read', fd, box.buffer(8), 8), 2);
  const lines = told(box);
  assert.match(lines[0], /^CONNECT tcp 172\.17\.0\.2:\d+ <-> 93\.184\.216\.34:443 = 0$/);
});

test('a connection without waiting: in progress, then refused, then timed out', () => {
  const box = new Box();
  const fd = box.sys('socket', 2, 1 | 0o4000, 0) as number;
  const address = inet(443, 93, 184, 216, 34);
  assert.equal(box.sys('connect', fd, address, 16), -115);
  assert.equal(box.sys('connect', fd, address, 16), -114);
  const poll = box.put(Uint8Array.of(fd, 0, 0, 0, 4, 0, 0, 0));
  assert.equal(box.sys('poll', poll, 1, 0), 0);
  world.refuseOutbound(box.kernel, world.outbound(box.kernel)[0].id);
  assert.equal(box.sys('poll', poll, 1, 0), 1);
  const value = box.buffer(4);
  const length = box.put(Uint8Array.of(4, 0, 0, 0));
  assert.equal(box.sys('getsockopt', fd, 1, 4, value, length), 0);
  assert.equal(box.u32(value), 111);
  box.sys('getsockopt', fd, 1, 4, value, length);
  assert.equal(box.u32(value), 0);
  assert.equal(box.sys('connect', fd, address, 16), -103);
  assert.equal(box.sys('connect', fd, address, 16), -115);
  const blocked = box.sys('poll', poll, 1, -1);
  assert.ok(typeof blocked === 'object' && blocked.deadline !== undefined);
  box.kernel.now = blocked.deadline;
  assert.equal(box.again(box.task), 1);
  assert.equal(box.sys('connect', fd, address, 16), -110);
  assert.equal(
    box.sys(
      'connect',
      fd,
      Uint8Array.of(
        10,
        0,
        1,
        187,
        0,
        0,
        0,
        0,
        0x20,
        1,
        0xd,
        0xb8,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
      ),
      28,
    ),
    -97,
  );
});

test('datagrams go out and answers come in', () => {
  const box = new Box();
  const fd = box.sys('socket', 2, 2, 0) as number;
  assert.equal(box.sys('connect', fd, inet(53, 172, 17, 0, 1), 16), 0);
  assert.equal(box.sys('write', fd, 'query', 5), 5);
  const [sent] = world.sentDatagrams(box.kernel);
  assert.equal(decodeText(sent.bytes), 'query');
  assert.deepEqual(sent.peer, { family: 'inet', address: '172.17.0.1', port: 53 });
  const buffer = box.buffer(64);
  assert.equal(typeof box.sys('read', fd, buffer, 64), 'object');
  assert.equal(world.answerDatagram(box.kernel, sent.id, encodeText('answer')), true);
  assert.equal(box.again(box.task), 6);
  const server = box.sys('socket', 2, 2, 0) as number;
  box.sys('bind', server, inet(514, 0, 0, 0, 0), 16);
  const listener = world.listeners(box.kernel).find(({ port }) => port === 514);
  assert.ok(listener !== undefined && !listener.stream);
  world.datagram(box.kernel, listener, peer, encodeText('log'));
  assert.equal(box.sys('recvfrom', server, buffer, 64, 0, 0, 0), 3);
  assert.match(told(box).at(-1) ?? '', /^READ udp 0\.0\.0\.0:514 <-> 10\.0\.0\.9:40000 = 3$/);
});

test('connections mean the same in a snapshot', () => {
  const box = new Box();
  const server = listening(box, 80);
  const id = world.connect(box.kernel, world.listeners(box.kernel)[0], peer) as number;
  const fd = box.sys('accept', server, 0, 0) as number;
  const copy = snapshot(box.kernel);
  world.send(copy, id, encodeText('only there'));
  const task = copy.tasks.get(1);
  const file = copy.processes.get(1)?.files.get(fd);
  assert.ok(task !== undefined && file !== undefined);
  assert.ok(file.read(copy, task, 20, undefined) instanceof Uint8Array);
  assert.equal(typeof box.sys('read', fd, box.buffer(16), 16), 'object');
  assert.equal(world.received(box.kernel, id).length, 0);
});

test('what the container prints', () => {
  const box = new Box();
  box.sys('write', 1, 'to stdout\n', 10);
  box.sys('write', 2, 'to stderr\n', 10);
  assert.equal(decodeText(world.output(box.kernel, 1)), 'to stdout\n');
  assert.equal(decodeText(world.output(box.kernel, 2)), 'to stderr\n');
});
