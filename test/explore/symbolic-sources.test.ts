// Expressions of what is the environment's: who calls, process numbers, random bytes and time make patterns; files of
// unknown content and answers from outside are other ones in other runs; a connection is gone on with after an answer.
// One environment alone is modelled, so that nothing here comes from comparing two.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Modelled, type ModelledOptions, modelled } from './symbolic-server.ts';

const alone = (options: Partial<ModelledOptions> = {}): ModelledOptions => ({
  runs: 40,
  environments: 1,
  directories: ['/data'],
  ...options,
});

const has = (found: Modelled, effect: string): void =>
  assert.ok(found.effects.includes(effect), found.effects.filter((one) => one.includes('/')).join('; '));

for (const [what, body, effect] of [
  [
    'a process number',
    `snprintf(path, 100, "/data/temp-%d.rdb", (int)getpid());`,
    'OPEN wc /data/temp-[0-9]+.rdb',
  ],
  [
    'the port of a client',
    `struct sockaddr_in c; socklen_t l = sizeof c; if (getpeername(fd, (void *)&c, &l)) return;
     snprintf(path, 100, "/data/from-%u.log", ntohs(c.sin_port));`,
    'OPEN wc /data/from-[0-9]+.log',
  ],
  [
    'random bytes',
    `unsigned char r[4]; getrandom(r, 4, 0); static const char hex[] = "0123456789abcdef"; int i;
     strcpy(path, "/data/r-"); for (i = 0; i < 4; i++) path[8 + i] = hex[r[i] & 15]; path[12] = 0;`,
    'OPEN wc /data/r-[0-9a-f]+',
  ],
  [
    'time',
    `struct timespec t; clock_gettime(CLOCK_REALTIME, &t); snprintf(path, 100, "/data/at-%u", (unsigned)t.tv_sec);`,
    'OPEN wc /data/at-[0-9]+',
  ],
] as const)
  test(`${what} in a name is a pattern`, (t) => {
    const found = modelled(
      t,
      `if (buf[0] != 'S') return; char path[100]; ${body} close(open(path, O_CREAT | O_WRONLY, 0600));`,
      alone(),
    );
    if (found !== undefined) has(found, effect);
  });

const SESSIONS = `
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7000) };
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(s, (void *)&a, sizeof a) || listen(s, 5)) return 1;
  for (;;) {
    static char buf[4096]; int n, in = 0, fd = accept(s, 0, 0);
    while ((n = read(fd, buf, sizeof buf - 1)) > 0) {
      buf[n] = 0;
      if (!in) { in = strncmp(buf, "LOGIN joe", 9) == 0; write(fd, in ? "hello joe" : "who are you", in ? 9 : 11); }
      else if (in == 1) { in += strncmp(buf, "ADMIN", 5) == 0; write(fd, in == 2 ? "admin" : "what?", 5); }
      else if (strncmp(buf, "WIPE", 4) == 0) unlink("/data/all");
      else write(fd, "no", 2);
    }
    close(fd);
  }
}`;

test('a login, then a command, then another', (t) => {
  const found = modelled(t, '', alone({ program: SESSIONS, runs: 400, files: { '/data/all': 'x' } }));
  if (found !== undefined) has(found, 'UNLINK /data/all');
});

test('a file of unknown content is read, whatever is in it', (t) => {
  const body = `if (buf[0] != 'R') return; char in[100]; int f = open("/mnt/conf/mode", O_RDONLY);
    if (f < 0) return; int m = read(f, in, 99); close(f); if (m < 4) return;
    if (memcmp(in, "fast", 4) == 0) close(open("/data/fast", O_RDONLY));`;
  const mounts = [
    { target: '/mnt/conf', readOnly: true, content: { kind: 'unknown', file: false, mode: 0o777 } },
  ] as const;
  const found = modelled(t, body, alone({ mounts, runs: 100, directories: ['/data', '/mnt/conf'] }));
  if (found === undefined) return;
  has(found, 'READ /mnt/conf/mode');
  has(found, 'OPEN r /data/fast');
});

test('a file of unknown content is read in parts by one call', (t) => {
  const body = `if (buf[0] != 'R') return; char a[2], in[100]; int f = open("/mnt/conf/mode", O_RDONLY);
    if (f < 0) return; struct iovec v[] = { { a, 2 }, { in, 99 } }; int m = readv(f, v, 2); close(f);
    if (m > 4 && memcmp(a, "fa", 2) == 0 && memcmp(in, "st", 2) == 0) close(open("/data/fast", O_RDONLY));`;
  const mounts = [
    { target: '/mnt/conf', readOnly: true, content: { kind: 'unknown', file: false, mode: 0o777 } },
  ] as const;
  const found = modelled(t, body, alone({ mounts, runs: 100, directories: ['/data', '/mnt/conf'] }));
  if (found !== undefined) has(found, 'OPEN r /data/fast');
});

const DATAGRAMS = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7000) }, c;
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(s, (void *)&a, sizeof a)) return 1;
  for (;;) {
    static char head[1], buf[4096];
    struct iovec v[] = { { head, 1 }, { buf, 4096 } };
    struct msghdr m = { .msg_name = &c, .msg_namelen = sizeof c, .msg_iov = v, .msg_iovlen = 2 };
    if (recvmsg(s, &m, 0) < 1) continue;
    if (ntohs(c.sin_port) == 4711) close(open("/data/never", O_RDONLY));
  }
}`;

test('who sent a datagram, told by recvmsg, is the environment', (t) => {
  const found = modelled(t, '', alone({ program: DATAGRAMS }));
  if (found === undefined) return;
  const { cuts } = found.policy;
  assert.ok(
    cuts.some(({ what, at }) => what === 'branch on the environment' && at.startsWith('/program+0x')),
    JSON.stringify(cuts),
  );
});

test('a variable of unknown value has any', (t) => {
  const body = `if (buf[0] != 'M') return; const char *mode = getenv("MODE");
    if (mode && strcmp(mode, "slow") == 0) close(open("/data/slow", O_RDONLY));`;
  const found = modelled(t, body, alone({ unknown: ['MODE=?'], runs: 100 }));
  if (found !== undefined) has(found, 'OPEN r /data/slow');
});

test('a message in pieces, and a client that is gone', (t) => {
  const body = `if (memcmp(buf, "PIECE", 5)) return; int m = read(fd, buf, 4095);
    if (m > 0 && write(fd, "x", 1) == 1 && read(fd, buf, 10) < 0) close(open("/data/gone", O_RDONLY));`;
  const found = modelled(t, body, alone({ runs: 100 }));
  if (found !== undefined) has(found, 'OPEN r /data/gone');
});

test('an answer from outside is any answer', (t) => {
  const body = `if (buf[0] != 'Q') return; struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(11211) };
    inet_aton("93.184.21.9", &to.sin_addr); char in[100]; int c = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c, (void *)&to, sizeof to)) return; write(c, "get key\\r\\n", 9); int m = read(c, in, 99); close(c);
    if (m > 4 && memcmp(in, "VAL", 3) == 0) close(open("/data/value", O_RDONLY));`;
  const found = modelled(t, body, alone({ runs: 100 }));
  if (found !== undefined) has(found, 'OPEN r /data/value');
});

test('a message of a certain length', (t) => {
  const found = modelled(t, `if (n == 137) close(open("/data/exact", O_RDONLY));`, alone({ runs: 100 }));
  if (found !== undefined) has(found, 'OPEN r /data/exact');
});

test('a branch on the environment is a cut', (t) => {
  const found = modelled(t, `if (getpid() == 4711) close(open("/data/never", O_RDONLY));`, alone());
  if (found === undefined) return;
  const cuts = found.policy.cuts.filter(({ what }) => what === 'branch on the environment');
  assert.ok(
    cuts.some(({ at }) => at.startsWith('/program+0x')),
    JSON.stringify(found.policy.cuts),
  );
});
