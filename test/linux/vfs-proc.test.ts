import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeText } from '../../src/bytes/index.ts';
import { O } from '../../src/linux/abi-file.ts';
import { Box } from './box.ts';

const buffers = new WeakMap<Box, number>();
/** One read buffer for each box. */
function readBuffer(box: Box): number {
  const known = buffers.get(box) ?? box.buffer(65536);
  buffers.set(box, known);
  return known;
}

function slurp(box: Box, path: string): string | number {
  const fd = box.sys('open', path, O.RDONLY, 0);
  assert.equal(typeof fd, 'number');
  if ((fd as number) < 0) return fd as number;
  const buffer = readBuffer(box);
  let text = '';
  for (;;) {
    const count = box.sys('read', fd as number, buffer, 65536) as number;
    if (count < 0) return count;
    if (count === 0) break;
    text += decodeText(box.read(buffer, count));
  }
  box.sys('close', fd as number);
  return text;
}

function names(box: Box, path: string): string[] {
  const fd = box.sys('open', path, O.RDONLY | O.DIRECTORY, 0) as number;
  assert.ok(fd >= 0, `${path}: ${fd}`);
  const buffer = readBuffer(box);
  const out: string[] = [];
  for (;;) {
    const count = box.sys('getdents64', fd, buffer, 4096) as number;
    if (count <= 0) break;
    const bytes = box.read(buffer, count);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < count; at += view.getUint16(at + 16, true)) {
      const end = bytes.indexOf(0, at + 19);
      out.push(decodeText(bytes.subarray(at + 19, end)));
    }
  }
  box.sys('close', fd);
  return out;
}

function readlink(box: Box, path: string): string | number {
  const buffer = box.buffer(4096);
  const count = box.sys('readlink', path, buffer, 4096) as number;
  return count < 0 ? count : decodeText(box.read(buffer, count));
}

test('every file of /proc, /proc/self and /sys reads without a crash', () => {
  const box = new Box();
  let files = 0;
  const stat = box.buffer(144);
  const visit = (path: string, depth: number): void => {
    for (const name of names(box, path)) {
      if (name === '.' || name === '..') continue;
      const below = `${path === '/' ? '' : path}/${name}`;
      assert.equal(box.sys('newfstatat', -100, below, stat, 0x100), 0, below);
      const type = box.u32(stat + 24) & 0o170000;
      if (type === 0o040000 && depth < 8 && !/^\/proc\/\d+\/(task|fd|fdinfo)/.test(below))
        visit(below, depth + 1);
      else if (type === 0o100000) {
        files++;
        const text = slurp(box, below);
        // nothing is mapped at 0
        const errors = below.endsWith('/mem') ? [-5] : [-22, -13, -3];
        assert.ok(typeof text === 'string' || errors.includes(text), `${below}: ${text}`);
      }
    }
  };
  visit('/proc', 0);
  visit('/sys', 0);
  assert.ok(files > 300, `${files} files`);
  // whose memory is not read through its file
  assert.deepEqual(
    box.cuts.filter(({ what }) => what !== '/proc/PID/mem'),
    [],
  );
});

test('values come from the environment', () => {
  const box = new Box();
  assert.equal(slurp(box, '/proc/sys/kernel/hostname'), 'box\n');
  assert.equal(slurp(box, '/etc/hostname'), 'box\n');
  assert.match(slurp(box, '/etc/hosts') as string, /^172\.17\.0\.2\tbox$/m);
  assert.equal(slurp(box, '/etc/resolv.conf'), 'nameserver 172.17.0.1\n');
  assert.match(slurp(box, '/proc/meminfo') as string, /^MemTotal: +2097152 kB$/m);
  assert.equal((slurp(box, '/proc/cpuinfo') as string).match(/^processor/gm)?.length, 2);
  assert.equal(slurp(box, '/sys/devices/system/cpu/online'), '0-1\n');
  assert.match(slurp(box, '/proc/version') as string, /6\.1\.0-18-amd64/);
  assert.equal(slurp(box, '/proc/uptime'), '1000.00 2000.00\n');
  assert.match(slurp(box, '/proc/stat') as string, /^btime 1699999000$/m);
  assert.equal(slurp(box, '/sys/fs/cgroup/memory.max'), 'max\n');
});

test('a process sees itself', () => {
  const box = new Box();
  const { process } = box.task;
  process.comm = box.task.comm = 'a) b';
  process.exe = '/dir/one';
  assert.equal(readlink(box, '/proc/self'), '1');
  assert.equal(readlink(box, '/proc/thread-self'), '1/task/1');
  assert.match(slurp(box, '/proc/self/stat') as string, /^1 \(a\) b\) R 0 1 1 0 -1 /);
  assert.equal((slurp(box, '/proc/self/stat') as string).slice(8).trim().split(' ').length, 50);
  assert.match(slurp(box, '/proc/self/status') as string, /^Pid:\t1$/m);
  assert.equal(readlink(box, '/proc/self/exe'), '/dir/one');
  assert.equal(slurp(box, '/proc/self/exe'), 'one');
  assert.equal(readlink(box, '/proc/self/cwd'), '/');
  box.sys('chdir', '/dir/sub');
  assert.equal(readlink(box, '/proc/1/cwd'), '/dir/sub');
  assert.equal(slurp(box, '/proc/self/cwd/deep'), 'deep');
  assert.deepEqual(names(box, '/proc/self/fd').slice(2), ['0', '1', '2', '3']);
  assert.equal(readlink(box, '/proc/self/fd/0'), '/dev/null');
  assert.match(readlink(box, '/proc/self/fd/1') as string, /^pipe:\[\d+\]$/);
  assert.match(slurp(box, '/proc/self/maps') as string, /^10000000-11000000 rw-p 00000000 00:00 0 $/m);
  assert.match(slurp(box, '/proc/self/limits') as string, /^Max open files +1024 +1048576 +files/m);
  assert.equal(slurp(box, '/proc/self/cgroup'), '0::/\n');
  assert.equal(slurp(box, '/proc/99/stat'), -2);
});

test('descriptors through /proc: reopening, unlinked files, pipes', () => {
  const box = new Box();
  const fd = box.sys('open', '/dir/one', O.RDWR, 0) as number;
  assert.equal(readlink(box, `/proc/self/fd/${fd}`), '/dir/one');
  box.sys('unlink', '/dir/one');
  assert.equal(readlink(box, `/proc/self/fd/${fd}`), '/dir/one (deleted)');
  const again = box.sys('open', `/proc/self/fd/${fd}`, O.RDONLY, 0) as number;
  const buffer = box.buffer(16);
  assert.equal(box.sys('read', again, buffer, 16), 3);
  // /dev/stdout leads to the container's pipe
  const out = box.sys('open', '/dev/stdout', O.WRONLY | O.APPEND, 0) as number;
  assert.ok(out > 0);
  assert.equal(box.sys('write', out, 'text', 4), 4);
  assert.equal(box.sys('chown', '/dev/stdout', 5, 5), 0);
  const event = box.sys('eventfd2', 5, 0) as number;
  assert.equal(readlink(box, `/proc/self/fd/${event}`), 'anon_inode:[eventfd]');
  assert.equal(box.sys('open', `/proc/self/fd/${event}`, O.RDONLY, 0), -6);
  assert.match(slurp(box, `/proc/self/fdinfo/${event}`) as string, /eventfd-count: +5/);
});

test('another process is closed to strangers', () => {
  const box = new Box();
  const other = box.spawn(8, box.task);
  other.process.credentials.uid = other.process.credentials.euid = other.process.credentials.suid = 1000;
  assert.deepEqual(
    names(box, '/proc').filter((name) => /^\d+$/.test(name)),
    ['1', '8'],
  );
  box.become(2000, 2000);
  assert.equal(readlink(box, '/proc/8/cwd'), -13);
  assert.equal(box.sys('open', '/proc/8/fd', O.RDONLY | O.DIRECTORY, 0), -13);
  assert.equal(box.sys('open', '/proc/8/environ', O.RDONLY, 0), -13);
  assert.match(slurp(box, '/proc/8/stat') as string, /^8 /);
  assert.equal(readlink(box, '/proc/self/cwd'), '/');
});

test('mounts are those of a container runtime', () => {
  const box = new Box();
  const mounts = slurp(box, '/proc/mounts') as string;
  assert.match(mounts, /^overlay \/ overlay rw,relatime,/m);
  assert.match(mounts, /^proc \/proc proc rw,nosuid,nodev,noexec,relatime 0 0$/m);
  assert.match(mounts, /^tmpfs \/dev tmpfs rw,nosuid,size=65536k,mode=755,inode64 0 0$/m);
  assert.match(mounts, /^sysfs \/sys sysfs ro,/m);
  assert.match(
    slurp(box, '/proc/self/mountinfo') as string,
    /^\d+ \d+ 0:\d+ \/sys \/proc\/sys ro,\S+ - proc proc rw$/m,
  );
  assert.equal(box.sys('open', '/proc/sys/kernel/hostname', O.WRONLY, 0), -30);
  assert.equal(box.sys('mkdir', '/proc/x', 0o755), -2);
  assert.equal(box.sys('mkdir', '/sys/x', 0o755), -30);
  assert.equal(slurp(box, '/proc/kcore'), '');
});

test('writes to /proc files of a process', () => {
  const box = new Box();
  const fd = box.sys('open', '/proc/self/comm', O.RDWR, 0) as number;
  assert.equal(box.sys('write', fd, 'renamed', 7), 7);
  assert.equal(box.task.comm, 'renamed');
  const score = box.sys('open', '/proc/self/oom_score_adj', O.RDWR, 0) as number;
  assert.equal(box.sys('write', score, '500', 3), 3);
  assert.equal(slurp(box, '/proc/self/oom_score_adj'), '500\n');
  assert.equal(box.sys('write', score, '-500', 4), -13);
  assert.equal(box.sys('write', score, 'x', 1), -22);
});

test('/proc/net lists sockets', () => {
  const box = new Box();
  const fd = box.sys('socket', 2, 1, 0) as number;
  box.sys('bind', fd, Uint8Array.of(2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), 16);
  box.sys('listen', fd, 5);
  assert.match(slurp(box, '/proc/net/tcp') as string, /^ {3}0: 0100007F:1F90 00000000:0000 0A /m);
  assert.match(slurp(box, '/proc/net/route') as string, /^eth0\t00000000\t010011AC\t0003/m);
  assert.match(slurp(box, '/proc/self/net/dev') as string, /^ {2}eth0:/m);
  assert.match(slurp(box, '/proc/net/snmp6') as string, /^Ip6InReceives +\t0\n/);
  assert.match(slurp(box, '/proc/net/dev_snmp6/eth0') as string, /^ifIndex +\t2\nIp6InReceives +\t0\n/);
  assert.match(
    slurp(box, '/proc/net/netstat') as string,
    /^TcpExt: SyncookiesSent .*\nTcpExt: 0 .*\nIpExt: /,
  );
  assert.match(slurp(box, '/proc/net/rt_cache') as string, /^Iface\t/);
  assert.equal(slurp(box, '/proc/sys/net/ipv6/neigh/lo/retrans_time_ms'), '1000\n');
});
