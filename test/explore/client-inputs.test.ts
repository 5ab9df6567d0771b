// What clients say, from files and captures: streams in order, retransmissions left out, hostile files refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../src/bytes/index.ts';
import { type ClientInput, clientInputs, inputScenarios } from '../../src/explore/index.ts';
import { modelled } from './symbolic-server.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const texts = (inputs: readonly ClientInput[]): readonly (readonly string[])[] =>
  inputs.map(({ messages }) => messages.map((message) => Buffer.from(message).toString('latin1')));

const CLIENT = [10, 0, 0, 1, 0x9c, 0x40];
const SERVER = [10, 0, 0, 2, 0x00, 0x50];
const [SYN, ACK] = [2, 16];

const big16 = (n: number): number[] => [(n >> 8) & 255, n & 255];
const big32 = (n: number): number[] => [...big16(n >>> 16), ...big16(n & 0xffff)];

/** An IPv4 packet. */
function packet(
  protocol: number,
  from: readonly number[],
  to: readonly number[],
  transport: readonly number[],
): number[] {
  const ip = [
    0x45,
    0,
    ...big16(20 + transport.length),
    0,
    0,
    0,
    0,
    64,
    protocol,
    0,
    0,
    ...from.slice(0, 4),
    ...to.slice(0, 4),
  ];
  return [...ip, ...transport];
}

function tcp(
  from: readonly number[],
  to: readonly number[],
  sequence: number,
  flags: number,
  text = '',
): number[] {
  const head = [
    ...from.slice(4),
    ...to.slice(4),
    ...big32(sequence),
    0,
    0,
    0,
    0,
    0x50,
    flags,
    0,
    0,
    0,
    0,
    0,
    0,
  ];
  return packet(6, from, to, [...head, ...bytesOf(text)]);
}

function udp(from: readonly number[], to: readonly number[], text: string): number[] {
  return packet(17, from, to, [
    ...from.slice(4),
    ...to.slice(4),
    ...big16(8 + text.length),
    0,
    0,
    ...bytesOf(text),
  ]);
}

const little32 = (n: number): number[] => big32(n).reverse();
const ETHERNET = [...Array(12).fill(0), 8, 0];

/** A classic capture of Ethernet, little-endian. */
function pcap(
  packets: readonly (readonly number[])[],
  order = little32,
  magic = 0xa1b2c3d4,
  link = 1,
): Uint8Array {
  const head = [...order(magic), 2, 0, 4, 0, ...order(0), ...order(0), ...order(65535), ...order(link)];
  const rows = packets.flatMap((ip) => {
    const frame = link === 1 ? [...ETHERNET, ...ip] : ip;
    return [...order(0), ...order(0), ...order(frame.length), ...order(frame.length), ...frame];
  });
  return Uint8Array.from([...head, ...rows]);
}

function block(type: number, body: readonly number[]): number[] {
  const padded = [...body, ...Array((4 - (body.length % 4)) % 4).fill(0)];
  return [...little32(type), ...little32(12 + padded.length), ...padded, ...little32(12 + padded.length)];
}

function pcapng(packets: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([
    ...block(0x0a0d0d0a, [...little32(0x1a2b3c4d), 1, 0, 0, 0, ...Array(8).fill(255)]),
    ...block(1, [101, 0, 0, 0, ...little32(65535)]),
    ...block(5, [1, 2, 3, 4]),
    ...packets.flatMap((ip) =>
      block(6, [
        ...little32(0),
        ...little32(0),
        ...little32(0),
        ...little32(ip.length),
        ...little32(ip.length),
        ...ip,
      ]),
    ),
  ]);
}

const TALK = [
  tcp(CLIENT, SERVER, 0xfffffffa, SYN),
  tcp(SERVER, CLIENT, 500, SYN | ACK),
  tcp(CLIENT, SERVER, 0xfffffffb, ACK, 'GET '),
  // out of order, and the first again with more in it; the numbers pass 2 ** 32
  tcp(CLIENT, SERVER, 3, ACK, 'x\r\n'),
  tcp(CLIENT, SERVER, 0xfffffffb, ACK, 'GET /a'),
  tcp(CLIENT, SERVER, 1, ACK, 'bc'),
  tcp(SERVER, CLIENT, 501, ACK, 'yes'),
  tcp(SERVER, CLIENT, 501, ACK, 'yes'),
  tcp(CLIENT, SERVER, 6, ACK, 'QUIT'),
];

test('streams of captures, in every form of file', () => {
  for (const file of [
    pcap(TALK),
    pcap(TALK, big32),
    pcap(TALK, little32, 0xa1b23c4d),
    pcap(TALK, little32, 0xa1b2c3d4, 101),
    pcapng(TALK),
  ]) {
    const inputs = clientInputs([['talk', file]]);
    assert.deepEqual(texts(inputs), [['GET /abcx\r\n', 'QUIT']]);
    assert.equal(inputs[0].port, 80);
    assert.equal(inputs[0].isBroken, false);
  }
});

test('ports that are used again, datagrams, bytes that are missing', () => {
  const again = [
    ...TALK,
    tcp(CLIENT, SERVER, 9000, SYN),
    tcp(CLIENT, SERVER, 9001, ACK, 'second'),
    tcp(CLIENT, SERVER, 9020, ACK, 'never heard of'),
    udp(CLIENT, SERVER, 'one'),
    udp(SERVER, CLIENT, 'answer'),
    udp(CLIENT, SERVER, 'two'),
  ];
  const inputs = clientInputs([['talk', pcap(again)]]);
  assert.deepEqual(texts(inputs), [['GET /abcx\r\n', 'QUIT'], ['second'], ['one', 'two']]);
  assert.deepEqual(
    inputs.map(({ isBroken, protocol }) => `${protocol} ${isBroken}`),
    ['tcp false', 'tcp true', 'udp false'],
  );
});

test('files of one connection; the same is one', () => {
  const inputs = clientInputs([
    ['a', bytesOf('hello\n')],
    ['b', bytesOf('hello\n')],
    ['8080-c', bytesOf('hello\n')],
    ['udp-53-d', bytesOf('q')],
    ['empty', bytesOf('')],
  ]);
  assert.deepEqual(
    inputs.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`),
    ['a tcp undefined', '8080-c tcp 8080', 'udp-53-d udp 53'],
  );
  const listeners = [
    { index: 0, stream: true, port: 80 },
    { index: 1, stream: true, port: 8080 },
    { index: 2, stream: false, port: 53 },
  ];
  assert.deepEqual(
    inputs.map((input) => inputScenarios(input, listeners).length),
    [2, 1, 1],
  );
});

test('files that are none are refused, or end where they are cut off', () => {
  const whole = pcap(TALK);
  for (let length = 24; length < whole.length; length += 7)
    assert.ok(clientInputs([['cut', whole.subarray(0, length)]]).length <= 1);
  for (const [why, file] of [
    ['a trace', Uint8Array.of(0x4f, 0x62, 0x6a, 1, 0)],
    ['a link type', pcap(TALK, little32, 0xa1b2c3d4, 147)],
    ['no header', whole.subarray(0, 16)],
    [
      'a huge packet',
      Uint8Array.from([...whole.subarray(0, 32), ...little32(0x7fffffff), ...whole.subarray(36)]),
    ],
    ['a block of no length', Uint8Array.from([...pcapng([]), ...Array(12).fill(0)])],
  ] as const)
    assert.throws(() => clientInputs([['file', file]]), InputError, why);
  // any byte of a capture may be anything
  let state = 7;
  for (const file of [whole, pcapng(TALK)])
    for (let i = 0; i < 3000; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const changed = file.slice();
      changed[(state >>> 8) % file.length] = state >>> 24;
      try {
        clientInputs([['changed', changed]]);
      } catch (error) {
        assert.ok(error instanceof InputError, String(error));
      }
    }
});

test('inputs are served in the model, for any name', (t) => {
  const body = `static int greeted; if (!strncmp(buf, "HELLO 7", 7)) { greeted = 1; write(fd, "hi\\n", 3); n = read(fd, buf, 4000); buf[n > 0 ? n : 0] = 0; }
    if (!greeted || strncmp(buf, "KEEP ", 5)) return; char *p = buf + 5; p[strcspn(p, "\\r\\n/")] = 0;
    char path[400] = "/data/"; strncat(path, p, 300); close(open(path, O_CREAT | O_WRONLY, 0600));`;
  const messages = ['HELLO 7\n', 'KEEP report\n'].map(bytesOf);
  const input: ClientInput = { name: 'x', protocol: 'tcp', port: 7000, messages, isBroken: false };
  const found = modelled(t, body, { runs: 0, directories: ['/data'], inputs: [input] });
  if (found === undefined) return;
  const opened = found.effects.filter((effect) => effect.includes('/data'));
  assert.ok(opened.includes('OPEN wc /data/*'), opened.join('; '));
});
