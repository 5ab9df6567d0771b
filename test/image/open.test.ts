// Opening images: every format and compression, choice of image and platform, digests.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../src/bytes/index.ts';
import { type Image, type OpenOptions, openImage } from '../../src/image/index.ts';
import {
  addImage,
  archive,
  blob,
  contents,
  type Descriptor,
  dockerFiles,
  type Files,
  finishLayout,
  gzipped,
  json,
  type LayerBytes,
  layout,
  named,
  type Platformed,
  sha256,
  summary,
  tar,
  temporary,
  types,
  writeArchive,
  writeFiles,
} from './support.ts';

const lower = tar([
  { kind: 'file', path: 'etc/motd', bytes: 'lower' },
  { kind: 'file', path: 'gone', bytes: 'x' },
]);
const upper = tar([
  { kind: 'file', path: 'etc/motd', bytes: 'upper', mode: 0o600, uid: 5 },
  { kind: 'whiteout', path: 'gone' },
]);
const merged = ['/ drwxr-xr-x 0:0', '/etc drwxr-xr-x 0:0', '/etc/motd -rw------- 5:0 "upper"'];

function zstd(bytes: Uint8Array, ...options: readonly string[]): Uint8Array | undefined {
  const run = spawnSync('zstd', ['-q', '-c', ...options], { input: bytes, maxBuffer: 1 << 28 });
  return run.status === 0 ? run.stdout : undefined;
}

/** What opening makes of it; closed, so only what was read counts. */
async function open<T>(path: string, use: (image: Image) => T, options: OpenOptions = {}): Promise<T> {
  const image = await openImage(path, options);
  try {
    return use(image);
  } finally {
    image.close();
  }
}

async function fails(path: string, pattern: RegExp, options: OpenOptions = {}): Promise<void> {
  await assert.rejects(openImage(path, options), (error) => {
    assert.ok(error instanceof InputError, String(error instanceof Error ? error.stack : error));
    assert.match(error.message, pattern);
    return true;
  });
}

test('OCI layout, OCI archive and docker archive give the same tree', async (t) => {
  const directory = temporary(t);
  const layers = [{ bytes: lower }, { bytes: upper }];
  const dir = writeFiles(join(directory, 'layout'), layout(layers));
  const cases: readonly (readonly [path: string, format: Image['format'], names: readonly string[]])[] = [
    [dir, 'oci-layout', ['latest']],
    [writeArchive(directory, layout(layers), 'oci.tar'), 'oci-archive', ['latest']],
    [writeArchive(directory, dockerFiles(layers), 'docker.tar'), 'docker-archive', ['shop:latest']],
  ];
  for (const [path, format, names] of cases) {
    await open(path, (image) => {
      assert.equal(image.format, format);
      assert.deepEqual(image.names, names);
      assert.deepEqual(summary(image.tree), merged);
      assert.deepEqual(
        image.layers.map((layer) => [layer.digest, layer.diffId, layer.compression, layer.entries]),
        [lower, upper].map((bytes) => [sha256(bytes), sha256(bytes), 'none', 2]),
      );
      assert.equal(image.manifestDigest === undefined, format === 'docker-archive');
    });
  }
});

test('gzip layers: one member, several, and a whole archive that is compressed', async (t) => {
  const directory = temporary(t);
  const members = {
    ...gzipped(upper),
    bytes: Buffer.concat([gzipSync(upper.subarray(0, 700)), gzipSync(upper.subarray(700))]),
  };
  const files = layout([gzipped(lower), members]);
  const path = join(directory, 'image.tar.gz');
  writeFileSync(path, gzipSync(archive(files)));
  await open(path, (image) => {
    assert.deepEqual(summary(image.tree), merged);
    assert.deepEqual(
      image.layers.map((layer) => [layer.compression, layer.size, layer.uncompressedSize, layer.diffId]),
      [
        ['gzip', gzipSync(lower).length, lower.length, sha256(lower)],
        ['gzip', members.bytes.length, upper.length, sha256(upper)],
      ],
    );
  });
});

test('zstd layers: one frame, several, skippable frames between', async (t) => {
  const whole = zstd(lower);
  if (whole === undefined) return t.skip('zstd is not installed');
  const skippable = Uint8Array.of(0x55, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const parts = Buffer.concat([
    skippable,
    zstd(upper.subarray(0, 999)) ?? Buffer.of(),
    skippable,
    zstd(upper.subarray(999), '--no-check') ?? Buffer.of(),
    skippable,
  ]);
  const layers: LayerBytes[] = [
    { mediaType: types.zstd, bytes: whole, diffId: sha256(lower) },
    { mediaType: types.zstd, bytes: parts, diffId: sha256(upper) },
  ];
  const path = writeArchive(temporary(t), layout(layers));
  await open(path, (image) => {
    assert.deepEqual(summary(image.tree), merged);
    assert.deepEqual(
      image.layers.map((layer) => layer.compression),
      ['zstd', 'zstd'],
    );
  });
});

test('docker archive: compressed layers, and a repeated layer as symlink or hard link', async (t) => {
  const directory = temporary(t);
  const files = dockerFiles([gzipped(lower), gzipped(upper)]);
  await open(writeArchive(directory, files, 'gz.tar'), (image) =>
    assert.deepEqual(summary(image.tree), merged),
  );
  const twice = dockerFiles([{ bytes: lower }, { bytes: upper }, { bytes: lower }]);
  const paths = [...twice.keys()].filter((path) => path.endsWith('layer.tar'));
  for (const kind of ['symlink', 'link'] as const) {
    const target = kind === 'symlink' ? `../${paths[0]}` : paths[0];
    const bytes = tar(
      [...twice].map(([path, content]) =>
        path === paths[2] ? { kind, path, target } : { kind: 'file', path, bytes: content },
      ),
    );
    const path = join(directory, `${kind}.tar`);
    writeFileSync(path, bytes);
    await open(path, (image) =>
      assert.deepEqual([contents(image, '/etc/motd'), contents(image, '/gone')], ['lower', 'x']),
    );
  }
});

/** Both lists, as Docker 25 and later write them. */
function bothLists(): Files {
  const files: Files = new Map();
  const image = addImage(files, [{ bytes: lower }, { bytes: upper }], {}, { Cmd: ['x'] });
  const manifest = JSON.parse(
    Buffer.from(files.get(`blobs/${image.digest.replace(':', '/')}`) ?? '').toString(),
  ) as { config: Descriptor; layers: Descriptor[] };
  const path = (descriptor: Descriptor): string => `blobs/${descriptor.digest.replace(':', '/')}`;
  finishLayout(files, [
    {
      ...image,
      annotations: {
        'io.containerd.image.name': 'docker.io/library/shop:1',
        'org.opencontainers.image.ref.name': '1',
      },
    },
  ]);
  files.set(
    'manifest.json',
    json([{ Config: path(manifest.config), RepoTags: ['shop:1'], Layers: manifest.layers.map(path) }]),
  );
  return files;
}

test('docker archive in the shape of an OCI layout: both lists count', async (t) => {
  const directory = temporary(t);
  await open(writeArchive(directory, bothLists(), 'both.tar'), (image) => {
    assert.equal(image.format, 'docker-archive');
    assert.deepEqual(image.names, ['docker.io/library/shop:1', 'shop:1']);
    assert.ok(image.manifestDigest);
    assert.deepEqual(image.config.cmd, ['x']);
  });
  const files = bothLists();
  const other = json({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } });
  files.set('other.json', other);
  files.set('manifest.json', json([{ Config: 'other.json', RepoTags: ['shop:1'], Layers: [] }]));
  await fails(
    writeArchive(directory, files, 'different.tar'),
    /manifest\.json names an image .* that index\.json does not have/,
  );
});

test('legacy docker archive: parents, names, history', async (t) => {
  const directory = temporary(t);
  const [low, high] = ['1'.repeat(64), '2'.repeat(64)];
  const config = { Entrypoint: ['/bin/shop'], Env: ['A=b'] };
  const base = {
    created: '2014-01-01T00:00:00Z',
    container_config: { Cmd: ['/bin/sh', '-c', '#(nop) ADD file'] },
  };
  const files: Files = new Map([
    [`${low}/VERSION`, Buffer.from('1.0')],
    [`${low}/json`, json({ id: low, ...base })],
    [`${low}/layer.tar`, lower],
    [`${high}/VERSION`, Buffer.from('1.0')],
    [`${high}/json`, json({ id: high, parent: low, os: 'linux', architecture: 'amd64', config, ...base })],
    [`${high}/layer.tar`, upper],
    ['repositories', json({ shop: { latest: high, v1: high } })],
  ]);
  await open(writeArchive(directory, files), (image) => {
    assert.deepEqual(summary(image.tree), merged);
    assert.deepEqual(image.names, ['shop:latest', 'shop:v1']);
    assert.deepEqual(image.config.entrypoint, ['/bin/shop']);
    assert.equal(image.layers[0].createdBy, '/bin/sh -c #(nop) ADD file');
    assert.match(image.notes[0].what, /not verified/);
  });
  files.delete('repositories');
  await open(writeArchive(directory, files), (image) => assert.deepEqual(image.names, []));
  files.set(`${low}/json`, json({ id: low, parent: high }));
  files.set('repositories', json({ shop: { latest: high } }));
  await fails(writeArchive(directory, files), /is its own parent/);
  files.delete(`${low}/json`);
  await fails(writeArchive(directory, files), /layer 1+ is missing/);
});

test('configuration: every field, whatever the case of its key', async (t) => {
  const config = {
    entrypoint: ['/e', 'a b'],
    Cmd: ['c'],
    Env: ['PATH=/bin', 'E='],
    User: 'www:data',
    WorkingDir: '/w',
    ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
    Volumes: { '/v': {} },
    StopSignal: 'SIGQUIT',
    Labels: { __proto__x: '1', b: '2' },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 5e9, Retries: 2 },
    Shell: ['/bin/bash', '-c'],
    Unknown: { field: true },
  };
  await open(writeArchive(temporary(t), layout([{ bytes: lower }], config)), (image) => {
    assert.deepEqual(image.config, {
      entrypoint: ['/e', 'a b'],
      cmd: ['c'],
      env: ['PATH=/bin', 'E='],
      user: 'www:data',
      workingDir: '/w',
      exposedPorts: ['443/tcp', '80/tcp'],
      volumes: ['/v'],
      stopSignal: 'SIGQUIT',
      labels: { __proto__x: '1', b: '2' },
      healthcheck: {
        test: ['CMD', 'true'],
        interval: 5e9,
        timeout: 0,
        startPeriod: 0,
        startInterval: 0,
        retries: 2,
      },
      shell: ['/bin/bash', '-c'],
    });
  });
});

test('null and absent fields are empty; an image without layers is an empty tree', async (t) => {
  await open(
    writeArchive(temporary(t), layout([], { Entrypoint: null, Cmd: null, Env: null, ExposedPorts: null })),
    (image) => {
      assert.deepEqual(
        [image.config.entrypoint, image.config.cmd, image.config.env, image.config.exposedPorts],
        [[], [], [], []],
      );
      assert.deepEqual(summary(image.tree), ['/ drwxr-xr-x 0:0']);
    },
  );
});

function file(content: string): LayerBytes {
  return { bytes: tar([{ kind: 'file', path: 'is', bytes: content }]) };
}

function index(files: Files, platforms: readonly Platformed[]): Descriptor {
  const manifests = platforms.map((platform) => ({
    ...addImage(files, [file(JSON.stringify(platform))], platform),
    platform: { os: 'linux', ...platform },
  }));
  return blob(files, types.index, json({ schemaVersion: 2, mediaType: types.index, manifests }));
}

test('platform choice: nested indexes, variants, a clear list of what there is', async (t) => {
  const files: Files = new Map();
  const inner = index(files, [
    { architecture: 'amd64' },
    { architecture: 'arm64', variant: 'v8' },
    { architecture: 'arm', variant: 'v6' },
    { architecture: 'arm', variant: 'v7' },
  ]);
  const outer = blob(files, types.index, json({ schemaVersion: 2, manifests: [inner] }));
  finishLayout(files, [named(outer, 'v1')]);
  const path = writeArchive(temporary(t), files);
  const is = (platform?: string): Promise<string | undefined> =>
    open(path, (image) => contents(image, '/is'), platform === undefined ? {} : { platform });
  assert.equal(await is(), '{"architecture":"amd64"}');
  assert.equal(await is('linux/x86_64'), '{"architecture":"amd64"}');
  assert.equal(await is('linux/arm64'), '{"architecture":"arm64","variant":"v8"}');
  assert.equal(await is('linux/arm'), '{"architecture":"arm","variant":"v7"}');
  assert.equal(await is('linux/arm/v6'), '{"architecture":"arm","variant":"v6"}');
  await fails(
    path,
    /no image for linux\/riscv64; there is: linux\/amd64, linux\/arm\/v6, linux\/arm\/v7, linux\/arm64\/v8; choose one with platform/,
    { platform: 'linux/riscv64' },
  );
  await fails(path, /a platform is OS\/ARCHITECTURE/, { platform: 'linux' });
});

test('platform of a single image without an index entry is the configuration’s', async (t) => {
  const files: Files = new Map();
  finishLayout(files, [addImage(files, [file('arm')], { architecture: 'arm64' })]);
  const path = writeArchive(temporary(t), files);
  await fails(path, /no image for linux\/amd64; there is: linux\/arm64;/);
  assert.equal(await open(path, (image) => contents(image, '/is'), { platform: 'linux/arm64/v8' }), 'arm');
});

test('several images: by tag, by full name, by digest, or a list of them', async (t) => {
  const directory = temporary(t);
  const files: Files = new Map();
  const [one, two] = [addImage(files, [file('one')]), addImage(files, [file('two')])];
  finishLayout(files, [named(one, 'v1'), named(two, 'v2'), named(two, 'latest')]);
  const path = writeArchive(directory, files);
  const is = (ref: string): Promise<string | undefined> =>
    open(path, (image) => contents(image, '/is'), { ref });
  assert.equal(await is('v1'), 'one');
  assert.equal(await is('latest'), 'two');
  assert.equal(await is(two.digest), 'two');
  assert.equal(await is(one.digest.slice(7, 19)), 'one');
  await fails(path, /2 images: v1, v2 = latest; choose one with ref/);
  await fails(path, /no image "v3"; there is: v1, v2 = latest;/, { ref: 'v3' });

  const docker = dockerFiles([file('one')], ['shop:latest', 'localhost:5000/team/shop:2']);
  const second = dockerFiles([file('two')], ['other:1']);
  const entries = [docker, second].flatMap(
    (each) => JSON.parse(Buffer.from(each.get('manifest.json') ?? '').toString()) as { Layers: string[] }[],
  );
  second.set('second/layer.tar', file('two').bytes);
  entries[1].Layers = ['second/layer.tar'];
  const both = writeArchive(
    directory,
    new Map([...second, ...docker, ['manifest.json', json(entries)]]),
    'docker.tar',
  );
  const dockerIs = (ref: string): Promise<string | undefined> =>
    open(both, (image) => contents(image, '/is'), { ref });
  assert.equal(await dockerIs('shop'), 'one');
  assert.equal(await dockerIs('docker.io/library/shop:latest'), 'one');
  assert.equal(await dockerIs('localhost:5000/team/shop:2'), 'one');
  assert.equal(await dockerIs('other:1'), 'two');
  await fails(both, /2 images: other:1, shop:latest = localhost:5000\/team\/shop:2;/);
});

test('attestations and artifacts beside the image are passed over', async (t) => {
  const files: Files = new Map();
  const image = addImage(files, [file('image')]);
  const attestation = {
    ...addImage(files, [file('attestation')]),
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    platform: { os: 'unknown', architecture: 'unknown' },
  };
  const config = blob(files, 'application/vnd.example.config+json', json({}));
  const artifact = blob(
    files,
    types.manifest,
    json({ schemaVersion: 2, config, layers: [blob(files, 'application/x-anything', Buffer.from('x'))] }),
  );
  const foreign = blob(files, 'application/x-signature', json({}));
  finishLayout(files, [image, attestation, artifact, foreign]);
  await open(writeArchive(temporary(t), files), (opened) => {
    assert.equal(contents(opened, '/is'), 'image');
    assert.equal(opened.notes.length, 2);
  });
});

test('a media type that promises another compression is noted, the bytes count', async (t) => {
  const path = writeArchive(
    temporary(t),
    layout([
      { ...gzipped(lower), mediaType: types.tar },
      { bytes: upper, mediaType: types.gzip },
    ]),
  );
  await open(path, (image) => {
    assert.deepEqual(summary(image.tree), merged);
    assert.deepEqual(
      image.notes.map((note) => note.what.replace(/^.* promises/, 'promises')),
      ['promises compression none, it has gzip', 'promises compression gzip, it has none'],
    );
  });
});

test('history: which instruction made which layer', async (t) => {
  const files: Files = new Map();
  const layers = [{ bytes: lower }, { bytes: upper }];
  const history = [
    { created_by: 'ADD base', created: '2026-01-01T00:00:00Z' },
    { created_by: 'ENV x', empty_layer: true },
    { created_by: 'COPY motd' },
  ];
  const config = json({
    os: 'linux',
    architecture: 'amd64',
    history,
    rootfs: { type: 'layers', diff_ids: layers.map(({ bytes }) => sha256(bytes)) },
  });
  const manifest = {
    schemaVersion: 2,
    config: blob(files, types.config, config),
    layers: layers.map(({ bytes }) => blob(files, types.tar, bytes)),
  };
  finishLayout(files, [blob(files, types.manifest, json(manifest))]);
  await open(writeArchive(temporary(t), files), (image) => {
    assert.deepEqual(
      image.layers.map((layer) => layer.createdBy),
      ['ADD base', 'COPY motd'],
    );
    assert.deepEqual(
      image.history.map((entry) => entry.empty),
      [false, true, false],
    );
  });
});

test('progress is told, and the same image opens to the same result', async (t) => {
  const path = writeArchive(temporary(t), layout([gzipped(lower), { bytes: upper }]));
  const steps = new Set<string>();
  const first = await open(path, (image) => JSON.stringify({ ...image, tree: summary(image.tree) }), {
    onProgress: ({ step, done, total }) => steps.add(`${step} ${done === total}`),
  });
  assert.deepEqual([...steps], ['layer 1 of 2 true', 'layer 2 of 2 true']);
  assert.equal(await open(path, (image) => JSON.stringify({ ...image, tree: summary(image.tree) })), first);
});

test('not an image', async (t) => {
  const directory = temporary(t);
  const text = join(directory, 'text');
  writeFileSync(text, 'no image at all\n'.repeat(100));
  await fails(text, /not a tar archive/);
  writeFileSync(text, '');
  await fails(text, /not a container image/);
  await fails(join(directory, 'missing'), /no such file/);
  await fails(directory, /not a container image: it has no oci-layout/);
  await fails('/dev/null', /not a regular file/);
  await fails(
    writeArchive(directory, new Map([['x', Buffer.from('y')]])),
    /neither manifest\.json nor oci-layout/,
  );
  await fails(writeArchive(directory, finishLayout(new Map(), [])), /no container image in here/);
});
