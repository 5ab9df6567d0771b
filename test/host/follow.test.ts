// Files that grow: everything that is written is read once, in order, over rotation, moving away and starting anew.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { follow } from '../../src/host/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'effigy-follow-'));
after(() => rmSync(directory, { recursive: true }));

/** What was heard, as one text: `<name:bytes>`, each file in angle brackets once it is complete. */
class Heard {
  text = '';
  private wake: () => void = () => {};
  readonly stop = new AbortController();
  readonly done: Promise<void>;

  constructor(path: string) {
    const say = (text: string): void => {
      this.text += text;
      this.wake();
    };
    this.done = follow(
      path,
      {
        begin: (name) => say(`<${basename(name)}:`),
        bytes: (piece) => say(Buffer.from(piece).toString()),
        end: () => say('>'),
        restarted: () => say('!'),
      },
      { signal: this.stop.signal, poll: 5, order: (a, b) => Number(a) - Number(b) },
    );
  }

  async until(text: string): Promise<void> {
    while (!this.text.endsWith(text))
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
  }

  async end(): Promise<string> {
    this.stop.abort();
    await this.done;
    return this.text;
  }
}

test('a file grows, is moved away and begun anew', async () => {
  const path = join(directory, 'log');
  writeFileSync(path, 'one');
  const heard = new Heard(path);
  await heard.until('one');
  appendFileSync(path, ' two');
  await heard.until(' two');
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, ' late');
  await heard.until(' late');
  writeFileSync(path, 'three');
  await heard.until('three');
  truncateSync(path, 0);
  await heard.until('!');
  appendFileSync(path, 'four');
  await heard.until('four');
  assert.equal(await heard.end(), '<log:one two late><log:three!four>');
});

test('a directory of rotated files: in order of their names, the newest may grow', async () => {
  const path = join(directory, 'rotated');
  mkdirSync(path);
  writeFileSync(join(path, '100'), 'b');
  writeFileSync(join(path, '99'), 'a');
  writeFileSync(join(path, '.hidden'), 'x');
  const heard = new Heard(path);
  await heard.until('b');
  appendFileSync(join(path, '100'), 'c');
  await heard.until('c');
  appendFileSync(join(path, '100'), 'd');
  writeFileSync(join(path, '101'), 'e');
  await heard.until('e');
  // One that comes late is read all the same, and once.
  writeFileSync(join(path, '98'), 'f');
  await heard.until('f');
  rmSync(join(path, '99'));
  assert.equal(await heard.end(), '<99:a><100:bcd><101:e><98:f>');
});

test('an empty directory is waited for, a missing path is an error', async () => {
  const path = join(directory, 'empty');
  mkdirSync(path);
  const heard = new Heard(path);
  writeFileSync(join(path, '1'), 'x');
  await heard.until('x');
  assert.equal(await heard.end(), '<1:x>');
  await assert.rejects(new Heard(join(directory, 'missing')).done, { name: 'InputError' });
});

test('what is there when following ends is read', async () => {
  const path = join(directory, 'last');
  mkdirSync(path);
  for (const name of ['1', '2', '3']) writeFileSync(join(path, name), name);
  const heard = new Heard(path);
  assert.equal(await heard.end(), '<1:1><2:2><3:3>');
});
