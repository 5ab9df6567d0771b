// Images, really run in namespaces of their own and recorded.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { layer, program } from '../../examples/echo/host-files.ts';
import { buildEchoImage } from '../../examples/echo/image.ts';
import { type LayerEntry, type LayoutOptions, writeOciLayout } from '../../src/image/index.ts';
import { findProgram } from '../../src/record/index.ts';
import { ipToInt } from '../../src/telemetry/index.ts';
import { directory, recorded } from './support.ts';
import { fileFlows, oidKey, ops, plain, processes, readSysFlow } from './sysflow-file.ts';

const id = '0123456789ab';

async function shellImage(
  t: TestContext,
  config: LayoutOptions['config'],
  more: readonly LayerEntry[] = [],
): Promise<string> {
  const path = join(directory(t), 'image');
  const entries: LayerEntry[] = [
    ...program('/bin/sh', '/bin/sh'),
    ...program('/bin/cat', '/usr/bin/cat'),
    { kind: 'dir', path: '/tmp', mode: 0o1777 },
    {
      kind: 'file',
      path: '/etc/passwd',
      bytes: 'root:x:0:0::/root:/bin/sh\napp:x:1234:1000::/srv/app:/bin/sh\n',
    },
    { kind: 'file', path: '/etc/group', bytes: 'root:x:0:\napp:x:1000:\ntty:x:5:app\n' },
    { kind: 'dir', path: '/srv/app', uid: 1234, gid: 1000 },
    ...more,
  ];
  await writeOciLayout(path, {
    layers: [{ entries: layer(entries) }],
    name: 'shell:2',
    ...(config === undefined ? {} : { config }),
  });
  return path;
}

test('an image runs as its configuration says, and the trace has the container and nothing else', async (t) => {
  const script =
    'cat /etc/hostname; cat /etc/hostname > out; echo $$ $PWD $HOME $HOSTNAME "$GREETING" "$@" >> out; while read -r l; do echo "$l" >> out; done < /proc/self/status; exit 3';
  const image = await shellImage(t, {
    entrypoint: ['sh', '-c', script, 'sh'],
    cmd: ['not', 'used'],
    env: ['PATH=/usr/bin:/bin', "GREETING=it's $HOME"],
    user: 'app',
    workingDir: '/srv/app',
  });
  const output = join(directory(t), 'x.sf');
  const summary = await recorded(t, {
    output,
    image: { path: image },
    command: ['a b', 'c'],
    containerId: id,
    keep: true,
  });
  if (summary === undefined) return;
  t.after(() => rmSync(summary.kept as string, { recursive: true, force: true }));
  assert.deepEqual(summary.ending, { kind: 'exited', code: 3 });
  assert.deepEqual([summary.gaps, summary.notes], [[], []]);

  const lines = readFileSync(join(summary.kept as string, 'root/srv/app/out'), 'utf8').split('\n');
  assert.equal(lines[0], id);
  assert.equal(lines[1], `1 /srv/app /srv/app ${id} it's $HOME a b c`);
  const status = new Map(lines.slice(2).map((line) => line.split(/:\s*/) as [string, string]));
  assert.equal(status.get('Uid')?.split(/\s+/).join(' '), '1234 1234 1234 1234');
  assert.equal(status.get('Groups')?.trim(), '5 1000');
  assert.equal(status.get('CapEff'), '0000000000000000');
  assert.equal(status.get('CapBnd'), '00000000a80425fb');
  assert.equal(status.get('NoNewPrivs'), '0');

  const records = await readSysFlow(output);
  assert.deepEqual(
    records.filter(({ type }) => type === 'Container').map(({ value }) => ({ ...value })),
    [
      {
        id,
        name: 'shell',
        image: 'shell:2',
        imageid: summary.container?.imageId,
        type: 'CT_DOCKER',
        privileged: false,
        podId: null,
      },
    ],
  );
  const [entry] = records.filter(({ type }) => type === 'Process').map(({ value }) => value);
  assert.deepEqual(
    [entry.exe, entry.exeArgs, entry.entry, entry.poid],
    ['/bin/sh', `-c ${script} sh a b c`, true, null],
  );
  assert.deepEqual(
    [entry.uid, entry.userName, entry.gid, entry.groupName, entry.cwd, entry.tty],
    [1234, 'app', 1000, 'app', '/srv/app/', false],
  );
  assert.ok(entry.env.includes(`HOSTNAME=${id}`));
  for (const one of processes(records).values()) assert.match(one.exe, /^\/(bin\/sh|usr\/bin\/cat)$/);
  const flows = fileFlows(records);
  assert.equal(
    flows.find(({ path }) => path === '/etc/hostname')?.flow.opFlags,
    ops.OPEN | ops.READ | ops.CLOSE,
  );
  assert.ok(flows.some(({ path, flow }) => path === '/srv/app/out' && (flow.opFlags & ops.WRITE) !== 0));
  for (const { value } of records.filter(({ type }) => type === 'File'))
    assert.doesNotMatch(value.path, /effigy/);
});

test('a container cannot change what is of the host, and sees none of it', async (t) => {
  const script = `echo > /dev/stdout; [ "$(cat /proc/sys/kernel/hostname)" = ${id} ] && echo own name
for f in /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper; do echo x > $f && echo wrote $f; done
cd ../../../../..; [ -e ${process.execPath} ] && echo sees the host
echo * > /tmp/root; echo /proc/[0-9]* > /tmp/pids; echo /dev/* > /tmp/dev; echo hi > /dev/null; cat /dev/zero > /dev/full || echo full; true`;
  const image = await shellImage(t, {
    entrypoint: ['/bin/sh', '-c', `{ ${script}\n} > /tmp/said 2>/dev/null`],
  });
  const summary = await recorded(t, {
    output: join(directory(t), 'x.sf'),
    image: { path: image },
    command: [],
    containerId: id,
    keep: true,
  });
  if (summary === undefined) return;
  t.after(() => rmSync(summary.kept as string, { recursive: true, force: true }));
  const read = (name: string): string =>
    readFileSync(join(summary.kept as string, 'root/tmp', name), 'utf8').trim();
  assert.deepEqual(
    read('said')
      .split('\n')
      .filter((line) => line !== ''),
    ['own name', 'full'],
  );
  assert.match(read('root'), /^bin dev etc lib(64)?.* proc srv sys tmp usr$/);
  assert.equal(read('pids'), '/proc/1');
  assert.equal(
    read('dev')
      .split(' ')
      .filter(
        (name) =>
          !/^\/dev\/(fd|full|mqueue|null|ptmx|pts|random|shm|stderr|stdin|stdout|tty|urandom|zero)$/.test(
            name,
          ),
      )
      .join(),
    '',
  );
  assert.notEqual(hostname(), id);
});

test('hostile images: their links and loader variables lead nowhere', async (t) => {
  const outside = directory(t);
  const image = await shellImage(
    t,
    {
      entrypoint: ['/bin/sh', '-c', 'cat /etc/hostname; :'],
      env: ['LD_PRELOAD=./evil.so', 'LD_DEBUG=libs'],
      workingDir: '/work/dir',
      volumes: [`/link/volume`],
    },
    [
      { kind: 'symlink', path: '/etc/hosts', target: `${outside}/hosts` },
      { kind: 'symlink', path: '/work', target: outside },
      { kind: 'symlink', path: '/link', target: `../../../../..${outside}` },
      { kind: 'symlink', path: '/sys', target: `${outside}/sys` },
    ],
  );
  const output = join(directory(t), 'x.sf');
  const summary = await recorded(t, { output, image: { path: image }, command: [] });
  if (summary === undefined) return;
  const { readdirSync } = await import('node:fs');
  assert.deepEqual(readdirSync(outside), [], 'nothing was made outside of the copy');
  await readSysFlow(output);
});

test('images that cannot run are errors', async (t) => {
  const output = join(directory(t), 'x.sf');
  const image = await shellImage(t, { entrypoint: ['/bin/nothing'] });
  await assert.rejects(async () => {
    const summary = await recorded(t, { output, image: { path: image }, command: [] });
    if (summary === undefined) throw new Error('is not in the image');
  }, /is not in the image/);
});

test('a service is driven over the loopback of its container: network flows, and an attack', async (t) => {
  if (findProgram('gcc') === undefined) return t.skip('gcc is not installed');
  const scratch = directory(t);
  mkdirSync(scratch, { recursive: true });
  const built = await buildEchoImage(scratch);
  const client = relative(
    process.cwd(),
    fileURLToPath(new URL('../../examples/echo/client.js', import.meta.url)),
  );
  const run = (name: string, arguments_: string) =>
    recorded(t, {
      output: join(scratch, `${name}.sf`),
      image: { path: built.path },
      command: [],
      containerId: id,
      drive: `${process.execPath} ${client} ${name} 127.0.0.1:7007 ${arguments_}`,
    });
  const benign = await run('benign', '');
  if (benign === undefined) return;
  assert.deepEqual(
    [benign.listened, benign.drive?.status, benign.ending, benign.gaps],
    [true, 0, { kind: 'exited', code: 0 }, []],
  );
  const records = await readSysFlow(benign.output);
  const flows = records.filter(({ type }) => type === 'NetworkFlow').map(({ value }) => value);
  const loopback = ipToInt('127.0.0.1');
  assert.deepEqual(
    flows.map((flow) => [
      flow.opFlags,
      flow.sip,
      flow.dip,
      flow.dport,
      flow.proto,
      Number(flow.numRRecvBytes),
      Number(flow.numWSendBytes),
    ]),
    [
      [18, 18],
      [7, 7],
      [20, 20],
      [29, 29],
    ].map(([read, written]) => [
      ops.ACCEPT | ops.READ | ops.WRITE | ops.CLOSE,
      loopback,
      loopback,
      7007,
      6,
      read,
      written,
    ]),
  );
  const echod = [...processes(records).values()];
  assert.deepEqual(
    echod.map((one) => [one.exe, one.exeArgs]),
    [['/usr/local/bin/echod', '/etc/echo.conf']],
  );
  assert.ok(flows.every((flow) => oidKey(flow.procOID) === oidKey(echod[0].oid)));

  const attack = await run('attack', `--binary ${built.binary}`);
  assert.deepEqual(attack?.ending, { kind: 'exited', code: 0 });
  const attacked = await readSysFlow(attack?.output as string);
  const shell = [...processes(attacked).values()].find((one) => one.exe === '/bin/sh');
  assert.equal(shell?.exeArgs, '-c id > /tmp/pwned');
  assert.equal(
    oidKey(plain(shell.poid) as typeof shell.oid),
    oidKey(attacked.find(({ type }) => type === 'Process')?.value.oid),
  );
  assert.ok(
    fileFlows(attacked).some(({ path, flow }) => path === '/tmp/pwned' && (flow.opFlags & ops.WRITE) !== 0),
  );
});

test('of a service that is killed, its tools have nothing to say', async (t) => {
  const image = await shellImage(t, { entrypoint: ['sh', '-c', 'echo up >&2; read -r l; exec sleep 100'] });
  const module = new URL('../../src/record/index.js', import.meta.url).href;
  const options = {
    output: join(directory(t), 'x.sf'),
    image: { path: image },
    command: [],
    interactive: true,
    drive: 'kill -9 "$EFFIGY_PID"',
    readyTimeout: 500,
  };
  const program = `import { record } from ${JSON.stringify(module)};
const { ending } = await record(${JSON.stringify(options)});
console.log(JSON.stringify(ending));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (bytes: Buffer) => {
      said[name] += bytes.toString();
    });
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0 && /not installed|can't attach|namespaces|may only map/.test(said.stderr))
    return t.skip(said.stderr);
  assert.deepEqual(said, { stdout: '{"kind":"killed","signal":9}\n', stderr: 'up\n' });
});
