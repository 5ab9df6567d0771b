// Making layouts and writing trees to disk: determinism, round trips, and what other tools make of them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { scanDirectory } from '../../src/host/index.ts';
import {
  extractTree,
  type Image,
  type LayerEntry,
  openImage,
  type Tree,
  treeBuilder,
  walk,
  writeOciLayout,
} from '../../src/image/index.ts';
import { archive, concat, endOfArchive, layout, pax, raw, sha256, summary, temporary } from './support.ts';

const root = process.geteuid?.() === 0;

function installed(t: TestContext, ...programs: readonly string[]): boolean {
  const missing = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  if (missing.length > 0) t.skip(`not installed: ${missing.join(', ')}`);
  return missing.length === 0;
}

async function opened<T>(path: string, use: (image: Image) => T): Promise<T> {
  const image = await openImage(path);
  try {
    return use(image);
  } finally {
    image.close();
  }
}

const entries: readonly LayerEntry[] = [
  { kind: 'dir', path: '/', mode: 0o755 },
  {
    kind: 'file',
    path: '/bin/run',
    bytes: 'program',
    mode: 0o4755,
    uid: 3,
    gid: 4,
    mtime: 1_700_000_000,
    mtimeNs: 5,
  },
  { kind: 'link', path: '/bin/again', target: '/bin/run' },
  { kind: 'symlink', path: `/s${'x'.repeat(150)}`, target: '../../bin/run' },
  { kind: 'dir', path: '/tmp', mode: 0o1777, mtime: -5 },
  { kind: 'file', path: '/ümlaut/empty', bytes: '', uid: 4_000_000_000 },
  { kind: 'fifo', path: '/pipe' },
  { kind: 'char', path: '/dev/null', major: 1, minor: 3, mode: 0o666 },
];
const config = {
  entrypoint: ['/bin/run'],
  cmd: ['-x'],
  env: ['A=b'],
  user: '3',
  workingDir: '/tmp',
  exposedPorts: ['80/tcp'],
  stopSignal: 'SIGINT',
  labels: { a: 'b' },
  volumes: ['/v'],
  healthcheck: {
    test: ['CMD', '/x'],
    interval: 1e9,
    timeout: 0,
    startPeriod: 0,
    startInterval: 0,
    retries: 3,
  },
};

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.name} ${sha256(readFileSync(join(entry.parentPath, entry.name)))}`)
    .sort();
}

test('a layout from entries: the same bytes twice, and it opens to what was given', async (t) => {
  const directory = temporary(t);
  const options = {
    layers: [{ entries }, { entries: [{ kind: 'whiteout', path: '/pipe' }] }] as const,
    config,
    name: 'v1',
  };
  const written = await writeOciLayout(join(directory, 'a'), options);
  await writeOciLayout(join(directory, 'b'), options);
  assert.deepEqual(everyFile(join(directory, 'a')), everyFile(join(directory, 'b')));
  await opened(join(directory, 'a'), (image) => {
    assert.deepEqual(
      [image.manifestDigest, image.configDigest, image.layers.map((layer) => layer.diffId)],
      [written.manifestDigest, written.configDigest, written.diffIds],
    );
    assert.deepEqual(image.config, config);
    assert.deepEqual(image.names, ['v1']);
    const run = image.tree.lookup('/bin/again');
    assert.equal(run, image.tree.lookup('/bin/run'));
    assert.deepEqual([run?.mode, run?.uid, run?.gid], [0o4755, 3, 4]);
    assert.deepEqual(
      [image.tree.lookup('/tmp')?.mtime, image.tree.lookup('/ümlaut/empty')?.uid, image.tree.lookup('/pipe')],
      [-5, 4_000_000_000, undefined],
    );
  });
  const plain = await writeOciLayout(join(directory, 'plain'), { ...options, compression: 'none' });
  assert.equal(plain.configDigest, written.configDigest, 'compression does not change the configuration');
  assert.deepEqual(plain.diffIds, written.diffIds);
  await assert.rejects(writeOciLayout(join(directory, 'a'), options), /a: directory is not empty/);
});

test('a layout from a directory of this machine', async (t) => {
  const directory = temporary(t);
  const source = join(directory, 'source');
  mkdirSync(join(source, 'etc'), { recursive: true });
  writeFileSync(join(source, 'etc/conf'), 'x'.repeat(3_000_000));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.of(0xff)]), 'raw name');
  linkSync(join(source, 'etc/conf'), join(source, 'again'));
  symlinkSync('/etc/conf', join(source, 'link'));
  chmodSync(join(source, 'etc/conf'), 0o640);
  chmodSync(join(source, 'etc'), 0o750);
  await writeOciLayout(join(directory, 'image'), {
    layers: [
      {
        directory: source,
        at: '/opt',
        uid: 7,
        gid: 8,
        mtime: 9,
        mode: (path, entry) => (path === 'opt/again' ? 0o600 : entry.mode),
      },
    ],
  });
  await opened(join(directory, 'image'), (image) => {
    const conf = image.tree.lookup('/opt/etc/conf');
    assert.ok(conf?.kind === 'file' && conf === image.tree.lookup('/opt/again'));
    assert.deepEqual([conf.size, conf.uid, conf.gid, conf.mtime], [3_000_000, 7, 8, 9]);
    assert.deepEqual(
      [image.tree.lookup('/opt/etc')?.mode, image.tree.lookup('/opt/link', { follow: false })?.kind],
      [0o750, 'symlink'],
    );
    assert.ok(image.tree.lookup('/opt/\udcff'));
  });
});

/** A tree on disk in the words of `treeLines`. */
function hostLines(directory: string): string[] {
  return [...scanDirectory(directory)].map((entry) => {
    const owner = root ? ` ${entry.uid}:${entry.gid}` : '';
    const device =
      entry.kind === 'char' || entry.kind === 'block' ? ` ${entry.rdevMajor},${entry.rdevMinor}` : '';
    return `${entry.path} ${entry.kind} ${entry.kind === 'symlink' ? '' : entry.mode.toString(8)}${owner}${device} ${entry.target}`;
  });
}

function treeLines(tree: Tree, without: ReadonlySet<string>): string[] {
  return [...walk(tree)].slice(1).flatMap(([path, node]) => {
    if (without.has(path)) return [];
    const owner = root ? ` ${node.uid}:${node.gid}` : '';
    const device =
      node.kind === 'char' || node.kind === 'block' ? ` ${node.rdevMajor},${node.rdevMinor}` : '';
    return [
      `${path.slice(1)} ${node.kind} ${node.kind === 'symlink' ? '' : node.mode.toString(8)}${owner}${device} ${node.kind === 'symlink' ? node.target : ''}`,
    ];
  });
}

test('a tree on disk: kinds, modes, owners, times, hard links, attributes', (t) => {
  const directory = temporary(t);
  const tree = treeBuilder()
    .addFile('bin/su', 'data', { mode: 0o4755, uid: 5, gid: 6, mtime: 1_700_000_000, mtimeNs: 250_000_000 })
    .addHardLink('bin/deep/er/link', 'bin/su')
    .addFile('closed/file', 'x', { mode: 0 })
    .addDir('closed', { mode: 0o500, mtime: 1000 })
    .addSymlink('out', '../../../../etc/passwd', { uid: 9 })
    .addFile('old', 'x', { mtime: -86400 })
    .addFile('name\udcff', 'raw')
    .addFile('attributed', 'x', { xattrs: { 'user.note': Uint8Array.of(0, 255, 10) } })
    .addFifo('pipe', { mode: 0o640 })
    .addDevice('null', 'char', 1, 3, { mode: 0o666 })
    .build();
  const out = join(directory, 'out');
  const report = extractTree(tree, out);
  const skipped = new Set(
    report.skipped.filter(({ what }) => !what.startsWith('attribute')).map(({ path }) => path),
  );
  if (root)
    assert.deepEqual(
      [...skipped].filter((path) => path !== '/null'),
      [],
    );
  assert.deepEqual(hostLines(out), treeLines(tree, skipped));
  assert.equal(report.written, [...walk(tree)].length - skipped.size);
  assert.equal(statSync(join(out, 'bin/su')).ino, statSync(join(out, 'bin/deep/er/link')).ino);
  assert.equal(statSync(join(out, 'bin/su'), { bigint: true }).mtimeNs, 1_700_000_000_250_000_000n);
  assert.deepEqual(
    [statSync(join(out, 'old')).mtimeMs, statSync(join(out, 'closed')).mtimeMs],
    [-86_400_000, 1_000_000],
  );
  if (
    !report.skipped.some(({ what }) => what.startsWith('attribute')) &&
    spawnSync('getfattr', ['--version']).status === 0
  ) {
    const shown = spawnSync('getfattr', [
      '-n',
      'user.note',
      '-e',
      'hex',
      '--only-values',
      join(out, 'attributed'),
    ]);
    assert.deepEqual([...shown.stdout], [0, 255, 10]);
  }
  if (!root) chmodSync(join(out, 'closed'), 0o700);
});

test('a tree on disk: holes stay holes', (t) => {
  const directory = temporary(t);
  const path = join(directory, 'image.tar');
  const layer = concat(
    pax(['GNU.sparse.map', '52428800,4'], ['GNU.sparse.size', '104857600'], ['GNU.sparse.name', 'sparse']),
    raw({ name: 'x' }, 'data'),
    endOfArchive,
  );
  writeFileSync(path, archive(layout([{ bytes: layer }])));
  return opened(path, (image) => {
    const report = extractTree(image.tree, join(directory, 'out'));
    const { size, blocks } = statSync(join(directory, 'out/sparse'));
    assert.deepEqual([size, report.bytes], [104857600, 4]);
    assert.ok(blocks * 512 < 1 << 20, `${blocks} blocks`);
    assert.equal(
      readFileSync(join(directory, 'out/sparse')).toString('latin1').replace(/\0+/g, '.'),
      '.data.',
    );
  });
});

test('writing a tree follows no symlink and fills only an empty directory', (t) => {
  const directory = temporary(t);
  const victim = join(directory, 'victim');
  mkdirSync(victim);
  const tree = treeBuilder().addFile('a', 'x').build();
  symlinkSync(victim, join(directory, 'link'));
  assert.throws(() => extractTree(tree, join(directory, 'link')), /not a directory|too many symbolic links/);
  assert.deepEqual(readdirSync(victim), []);
  writeFileSync(join(victim, 'mine'), '');
  assert.throws(() => extractTree(tree, victim), /victim: directory is not empty/);
  assert.throws(() => extractTree(tree, join(directory, 'no/such')), /no such file or directory/);
});

test('skopeo and umoci read our layouts, and we read theirs', async (t) => {
  if (!installed(t, 'skopeo', 'umoci')) return;
  const directory = temporary(t);
  const ours = join(directory, 'ours');
  const upper: readonly LayerEntry[] = [
    { kind: 'whiteout', path: '/bin/again' },
    { kind: 'file', path: '/tmp/new', bytes: 'n' },
    { kind: 'link', path: '/bin/third', target: '/bin/run', mode: 0o4755, uid: 3, gid: 4 },
  ];
  const withoutDevices = root ? entries : entries.filter(({ kind }) => kind !== 'char');
  await writeOciLayout(ours, {
    layers: [{ entries: withoutDevices }, { entries: upper }],
    config,
    name: 'v1',
  });
  const expected = await opened(ours, (image) => summary(image.tree));
  for (const [target, extra] of [
    ['docker-archive:docker.tar:shop:v1', []],
    ['oci-archive:oci.tar:v1', []],
    ['oci:zstd:v1', ['--dest-compress', '--dest-compress-format', 'zstd']],
  ] as const) {
    const copied = spawnSync('skopeo', ['copy', '-q', '--insecure-policy', ...extra, 'oci:ours:v1', target], {
      cwd: directory,
      encoding: 'utf8',
    });
    assert.equal(copied.status, 0, copied.stderr);
    await opened(join(directory, target.split(':')[1]), (image) =>
      assert.deepEqual(summary(image.tree), expected, target),
    );
  }
  const unpacked = mkdtempSync(join(directory, 'umoci-'));
  rmSync(unpacked, { recursive: true });
  const run = spawnSync(
    'umoci',
    ['unpack', ...(root ? [] : ['--rootless']), '--image', `${ours}:v1`, unpacked],
    { encoding: 'utf8' },
  );
  assert.equal(run.status, 0, run.stderr);
  await opened(ours, (image) =>
    assert.deepEqual(treeLines(image.tree, new Set()), hostLines(join(unpacked, 'rootfs'))),
  );
});

test('a whole archive compressed, then extracted', async (t) => {
  const directory = temporary(t);
  const path = join(directory, 'x.tar.gz');
  writeFileSync(path, gzipSync(archive(layout([]))));
  await opened(path, (image) => extractTree(image.tree, join(directory, 'out')));
  assert.ok(existsSync(join(directory, 'out')));
});
