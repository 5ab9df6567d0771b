// The serving pass on services that are built here: one that gets ready at its first request, and a budget that ends.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { plainContainer } from '../../src/deployment/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { type Budgets, DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../../src/explore/index.ts';
import { treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { modelImage } from '../../src/model/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import { plainImage } from '../image/plain.ts';
import { hasTool } from '../linux/guest.ts';

/** LAZY: instructions that the first request costs, about; a request in two pieces is told apart. */
const SOURCE = `
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static volatile unsigned sum;
static void look(const char *path) { close(open(path, O_RDONLY)); }
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(7000)};
  int s = socket(AF_INET, SOCK_STREAM, 0), ready = 0;
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    char b[100000];
    int c = accept(s, 0, 0), n = 0, more, pieces = 0;
    while ((more = read(c, b + n, sizeof b - 1 - n)) > 0) { n += more; pieces++; if (memchr(b, '\\n', n)) break; }
    if (n > 0 && !ready) { look("/lazy"); for (int i = 0; i < LAZY; i++) sum += i; ready = 1; }
    if (pieces > 1) look("/pieces");
    if (n >= 5 && memcmp(b, "STORE", 5) == 0) look("/stored");
    write(c, "ok\\n", 3);
    close(c);
  }
}
const char words[] = "STORE";
`;

const folder = mkdtempSync(join(tmpdir(), 'effigy-serve-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const ready = hasTool('gcc') ? false : 'needs gcc';

const model = (lazy: number, budgets: Budgets = DEFAULT_BUDGETS): Policy =>
  modelOf(SOURCE, `service-${lazy}`, [`-DLAZY=${lazy}`], budgets);

function modelOf(
  source: string,
  name: string,
  options: readonly string[] = [],
  budgets: Budgets = DEFAULT_BUDGETS,
): Policy {
  const binary = join(folder, name);
  writeFileSync(`${binary}.c`, source);
  execFileSync('gcc', ['-O1', '-static', '-w', ...options, '-o', binary, `${binary}.c`]);
  const builder = treeBuilder().addDir('/data').addFile('/service', readFileSync(binary), { mode: 0o755 });
  const image = plainImage(builder.build(), { entrypoint: ['/service'] }, ['service']);
  return modelImage(image, {
    launches: ENVIRONMENTS.slice(0, 2).map((environment) =>
      launchOf(image, plainContainer('', ''), environment),
    ),
    budgets,
    probes: true,
    stopSignal: 15,
    record: {},
    version: 'test',
    machine: createMachine({ engine: 'fast' }),
  }).policy;
}

const effects = ({ automata }: Policy): Set<string> =>
  new Set(
    automata.flatMap(({ edges }) =>
      edges.flatMap(({ effect }) => (effect === undefined ? [] : [printEffect(effect)])),
    ),
  );

test('a service that gets ready at its first request', { skip: ready }, () => {
  const [plain, little, much] = [model(1), model(100_000), model(1_000_000)];
  for (const effect of ['OPEN r /lazy', 'OPEN r /pieces', 'OPEN r /stored'])
    assert.ok(effects(plain).has(effect), effect);
  for (const policy of [little, much]) {
    assert.deepEqual(effects(policy), effects(plain));
    assert.deepEqual(policy.cuts, []);
  }
  // ten times as long to get ready: from where it is worth it, most scenarios begin with a service that is
  const beyond = (policy: Policy): number => policy.coverage.instructions - plain.coverage.instructions;
  assert.ok(beyond(little) > 10_000_000, `${beyond(little)}`);
  assert.ok(beyond(much) < 7 * beyond(little), `${beyond(much)}, and ${beyond(little)} for a tenth`);
});

test('what a budget leaves out is a cut', { skip: ready }, () => {
  const policy = model(1_000_000, { ...DEFAULT_BUDGETS, serving: 60_000_000 });
  const found = policy.cuts.filter(({ kind }) => kind === 'budget');
  assert.equal(found.length, 1);
  assert.match(found[0].what, /^60000000 instructions of scenarios$/);
  assert.match(found[0].consequence, /^\d+ scenarios were not played$/);
  assert.equal(policy.complete, true);
});

/** Gives clients files of a directory in which the image has none. */
const FILES = `
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(7000)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    char b[1000] = "", path[1100], name[100];
    int c = accept(s, 0, 0), f;
    read(c, b, sizeof b - 1);
    if (sscanf(b, "GET %90[a-z]", name) == 1) {
      sprintf(path, "/data/%s", name);
      if ((f = open(path, O_RDONLY)) >= 0) { write(c, b, read(f, b, sizeof b)); close(f); }
    }
    close(c);
  }
}
`;

test('files that are not there yet', { skip: ready }, () => {
  const { automata } = modelOf(FILES, 'files');
  const edges = automata.flatMap((automaton) => automaton.edges);
  const done = edges.flatMap(({ effect, succeeds }) =>
    effect === undefined || succeeds !== true ? [] : [printEffect(effect)],
  );
  for (const effect of ['OPEN r /data/*', 'READ /data/*', 'CLOSE /data/*'])
    assert.ok(done.includes(effect), effect);
});

/** Four processes that take clients, with more started by their parent where all of them have one. */
const POOL = `
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
static void look(const char *path) { close(open(path, O_RDONLY)); }
static void serve(int s, volatile int *busy) {
  for (;;) {
    char b[10000];
    int c = accept(s, 0, 0);
    __sync_fetch_and_add(busy, 1);
    if (read(c, b, sizeof b) > 0 && write(c, "ok\\n", 3) < 0) look("/gone");
    close(c);
    __sync_fetch_and_sub(busy, 1);
  }
}
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(7000)};
  int s = socket(AF_INET, SOCK_STREAM, 0), count = 4;
  volatile int *busy = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGPIPE, SIG_IGN);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (int i = 0; i < count; i++) if (fork() == 0) serve(s, busy);
  for (;;) {
    sleep(1);
    if (*busy == count && count < 6) { look("/more"); count++; if (fork() == 0) serve(s, busy); }
  }
}
`;

test('workers that are started for many clients, clients that are gone', { skip: ready }, () => {
  const done = effects(modelOf(POOL, 'pool'));
  for (const effect of ['OPEN r /more', 'OPEN r /gone']) assert.ok(done.has(effect), [...done].join('\n'));
});

/** Commands in lines; what is put is written to a file once a switch is turned. */
const SWITCHED = `
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static int on, port = 7;
static void answer(int c, char *line) {
  char out[500], name[40] = "", value[40] = "";
  if (!strncmp(line, "put", 3)) {
    if (on) close(open("/data/journal", O_WRONLY | O_CREAT, 0600));
    strcpy(out, "stored\\n");
  } else if (!strncmp(line, "show", 4))
    sprintf(out, "port: %d\\nsilent: no\\njournal: %s\\nowner: me\\n", port, on ? "yes" : "no");
  else if (!strncmp(line, "help", 4)) strcpy(out, "put\\nshow\\nset\\nhelp\\n");
  else if (!strncmp(line, "set", 3)) {
    if (sscanf(line, "set %30s %30s", name, value) == 2 && !strcmp(name, "journal")) {
      on = !strcmp(value, "yes");
      close(open(on ? "/data/on" : "/data/off", O_RDONLY));
      strcpy(out, "ok\\n");
    } else strcpy(out, strcmp(name, "silent") ? "no such\\n" : "ok\\n");
  } else strcpy(out, "what?\\n");
  write(c, out, strlen(out));
}
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(7000)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    char b[10001];
    int c = accept(s, 0, 0), n;
    while ((n = read(c, b, sizeof b - 1)) > 0) {
      b[n] = 0;
      for (char *line = strtok(b, "\\n"); line; line = strtok(0, "\\n")) answer(c, line);
    }
    close(c);
  }
}
const char *words[] = {"put", "show", "set", "help"};
`;

test('what is done once a switch is turned', { skip: ready }, () => {
  const done = effects(modelOf(SWITCHED, 'switched'));
  for (const effect of ['OPEN r /data/on', 'OPEN r /data/off', 'OPEN wc /data/journal'])
    assert.ok(done.has(effect), [...done].join('\n'));
});
