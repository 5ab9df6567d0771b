// strace's text to events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from '../../src/bytes/index.ts';
import {
  type Arg,
  type DescriptorTarget,
  parseStrace,
  type SocketAddress,
  STRACE_OPTIONS,
  TRACED_SYSCALLS,
  type TraceEvent,
} from '../../src/telemetry/index.ts';
import { random } from './avro-data.ts';
import { runCases } from './cases.ts';

const address = (end: SocketAddress | undefined): string =>
  end === undefined
    ? '*'
    : end.kind === 'unix'
      ? `unix(${printable(end.path)})`
      : end.kind === 'other'
        ? end.family
        : end.kind === 'inet'
          ? `${end.address}:${end.port}`
          : `[${end.address}]:${end.port}`;

function target(what: DescriptorTarget | undefined): string {
  if (what === undefined) return '';
  switch (what.kind) {
    case 'path':
      return `<${printable(what.path)}${what.deleted ? ' deleted' : ''}>`;
    case 'pipe':
      return `<pipe ${what.inode}>`;
    case 'anon':
      return `<anon ${what.name}>`;
    default:
      return `<${what.protocol || 'socket'} ${address(what.local)} ${address(what.peer)} ${what.inode ?? '-'} ${what.peerInode ?? '-'}>`;
  }
}

function arg(value: Arg): string {
  switch (value.kind) {
    case 'number':
      return (
        [String(value.value), ...value.unknown].join('|') +
        (value.outerPid === undefined ? '' : `(outer ${value.outerPid})`)
      );
    case 'fd':
      return `fd ${value.fd}${target(value.target)}`;
    case 'string':
      return `"${printable(value.text)}"${value.whole ? '' : '...'}`;
    case 'list':
      return `[${[...value.items.map(arg), ...(value.whole ? [] : ['...'])].join(' ')}]`;
    case 'struct':
      return `{${[...[...value.fields].map(([name, item]) => `${name}:${arg(item)}`), ...(value.whole ? [] : ['...'])].join(' ')}}`;
    case 'address':
      return address(value.address);
    case 'change':
      return `${arg(value.before)} => ${arg(value.after)}`;
    default:
      return `?${value.text}?`;
  }
}

function print(event: TraceEvent): string {
  switch (event.kind) {
    case 'syscall': {
      const result = event.ret === undefined ? '?' : `${event.ret}${target(event.target)}`;
      const extra = [event.error, event.outerPid === undefined ? '' : `outer ${event.outerPid}`]
        .filter((text) => text !== '')
        .join(' ');
      return `${event.pid}/${event.tid} ${event.start}+${event.time - event.start} ${event.name}(${event.args.map(arg).join(', ')}) = ${result}${extra === '' ? '' : ` ${extra}`}`;
    }
    case 'start':
      return `${event.pid}/${event.tid} start ${event.parent === undefined ? '-' : `${event.parent.call} ${event.parent.pid}/${event.parent.tid}`}`;
    case 'exit':
      return `${event.pid}/${event.tid} exit ${event.status}`;
    case 'signal':
      return `${event.pid}/${event.tid} signal ${event.signal}`;
    case 'enter':
      return `${event.pid}/${event.tid} enter ${event.name}(${arg(event.descriptor)}`;
    default:
      return `gap ${event.reason} ${event.records}`;
  }
}

runCases('strace.cases.txt', (lines) =>
  [...parseStrace(lines, { name: 'strace.txt', midnight: 1_000_000_000_000_000_000n })].map(print),
);

test('what is no output of strace is refused', () => {
  const read = (lines: string[]): TraceEvent[] => [...parseStrace(lines, { name: 'x.txt' })];
  assert.throws(() => read(['{"json": true}', '']), {
    name: 'InputError',
    message: /^x\.txt: not the output of strace/,
  });
  assert.deepEqual(read([]), []);
});

test('recorders trace each call that has a row, and no other', () => {
  const trace = STRACE_OPTIONS.find((option) => option.startsWith('--trace='))
    ?.slice(8)
    .split(',');
  assert.deepEqual(
    trace,
    TRACED_SYSCALLS.map((name) => `?${name}`),
  );
  assert.ok(TRACED_SYSCALLS.includes('openat') && !TRACED_SYSCALLS.includes('futex'));
});

test('damaged lines: no crash, no endless loop', () => {
  const seed = [
    '100 1700000000.000000001 execve("/bin/sh", ["sh", "-c", "a \\"b\\" (c"], ["A=1", "B=[{"]) = 0 <0.000000100>',
    '100 1700000000.1 accept4(3<TCP:[0.0.0.0:80]>, {sa_family=0x2, sin_port="\\x9b\\x0d", sin_addr="\\x7f\\x00\\x00\\x01"}, [16 => 16], 0x80000) = 4<TCP:[1.2.3.4:80->5.6.7.8:9]> <0.0001>',
    '100 1700000000.2 clone3({flags=0x3d0f00, stack=0x7f} => {parent_tid=[101]}, 88 <unfinished ...>',
    '101 1700000000.3 <... clone3 resumed>) = 102 <0.1>',
    '100 1700000000.4 recvmsg(5, {msg_name={sa_family=AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "::1", &sin6_addr)}, msg_iov=[{iov_base="x"..., iov_len=1}]}, 0) = 1',
    '100 1700000000.5 rt_sigaction(SIGINT, {sa_handler=SIG_DFL, sa_mask=~[RTMIN RT_1], sa_flags=SA_RESTORER}, NULL, 8) = 0',
  ];
  const next = random(3);
  for (let i = 0; i < 3000; i++) {
    const lines = seed.map((line) => {
      const at = next(line.length);
      const how = next(4);
      if (how === 0) return line.slice(0, at);
      if (how === 1) return line.slice(0, at) + '"[{(<>)}]\\,= '[next(13)] + line.slice(at + 1);
      if (how === 2) return line.slice(0, at) + line.slice(at + next(9));
      return line.slice(0, at) + line.slice(next(line.length));
    });
    for (const event of parseStrace(['1 exit(0) = ?', ...lines], { name: 'x' })) print(event);
  }
});

test('nesting without end does not exhaust the stack', () => {
  const [, event] = parseStrace([`7 ioctl(${'['.repeat(200_000)}) = 0`, '7 exit(0) = ?'], { name: 'x' });
  assert.ok(event !== undefined);
});
