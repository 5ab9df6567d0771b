// Commands of this machine, really recorded.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { record } from '../../src/record/index.ts';
import { directory, recorded } from './support.ts';
import { fileFlows, oidKey, ops, plain, processes, readSysFlow } from './sysflow-file.ts';

/** Whether there is such a process; one that has ended and waits for its parent is none. */
function runs(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

test('a shell and its children: process tree, effects, order', async (t) => {
  const output = join(directory(t), 'x.sf');
  const command = 'cat /etc/hostname; ls / | head -n 2; cat < /dev/null > "$OUT"; exit 3';
  const summary = await recorded(t, { output, command: ['sh', '-c', command], env: [`OUT=${output}.out`] });
  if (summary === undefined) return;
  assert.deepEqual(summary.ending, { kind: 'exited', code: 3 });
  assert.deepEqual(summary.gaps, []);
  const records = await readSysFlow(output);
  assert.equal(records.length, summary.records);
  assert.ok(records.every(({ type }) => type !== 'Container'));

  const [shell] = records.filter(({ type }) => type === 'Process').map(({ value }) => value);
  assert.equal(shell.exe, realpathSync('/bin/sh'));
  assert.equal(shell.exeArgs, `-c ${command}`);
  assert.equal(shell.entry, false);
  assert.equal(shell.cwd, `${process.cwd()}/`);
  const children = [...processes(records).values()].filter((one) => oidKey(one.oid) !== oidKey(shell.oid));
  assert.deepEqual(
    children.map((one) => one.exe.replace(/.*\//, '')),
    ['cat', 'ls', 'head', 'cat'],
  );
  for (const child of children) {
    assert.equal(oidKey(plain(child.poid) as typeof child.oid), oidKey(shell.oid));
    const events = records.filter(
      ({ type, value }) => type === 'ProcessEvent' && oidKey(value.procOID) === oidKey(child.oid),
    );
    assert.deepEqual(
      events.map(({ value }) => value.opFlags),
      [ops.CLONE, ops.EXEC, ops.EXIT],
      child.exe,
    );
  }
  const flows = fileFlows(records);
  const hostname = flows.find(({ path }) => path === '/etc/hostname');
  assert.equal(hostname?.flow.opFlags, ops.OPEN | ops.READ | ops.CLOSE);
  assert.equal(hostname?.flow.numRRecvBytes, BigInt(statSync('/etc/hostname').size));
  assert.equal(flows.find(({ path }) => path === `${output}.out`)?.flow.opFlags & ops.OPEN, ops.OPEN);
  const last = records.filter(({ type }) => type === 'ProcessEvent').at(-1)?.value;
  assert.deepEqual([oidKey(last.procOID), last.opFlags, last.ret], [oidKey(shell.oid), ops.EXIT, 3 * 256]);
});

test('a driven service is stopped by its signal; one that does not listen to it is killed', async (t) => {
  const scratch = directory(t);
  const ready = join(scratch, 'ready');
  const service = (body: string) => ['sh', '-c', `${body}; : > "$READY"; while :; do sleep 0.05; done`];
  const options = {
    output: join(scratch, 'x.sf'),
    drive: `until [ -e "${ready}" ]; do sleep 0.02; done; kill -0 $EFFIGY_PID`,
    env: [`READY=${ready}`],
    readyTimeout: 0,
    stopTimeout: 500,
  };
  const polite = await recorded(t, { ...options, command: service('trap "exit 7" TERM') });
  if (polite === undefined) return;
  assert.deepEqual(polite.ending, { kind: 'exited', code: 7 });
  assert.equal(polite.drive?.status, 0);
  const deaf = await record({ ...options, command: service('trap "" TERM') });
  assert.deepEqual(deaf.ending, { kind: 'killed', signal: 9 });
  assert.match(deaf.notes.join(), /did not stop/);
  await readSysFlow(options.output);
});

test('what was left running is ended with the recording', async (t) => {
  const scratch = directory(t);
  const pidFile = join(scratch, 'pid');
  const command = ['sh', '-c', 'sleep 1000 & echo $! > "$PIDFILE"'];
  const summary = await recorded(t, {
    output: join(scratch, 'x.sf'),
    command,
    env: [`PIDFILE=${pidFile}`],
    duration: 1000,
  });
  if (summary === undefined) return;
  assert.deepEqual(summary.ending, { kind: 'exited', code: 0 });
  assert.equal(runs(readFileSync(pidFile, 'utf8').trim()), false);
});

test('bad commands are errors, and leave no file', async (t) => {
  const scratch = directory(t);
  const output = join(scratch, 'x.sf');
  writeFileSync(join(scratch, 'data'), '');
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /no command given/],
    [['effigy-no-such-command'], /command not found/],
    [[join(scratch, 'data')], /could not be executed/],
  ];
  for (const [command, message] of cases) {
    try {
      await record({ output, command });
      assert.fail('no error');
    } catch (error) {
      const text = (error as Error).message;
      if (/not installed|can't attach/.test(text)) return t.skip(text);
      assert.match(text, message);
    }
    assert.equal(existsSync(output), false);
  }
  await assert.rejects(
    record({ output: join(scratch, 'none', 'x.sf'), command: ['true'] }),
    /no such file or directory/,
  );
});

test('a recorder that is killed takes its subject and its directory with it', async (t) => {
  const scratch = directory(t);
  const pidFile = join(scratch, 'pid');
  const module = new URL('../../src/record/index.js', import.meta.url).href;
  const program = `import { record } from ${JSON.stringify(module)};
await record(${JSON.stringify({ output: join(scratch, 'x.sf'), command: ['sh', '-c', `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000`] })});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: 'ignore',
    env: { ...process.env, TMPDIR: scratch },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while (!existsSync(pidFile) && child.exitCode === null) await sleep(20);
  if (child.exitCode !== null) return t.skip('nothing can be recorded here');
  child.kill('SIGKILL');
  await ended;
  const pid = readFileSync(pidFile, 'utf8').trim();
  const left = () => runs(pid) || readdirSync(scratch).some((name) => name.startsWith('effigy-record-'));
  for (let i = 0; i < 500 && left(); i++) await sleep(20);
  assert.equal(runs(pid), false);
  assert.deepEqual(
    readdirSync(scratch).filter((name) => name.startsWith('effigy-record-')),
    [],
  );
});
