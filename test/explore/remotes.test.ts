// What a container hears from those outside that it turns to: names, connections, the first answers of protocols.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { latin1, latin1Bytes } from '../../src/bytes/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, Explorer, plainLaunch } from '../../src/explore/index.ts';
import { answerDns, greeting, reply } from '../../src/explore/remote-answers.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine, type Outside } from '../../src/linux/index.ts';
import { hasTool } from '../linux/guest.ts';

const names = { addressOf: () => '23.4.5.6', nameOf: (address: string) => `host.${address}.example` };

function query(name: string, type: number): Uint8Array {
  const labels = name.split('.').map((label) => String.fromCharCode(label.length) + label);
  return latin1Bytes(
    `\x12\x34\x01\0\0\x01\0\0\0\0\0\0${labels.join('')}\0\0${String.fromCharCode(type)}\0\x01`,
  );
}

test('a name server answers what it is asked, and says when there is no such name', () => {
  const address = latin1(answerDns(query('db.test', 1), names) ?? new Uint8Array());
  assert.equal(address.slice(0, 8), '\x12\x34\x81\x80\0\x01\0\x01');
  assert.equal(address.slice(-6), '\0\x04\x17\x04\x05\x06');
  const name = latin1(answerDns(query('6.5.4.23.in-addr.arpa', 12), names) ?? new Uint8Array());
  assert.ok(name.endsWith('\x04host\x0223\x014\x015\x016\x07example\0'), name);
  const six = latin1(answerDns(query('db.test', 28), names) ?? new Uint8Array());
  assert.equal(six.slice(2, 8), '\x81\x80\0\x01\0\0');
  const none = latin1(answerDns(query('db.test', 1), undefined) ?? new Uint8Array());
  assert.equal(none.slice(2, 8), '\x81\x83\0\x01\0\0');
  // no queries: an answer, two questions, a name beyond the end, nothing
  const whole = query('db.test', 1);
  const broken = [
    whole.with(2, 0x81),
    whole.with(5, 2),
    whole.with(12, 60),
    whole.subarray(0, 20),
    new Uint8Array(),
  ];
  for (const bytes of broken) assert.equal(answerDns(bytes, names), undefined);
});

test('servers say what a client of their protocol waits for', () => {
  const said = (port: number, heard: string): string | undefined => {
    const answer = reply(port, latin1Bytes(heard), names);
    return answer === undefined ? undefined : latin1(answer.bytes) + (answer.ends ? '$' : '');
  };
  assert.match(
    said(8080, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n') ?? '',
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok\n\$$/,
  );
  assert.match(said(80, 'HEAD / HTTP/1.1\r\n\r\n') ?? '', /keep-alive\r\n\r\n$/);
  assert.match(
    said(80, 'GET / HTTP/1.1\r\nIf-None-Match: "1"\r\n\r\n') ?? '',
    /^HTTP\/1.1 304 [\s\S]*\r\n\r\n$/,
  );
  assert.equal(said(80, 'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc'), undefined);
  assert.equal(said(80, 'GET / HTT'), undefined);
  assert.equal(
    said(6379, '*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n'),
    '+PONG\r\n$-1\r\n+OK\r\n',
  );
  assert.equal(said(11211, 'set a 0 0 1\r\nb\r\n'), 'STORED\r\n');
  assert.equal(said(5432, '\0\0\0\x08\x04\xd2\x16\x2f'), 'N');
  assert.match(said(5432, `\0\0\0\x09\0\x03\0\0\0`) ?? '', /^R[\s\S]*Z\0\0\0\x05I$/);
  assert.equal(said(9000, '\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0'), undefined);
  assert.match(
    said(9000, '\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0\x01\x05\0\x01\0\0\0\0') ?? '',
    /^\x01\x06\0\x01[\s\S]*\$$/,
  );
  assert.equal(said(443, '\x16\x03\x01\0\x05hello'), '\x15\x03\x03\0\x02\x02\x28$');
  assert.equal(said(25, 'EHLO a\r\n'), '250 ok\r\n');
  assert.equal(said(4242, 'what is this\n'), undefined);
  assert.ok(latin1(greeting(3306)?.bytes ?? new Uint8Array()).includes('mysql_native_password'));
  assert.equal(greeting(80), undefined);
});

const SOURCE = `
#include <netdb.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void look(const char *path) { close(open(path, O_RDONLY)); }
int main(void) {
  struct addrinfo hint = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *to;
  int error = getaddrinfo("store.internal", "6379", &hint, &to);
  if (error) { look(error == EAI_NONAME ? "/no-such-name" : "/no-answer"); return 0; }
  char name[256], b[100];
  if (!getnameinfo(to->ai_addr, to->ai_addrlen, name, sizeof name, 0, 0, NI_NAMEREQD)) look("/named");
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, to->ai_addr, to->ai_addrlen)) { look("/refused"); return 0; }
  for (int i = 0; i < 3; i++) {
    if (write(s, "*1\\r\\n$4\\r\\nPING\\r\\n", 14) != 14) break;
    int n = read(s, b, sizeof b);
    if (n != 7 || memcmp(b, "+PONG", 5)) { look("/closed"); return 0; }
  }
  look("/answered");
}
`;

test('a program that asks for a name, connects and talks', (t) => {
  if (!hasTool('musl-gcc')) return t.skip('needs musl-gcc');
  const folder = mkdtempSync(join(tmpdir(), 'effigy-remotes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const binary = join(folder, 'client');
  writeFileSync(`${binary}.c`, SOURCE);
  execFileSync('musl-gcc', ['-O1', '-static', '-w', '-o', binary, `${binary}.c`]);
  const tree = treeBuilder().addFile('/client', readFileSync(binary), { mode: 0o755 }).build();
  const looked = (outside: Outside | undefined, environment = 0): string[] => {
    const { boot } = new Explorer({
      tree,
      launch: plainLaunch({ argv: ['/client'] }, ENVIRONMENTS[environment]),
      machine: createMachine(),
      budgets: DEFAULT_BUDGETS,
      ...(outside === undefined ? {} : { outside }),
    });
    assert.equal(boot.stop.kind, 'exited');
    return boot.steps.flatMap((step) => {
      const text = step.kind === 'effect' ? printEffect(step.event.effect) : '';
      return /^OPEN r \/[a-z-]+$|^CONNECT tcp/.test(text) ? [text.replace(/:\d+ <-> /, ':N <-> ')] : [];
    });
  };
  const answered = looked(undefined);
  assert.match(answered[1], /^CONNECT tcp 172\.17\.0\.2:N <-> [\d.]+:6379$/);
  assert.deepEqual([answered[0], answered[2]], ['OPEN r /named', 'OPEN r /answered']);
  assert.notEqual(looked('answers', 1)[1].split(' ').at(-1), answered[1].split(' ').at(-1));
  assert.deepEqual(looked('denies'), ['OPEN r /no-such-name']);
  assert.deepEqual(looked('silent'), ['OPEN r /no-answer']);
});

const ENDLESS = `
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
static int to(int port) {
  struct sockaddr_in a = {AF_INET, htons(port)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  inet_aton("198.51.100.2", &a.sin_addr);
  return connect(s, (void *)&a, sizeof a) ? -1 : s;
}
int main(void) {
  struct timeval t = {1, 0};
  char b[10];
  int s = to(4242);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  for (int i = 0; i < 2; i++) { write(s, "so what?", 8); read(s, b, sizeof b); }
  for (;;) close(to(80));
}
`;

test('what nobody answers is a cut: bytes of no protocol, and what comes after many answers', (t) => {
  if (!hasTool('musl-gcc')) return t.skip('needs musl-gcc');
  const folder = mkdtempSync(join(tmpdir(), 'effigy-remotes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const binary = join(folder, 'endless');
  writeFileSync(`${binary}.c`, ENDLESS);
  execFileSync('musl-gcc', ['-O1', '-static', '-w', '-o', binary, `${binary}.c`]);
  const tree = treeBuilder().addFile('/endless', readFileSync(binary), { mode: 0o755 }).build();
  const explorer = new Explorer({
    tree,
    launch: plainLaunch({ argv: ['/endless'] }, ENVIRONMENTS[0]),
    machine: createMachine(),
    budgets: DEFAULT_BUDGETS,
  });
  assert.deepEqual(
    [...explorer.cuts.values()].map(({ cut, count }) => [cut.kind, cut.what, count]),
    [
      ['environment', 'what is said to port 4242 outside', 1],
      ['budget', '256 answers of those outside', 1],
    ],
  );
});
