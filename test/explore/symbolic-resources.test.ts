// Resources that clients' bytes come into are patterns of what the program lets through.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pattern } from '../../src/effect/index.ts';
import { coversPattern, joinedPattern, PatternUnion } from '../../src/explore/index.ts';
import { modelled } from './symbolic-server.ts';

/** What the model's effects with this text are. */
const about = (effects: readonly string[], text: string): readonly string[] =>
  effects.filter((effect) => effect.includes(text));

const RUNS = 60;

test('a static server opens what is below its root', (t) => {
  const body = `if (strncmp(buf, "GET ", 4)) return; char *p = buf + 4, *e = strchr(p, ' '); if (!e) return; *e = 0;
    char path[400] = "/srv/"; strncat(path, p[0] == '/' ? p + 1 : p, 300);
    int f = open(path, O_RDONLY); char out[100]; int m = read(f, out, 100); if (m > 0) write(fd, out, m); close(f);`;
  const found = modelled(t, body, { runs: 2 * RUNS, files: { '/srv/index.html': 'hello' } });
  if (found === undefined) return;
  assert.ok(found.explored.includes('OPEN r /srv/**'), about(found.effects, '/srv').join('; '));
  // what is read by the descriptor has the name under which it was opened
  assert.ok(about(found.effects, 'READ /srv').length > 0);
  // the program forbids no `..`: said, not in the model
  const cut = found.policy.cuts.find(
    ({ what }) => what === 'path of open from input' || what === 'path of openat from input',
  );
  assert.ok(cut?.at.startsWith('/program+0x'), JSON.stringify(found.policy.cuts));
});

test('what the program forbids is not in the pattern', (t) => {
  const body = `if (strncmp(buf, "GET ", 4)) return; char *p = buf + 4, *e = strchr(p, ' '); if (!e) return; *e = 0;
    for (char *q = p; *q; q++) if (*q == '/' || *q == '.') return;
    if (!*p) return;
    char path[400] = "/srv/"; strcat(path, p); close(open(path, O_RDONLY));`;
  const found = modelled(t, body, { runs: RUNS, directories: ['/srv'] });
  if (found === undefined) return;
  assert.deepEqual(about(found.effects, 'OPEN r /srv'), ['OPEN r /srv/*']);
  assert.ok(!found.policy.cuts.some(({ what }) => what.startsWith('path of')));
});

test('letters and digits between what the program adds', (t) => {
  const body = `if (strncmp(buf, "PUT ", 4)) return; char *p = buf + 4; char path[400] = "/data/"; int i = 0;
    while (isalnum((unsigned char)p[i])) i++;
    if (i < 1 || i > 40 || p[i] != ' ') return;
    p[i] = 0; strcat(path, p); strcat(path, ".txt");
    int f = open(path, O_CREAT | O_WRONLY, 0600); write(f, "x", 1); close(f);`;
  const found = modelled(t, body, { runs: 2 * RUNS, directories: ['/data'] });
  if (found === undefined) return;
  const stored = about(found.explored, '/data');
  assert.deepEqual(stored, [
    'CLOSE /data/[0-9A-Za-z]+.txt',
    'OPEN wc /data/[0-9A-Za-z]+.txt',
    'WRITE /data/[0-9A-Za-z]+.txt',
  ]);
});

test('numbers, formatted by the C library', (t) => {
  const body = `if (n < 4 || memcmp(buf, "N", 1)) return; unsigned v = (unsigned char)buf[1] + 256 * (unsigned char)buf[2];
    char path[100]; snprintf(path, 100, "/data/part-%u.bin", v); close(open(path, O_RDONLY));`;
  const found = modelled(t, body, { runs: RUNS, directories: ['/data'] });
  if (found === undefined) return;
  assert.ok(
    about(found.explored, '/data').some((effect) => effect === 'OPEN r /data/part-[0-9]+.bin'),
    about(found.effects, '/data').join('; '),
  );
});

test('where there are few, all are told', (t) => {
  const body = `if (buf[0] != 'L') return; static const char *const names[4] = { "/etc/one", "/etc/two", "/var/three", "/x" };
    char path[20]; memset(path, 0, 20); const char *s = names[buf[1] & 3]; for (int i = 0; i < 11; i++) { path[i] = s[i]; if (!s[i]) break; }
    close(open(path, O_RDONLY));`;
  const found = modelled(t, body, { runs: RUNS });
  if (found === undefined) return;
  for (const path of ['/etc/one', '/etc/two', '/var/three', '/x'])
    assert.ok(found.effects.includes(`OPEN r ${path}`), found.effects.join('; '));
});

test('arguments and programs', (t) => {
  const body = `if (strncmp(buf, "RUN ", 4)) return; char *p = buf + 4; p[strcspn(p, "\\r\\n")] = 0; if (!*p) return;
    if (fork() == 0) { char *argv[] = { "echo", "say", p, 0 }; execv("/program", argv); _exit(1); }`;
  const found = modelled(t, body, { runs: RUNS });
  if (found === undefined) return;
  assert.ok(
    found.explored.some((effect) => effect === 'EXEC /program say **'),
    about(found.effects, 'EXEC').join('; '),
  );
});

test('addresses that a client names', (t) => {
  const body = `if (n < 7 || buf[0] != 'C') return;
    struct sockaddr_in to = { .sin_family = AF_INET }; memcpy(&to.sin_addr, buf + 1, 4); memcpy(&to.sin_port, buf + 5, 2);
    if (((unsigned char *)&to.sin_addr)[0] != 10) return;
    int c = socket(AF_INET, SOCK_DGRAM, 0); connect(c, (void *)&to, sizeof to); close(c);`;
  const found = modelled(t, body, { runs: RUNS });
  if (found === undefined) return;
  const connects = about(found.explored, 'CONNECT');
  assert.ok(
    connects.some((effect) => effect.endsWith('<-> 10.[0-9]+.[0-9]+.[0-9]+:[0-9]+')),
    about(found.effects, 'CONNECT').join('; '),
  );
});

test('two paths of one call', (t) => {
  const body = `if (strncmp(buf, "MV ", 3)) return; char *p = buf + 3; int i = 0; while (isdigit((unsigned char)p[i])) i++;
    if (i < 3 || p[i] != '!') return; p[i] = 0;
    char path[400] = "/data/"; strncat(path, p, 300); rename("/in/upload", path);`;
  const found = modelled(t, body, { runs: RUNS, files: { '/in/upload': 'x' }, directories: ['/data'] });
  if (found === undefined) return;
  assert.ok(
    found.explored.includes('RENAME /in/upload -> /data/[0-9]+'),
    about(found.effects, 'RENAME').join('; '),
  );
});

const pattern = (text: string): Pattern => text as Pattern;

test('patterns that cover others', () => {
  for (const [outer, inner] of [
    ['/srv/**', '/srv/*'],
    ['/srv/**', '/srv/a/*.html'],
    ['/srv/*', '/srv/[0-9]+'],
    ['/srv/[0-9A-Za-z]+.txt', '/srv/[0-9a-f]+.txt'],
    ['/srv/[0-9A-Za-z]+.txt', '/srv/a7.txt'],
    ['**', '/x'],
  ])
    assert.ok(coversPattern(pattern(outer), pattern(inner)), `${outer} ${inner}`);
  for (const [outer, inner] of [
    ['/srv/*', '/srv/**'],
    ['/srv/[0-9]+', '/srv/*'],
    ['/srv/[0-9]+', '/srv/[0-9]+a'],
    ['/srv/a', '/srv/[0-9A-Za-z]+'],
    ['/srv/7[0-9]+', '/srv/[0-9]+'],
    ['*/*/*', '**'],
    ['/srv/[0-9]+', '/srv/'],
  ])
    assert.ok(!coversPattern(pattern(outer), pattern(inner)), `${outer} ${inner}`);
});

test('many patterns are one that covers them', () => {
  const union = new PatternUnion();
  const some = Array.from({ length: 9 }, (_, i) => pattern(`/data/${'abcdefghi'[i]}[0-9]+.txt`));
  for (const one of some.slice(0, 8)) union.add(one);
  assert.equal(union.of(some[3]), some[3]);
  union.add(some[8]);
  assert.equal(union.of(some[3]), '/data/[0-9A-Za-z]+.txt');
  assert.equal(joinedPattern([pattern('/a/b'), pattern('/a/')]), '/a/*');
  assert.equal(joinedPattern([pattern('/a/b/c'), pattern('/a/[0-9]+')]), '/a/**');
});
