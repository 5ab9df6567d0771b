// Single lines of each source: what they become; and what tells the sources apart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectSource, type SourceName } from '../../src/telemetry/index.ts';
import { boot } from '../monitor/echo.ts';
import { sysFlowFile } from '../monitor/sysflow.ts';
import { feedLines } from './feeds.ts';
import { printObservation } from './print.ts';
import { calls, falcoLines, sinspLines, tetragonLines } from './sessions.ts';
import { traceeLines, traceeNewLines } from './sessions-tracee.ts';

const told = (source: SourceName, ...lines: readonly string[]): string[] =>
  feedLines(source, lines)
    .observations.map(printObservation)
    .filter((line) => !/^(stream|container|process) /.test(line));

test('sources are told apart by their first bytes', () => {
  const session = calls(boot);
  const detect = (text: string | Uint8Array, whole = true): SourceName | undefined =>
    detectSource(typeof text === 'string' ? Buffer.from(text) : text, whole);
  assert.equal(detect(sysFlowFile(boot)), 'sysflow');
  assert.equal(detect(falcoLines(session).join('\n')), 'falco');
  assert.equal(detect(sinspLines(session).join('\n')), 'sinsp');
  assert.equal(
    detect('34378 12:02:36.269753803 2 echo (7896) > close fd=3(/usr/lib/locale/locale-archive)\n'),
    'sinsp',
  );
  assert.equal(detect('[\n{"evt.type":"open","evt.num":7,"proc.name":"cat"},\n'), 'falco');
  assert.equal(detect(tetragonLines(session).join('\n')), 'tetragon');
  assert.equal(detect(traceeLines(session).join('\n')), 'tracee');
  assert.equal(detect(traceeNewLines(session).join('\n')), 'tracee');
  assert.equal(detect('7 1600000000.000000001 execve("/bin/sh", ["sh"], []) = 0\n'), 'strace');
  assert.equal(detect('12:00:00 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3\n'), 'strace');
  assert.equal(
    detect('{"damaged": \n\n{"process_exec":{"process":{"pid":1}},"time":"2026-01-01T00:00:00Z"}'),
    'tetragon',
  );
  assert.equal(detect('{"process_exec":{"process":{"pid":1}}', false), undefined);
  for (const other of ['', 'hello\n', '{}', '{"name":"x"}', '\u0000\u0001', '[1, 2]', 'a(b) = c\n'])
    assert.equal(detect(other), undefined, other);
});

test('falco: an alert of a default rule', () => {
  const line =
    '{"hostname":"n","output":"…","output_fields":{"container.id":"3a94b4d3dd80","container.image.repository":"docker.io/library/nginx","container.image.tag":"1.25","container.name":"web","evt.time":1700000000123456789,"evt.type":"openat","evt.arg.flags":"O_RDONLY|O_CLOEXEC","fd.name":"/etc/shadow","proc.cmdline":"cat /etc/shadow","proc.exepath":"/usr/bin/cat","proc.name":"cat","proc.pid":4711,"proc.pname":"sh","user.name":"root","user.uid":0},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["filesystem"],"time":"2023-11-14T22:13:20.123456789Z"}';
  assert.deepEqual(feedLines('falco', [line]).observations.map(printObservation), [
    'stream falco 0',
    'container 3a94b4d3dd80 web docker.io/library/nginx:1.25 ',
    'process 4711@1700000000123456789 of - /usr/bin/cat [/etc/shadow] root(0) 3a94b4d3dd80 again',
    'event 1700000000123456789 4711/4711 OPEN r /etc/shadow = 0',
  ]);
});

test('falco: connections from either side, fields that are left out, drops, other sources', () => {
  const alert = (fields: object, more: object = {}): string =>
    JSON.stringify({
      output_fields: { 'container.id': 'host', 'proc.pid': 7, 'proc.exepath': '/srv/x', ...fields },
      rule: 'r',
      time: '2026-01-01T00:00:00.5Z',
      ...more,
    });
  assert.deepEqual(
    told(
      'falco',
      alert({
        'evt.type': 'connect',
        'fd.name': '10.0.0.2:40000->1.2.3.4:443',
        'fd.l4proto': 'tcp',
        'fd.typechar': '4',
      }),
      alert({ 'evt.type': 'accept4', 'fd.name': '10.0.0.9:5000->10.0.0.2:80', 'fd.type': 'ipv4' }),
      alert({
        'evt.type': 'connect',
        'fd.name': '[::1]:40000->[2001:db8::1]:53',
        'fd.type': 'ipv6',
        'fd.l4proto': 'udp',
      }),
      alert({ 'evt.type': 'unlinkat', 'fs.path.name': '/tmp/x' }),
      alert({ 'evt.type': 'renameat2', 'fs.path.source': '/a', 'fs.path.target': '/b' }),
      alert({ 'evt.type': 'write', 'fd.name': '<NA>' }),
      alert({ 'evt.type': 'setuid', 'evt.args': 'uid=33(www-data)' }),
      alert({ 'evt.type': 'epoll_wait' }),
      alert({ n_drops: 12 }, { rule: 'Falco internal: syscall event drop' }),
      alert({ 'ka.verb': 'create' }, { source: 'k8s_audit' }),
    ),
    [
      'event 1767225600500000000 7/7 CONNECT tcp 10.0.0.2:40000 <-> 1.2.3.4:443 = 0',
      'event 1767225600500000000 7/7 ACCEPT tcp 10.0.0.2:80 <-> 10.0.0.9:5000 = 0',
      'event 1767225600500000000 7/7 CONNECT udp [::1]:40000 <-> [2001:db8::1]:53 = 0',
      'event 1767225600500000000 7/7 UNLINK /tmp/x = 0',
      'event 1767225600500000000 7/7 RENAME /a -> /b = 0',
      'event 1767225600500000000 7/7 WRITE = 0',
      'event 1767225600500000000 7/7 SETUID 33 = 0',
      'gap events dropped by Falco 12',
    ],
  );
});

test('sinsp: the two lines of a call', () => {
  assert.deepEqual(
    told(
      'sinsp',
      '1 12:00:00.000000001 2 cat (7) > openat dirfd=-100(AT_FDCWD) name=/etc/passwd flags=1(O_RDONLY) mode=0',
      '2 12:00:00.000000002 2 cat (7) < openat fd=3(<f>/etc/passwd) dirfd=-100(AT_FDCWD) name=/etc/passwd flags=1(O_RDONLY) mode=0',
      '3 12:00:00.000000003 2 cat (7) > read fd=3(<f>/etc/passwd) size=4096',
      '4 12:00:00.000000004 2 cat (7) < read res=100 data=root:x:0:0:root',
      '5 12:00:00.000000005 2 cat (7) > connect fd=4(<4>) addr=1.2.3.4:80',
      '6 12:00:00.000000006 2 cat (7) < connect res=-115(EINPROGRESS) tuple=10.0.0.1:4000->1.2.3.4:80',
      'not an event',
    ),
    [
      'event 43200000000002 7/7 OPEN r /etc/passwd = 3',
      'event 43200000000004 7/7 READ /etc/passwd = 100',
      'event 43200000000006 7/7 CONNECT tcp 10.0.0.1:4000 <-> 1.2.3.4:80 = -115',
      'gap line that is no event 1',
    ],
  );
});

const kprobe = (name: string, ...args: readonly object[]): string =>
  JSON.stringify({
    process_kprobe: {
      process: { exec_id: 'bjo1', pid: 9, uid: 0, binary: '/usr/bin/curl', arguments: 'http://x', tid: 9 },
      function_name: name,
      args,
      policy_name: 'p',
    },
    time: '2026-01-01T00:00:00.000000001Z',
  });
const sock = {
  family: 'AF_INET',
  protocol: 'IPPROTO_TCP',
  saddr: '10.0.0.1',
  daddr: '1.2.3.4',
  sport: 4000,
  dport: 443,
};

test('tetragon: hooks of the usual policies', () => {
  const at = 'event 1767225600000000001 9/9';
  assert.deepEqual(
    told(
      'tetragon',
      kprobe('tcp_connect', { sock_arg: sock }),
      kprobe('tcp_sendmsg', { sock_arg: sock }, { int_arg: 77 }),
      kprobe('tcp_close', { sock_arg: sock }),
      kprobe('udp_sendmsg', { sock_arg: { ...sock, protocol: 'IPPROTO_UDP', dport: 53 } }),
      kprobe('security_file_permission', { file_arg: { path: '/etc/shadow' } }, { int_arg: 6 }),
      kprobe('security_mmap_file', { file_arg: { path: '/lib/x.so' } }, { uint_arg: 5 }, { uint_arg: 2 }),
      kprobe('security_path_truncate', { path_arg: { path: '/etc/passwd' } }),
      kprobe('__x64_sys_mount', { string_arg: '/dev/sda1' }, { string_arg: '/mnt' }),
      kprobe('__x64_sys_setuid', { int_arg: 0 }),
      kprobe('__x64_sys_openat', { int_arg: -100 }, { string_arg: 'relative/name' }),
      kprobe('fd_install', { int_arg: 3 }, { file_arg: { path: '/dev/pts/0' } }),
      kprobe('some_function'),
      '{"rate_limit_info":{"number_of_dropped_process_events":"5"},"time":"2026-01-01T00:00:01Z"}',
      `2026-01-01T00:00:00Z stdout F ${kprobe('security_bpf')}`,
    ),
    [
      `${at} CONNECT tcp 10.0.0.1:4000 <-> 1.2.3.4:443 = 0`,
      `${at} WRITE tcp 10.0.0.1:4000 <-> 1.2.3.4:443 = 0`,
      `${at} WRITE udp 10.0.0.1:4000 <-> 1.2.3.4:53 = 0`,
      `${at} READ /etc/shadow = 0`,
      `${at} WRITE /etc/shadow = 0`,
      `${at} MMAP rx /lib/x.so = 0`,
      `${at} TRUNCATE /etc/passwd = 0`,
      `${at} MOUNT = 0`,
      `${at} SETUID 0 = 0`,
      `${at} OPEN = 0`,
      'gap events dropped by the rate limit of the export 5',
      `${at} BPF = 0`,
    ],
  );
});

test('tetragon: execs, forks, reused pids, arguments that are cut', () => {
  const exec = (
    pid: number,
    id: string,
    parent: string,
    binary: string,
    args: string,
    flags: string,
  ): string =>
    JSON.stringify({
      process_exec: {
        process: {
          exec_id: id,
          pid,
          uid: 0,
          binary,
          arguments: args,
          flags,
          docker: 'abcdef012345678',
          parent_exec_id: parent,
        },
      },
      time: '1970-01-01T00:00:01Z',
    });
  assert.deepEqual(
    feedLines('tetragon', [
      exec(10, 'a', '', '/bin/sh', '/run.sh', 'execve clone procFS'),
      exec(11, 'b', 'a', '/bin/ls', '-l "a b"', 'execve clone'),
      exec(11, 'c', 'a', '/bin/cat', '', 'execve'),
      exec(11, 'd', 'a', '/bin/id', '', 'execve clone'),
      exec(12, 'e', 'a', '/bin/tr', 'x', 'execve clone truncArgs'),
    ]).observations.map(printObservation),
    [
      'stream tetragon 0',
      'container abcdef012345   ',
      'process 10@1000000000 of - /bin/sh [/run.sh] (0) abcdef012345 again',
      'process 11@1000000000 of 10@1000000000 /bin/sh [/run.sh] (0) abcdef012345',
      'process 11@1000000000 of 10@1000000000 /bin/ls [-l a b] (0) abcdef012345',
      'event 1000000000 11/11 EXEC /bin/ls -l a b = 0',
      'process 11@1000000000 of 10@1000000000 /bin/cat [] (0) abcdef012345',
      'event 1000000000 11/11 EXEC /bin/cat = 0',
      'process 11@1000000000 of 10@1000000000 /bin/sh [/run.sh] (0) abcdef012345',
      'process 11@1000000000 of 10@1000000000 /bin/id [] (0) abcdef012345',
      'event 1000000000 11/11 EXEC /bin/id = 0',
      'process 12@1000000000 of 10@1000000000 /bin/tr [] (0) abcdef012345 again',
    ],
  );
});

test('tracee: opens of an exec are the kernel’s, a hook and its call are one, failures are told', () => {
  const event = (
    eventName: string,
    syscall: string,
    returnValue: number,
    args: Readonly<Record<string, unknown>>,
  ): string =>
    JSON.stringify({
      timestamp: 1_700_000_000,
      processId: 5,
      hostProcessId: 5,
      hostThreadId: 5,
      executable: { path: '/srv/x' },
      containerId: '',
      eventName,
      syscall,
      returnValue,
      args: Object.entries(args).map(([name, value]) => ({ name, type: '', value })),
    });
  const inet = (address: string, port: string): object => ({
    sa_family: 'AF_INET',
    sin_addr: address,
    sin_port: port,
  });
  assert.deepEqual(
    told(
      'tracee',
      event('security_file_open', 'execve', 0, { pathname: '/bin/ls', flags: 'O_RDONLY' }),
      event('security_file_open', 'openat', 0, { pathname: '/etc/passwd', flags: 'O_RDONLY|O_LARGEFILE' }),
      event('openat', 'openat', 3, { dirfd: -100, pathname: '/etc/passwd', flags: 0 }),
      event('openat', 'openat', -2, { dirfd: -100, pathname: '/etc/none', flags: 577 }),
      event('openat', 'openat', 4, { dirfd: 9, pathname: 'relative', flags: 'O_RDONLY' }),
      event('security_socket_connect', 'connect', 0, {
        type: 'SOCK_DGRAM',
        remote_addr: inet('1.1.1.1', '53'),
      }),
      event('security_socket_connect', 'connect', 0, {
        type: 'SOCK_STREAM',
        remote_addr: { sa_family: 'AF_UNIX', sun_path: '/run/x' },
      }),
      event('security_socket_bind', 'bind', 0, { type: 'SOCK_STREAM', local_addr: inet('0.0.0.0', '80') }),
      event('connect', 'connect', 0, { sockfd: 3, addr: inet('9.9.9.9', '443') }),
      event('read', 'read', 5, { fd: '7=/etc/hosts' }),
      event('kill', 'kill', 0, { pid: 1, sig: 'SIGKILL' }),
      event('net_packet_http', '', 0, {}),
    ),
    [
      'OPEN r /etc/passwd = 0',
      'OPEN wct /etc/none = -2',
      'OPEN r = 4',
      'CONNECT udp :0 <-> 1.1.1.1:53 = 0',
      'CONNECT /run/x = 0',
      'BIND tcp 0.0.0.0:80 <-> :0 = 0',
      'CONNECT = 0',
      'READ /etc/hosts = 5',
      'KILL signal:9 = 0',
    ].map((text) => `event 1700000000 5/5 ${text}`),
  );
});
