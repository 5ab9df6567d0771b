// Which links a policy gets, on trees with every kind of link that images have.
import assert from 'node:assert/strict';
import test from 'node:test';
import { literal, type Pattern } from '../../src/effect/index.ts';
import { type Tree, treeBuilder } from '../../src/image/index.ts';
import { LinkFollower, policyLinks } from '../../src/model/links.ts';
import type { Policy } from '../../src/policy/index.ts';

/** A tree with these links, `path > target`, and some files. */
function treeOf(links: readonly string[], files: readonly string[] = []): Tree {
  const builder = treeBuilder();
  for (const path of files) builder.addFile(path, 'x');
  for (const link of links) {
    const [path, target] = link.split(' > ');
    builder.addSymlink(path, target);
  }
  return builder.build();
}

/** What policyLinks reads of a policy whose one program opens these. */
const opening = (...paths: readonly Pattern[]): Pick<Policy, 'image' | 'programs' | 'automata'> => ({
  image: {
    names: [],
    configDigest: '',
    manifestDigest: '',
    platform: '',
    entrypoint: [],
    cmd: [],
    user: '',
    workingDir: '/',
  },
  programs: [{ path: '/usr/bin/dash', sha256: '', buildId: '' }],
  automata: [
    {
      name: 'a',
      program: 0,
      args: [],
      initial: 0,
      states: [{ phase: 'boot', label: 'start' }],
      edges: paths.map((path) => ({
        from: 0,
        to: 0,
        effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path } },
        provenance: 'executed',
      })),
    },
  ],
});

const linksOf = (tree: Tree, ...paths: readonly string[]): Readonly<Record<string, string>> =>
  policyLinks(opening(...paths.map(literal)), tree, []);

test('links of directories, chains, other names of programs', () => {
  const tree = treeOf(
    [
      '/bin > usr/bin',
      '/sbin > usr/sbin',
      '/usr/bin/sh > dash',
      '/usr/bin/awk > /etc/alternatives/awk',
      '/etc/alternatives/awk > /usr/bin/mawk',
      '/etc/alternatives/nawk > /usr/bin/mawk',
      '/usr/bin/vi > vim',
      '/var/run > /run',
    ],
    ['/usr/bin/dash', '/usr/bin/mawk', '/usr/bin/vim', '/usr/sbin/x'],
  );
  // The program is named as it is resolved: the links that lead to it are its other names.
  assert.deepEqual(linksOf(tree), { '/bin': '/usr/bin', '/usr/bin/sh': '/usr/bin/dash' });
  assert.deepEqual(linksOf(tree, '/bin/awk', '/var/run/x.pid'), {
    '/bin': '/usr/bin',
    '/etc/alternatives/awk': '/usr/bin/mawk',
    '/etc/alternatives/nawk': '/usr/bin/mawk',
    '/usr/bin/awk': '/etc/alternatives/awk',
    '/usr/bin/sh': '/usr/bin/dash',
    '/var/run': '/run',
  });
  // Named by the target, the link is known as well.
  assert.equal(linksOf(tree, '/run/x.pid')['/var/run'], '/run');
});

test('relative targets, also through other links; dangling ones; circles', () => {
  const tree = treeOf(
    [
      '/a/b/up > ../../c//./d',
      '/lib > usr/lib',
      '/a/through > /lib/../share/x',
      '/a/out > ../../../etc/passwd',
      '/gone > /nowhere/at/all',
      '/here > self',
      '/self > here',
      '/root > /',
    ],
    ['/usr/lib/l', '/usr/share/x', '/c/d/e'],
  );
  const at = (path: string): Readonly<Record<string, string>> => {
    const { '/lib': _, '/root': __, ...rest } = linksOf(tree, path);
    return rest;
  };
  assert.deepEqual(at('/a/b/up/e'), { '/a/b/up': '/c/d' });
  assert.deepEqual(at('/a/through'), { '/a/through': '/usr/share/x' });
  assert.deepEqual(at('/a/out'), { '/a/out': '/etc/passwd' });
  assert.deepEqual(at('/gone/x'), { '/gone': '/nowhere/at/all' });
  assert.deepEqual(at('/here/x'), { '/here': '/self', '/self': '/here' });
  assert.equal(linksOf(tree, '/root/root/c/d/e')['/root'], '/');
});

test('logs that are standard output: the links stop where it depends on who looks', () => {
  const tree = treeOf(['/var/log/a.log > /dev/stdout', '/dev/stdout > /proc/self/fd/1', '/proc/self > 1']);
  assert.deepEqual(linksOf(tree, '/var/log/a.log'), {
    '/dev/stdout': '/proc/self/fd/1',
    '/var/log/a.log': '/dev/stdout',
  });
});

test('links that a pattern covers, and those of its directory', () => {
  const tree = treeOf(['/srv/www > /data/www', '/data/www/big > /mnt/big', '/other > /mnt/other']);
  const policy = opening('/srv/www/*' as Pattern, '/data/www/**' as Pattern, '**' as Pattern);
  assert.deepEqual(policyLinks(policy, tree, []), {
    '/data/www/big': '/mnt/big',
    '/srv/www': '/data/www',
  });
});

test('links of a booted image: made by it, changed by it, different in every boot', () => {
  const tree = treeOf(['/log > /old', '/kept > /here'], ['/usr/bin/dash']);
  const boot = (id: string) => (path: string) =>
    ({ '/log': '/dev/stdout', '/made': '/tmp/x', '/each': `/tmp/${id}` })[path];
  assert.deepEqual(
    policyLinks(opening(...['/log', '/made', '/each', '/kept'].map(literal)), tree, [boot('1'), boot('2')]),
    { '/kept': '/here', '/log': '/dev/stdout', '/made': '/tmp/x' },
  );
});

test('a path is followed no further than the kernel would', () => {
  const follower = new LinkFollower((path) => `${path}x`.slice(-60));
  assert.equal(follower.follow('/a', true), `/a${'x'.repeat(40)}`);
  assert.equal(follower.links.size, 40);
});
