// `effigy image`: what an image holds: configuration, layers, files.
import type { Command } from 'commander';
import { InputError, printable } from '../bytes/index.ts';
import {
  defaultLimits,
  type Image,
  type Limits,
  limitTexts,
  listTree,
  type Node,
  openImage,
  platformText,
  readOwners,
  walk,
} from '../image/index.ts';
import { createProgress } from './progress.ts';

interface ImageOptions {
  readonly tree?: string | true;
  readonly recursive?: boolean;
  readonly json?: boolean;
  readonly platform?: string;
  readonly ref?: string;
  readonly limit?: readonly string[];
}

const help = `
Limits (--limit NAME=NUMBER), and what they are unless given:
${Object.entries(defaultLimits)
  .map(
    ([name, value]) =>
      `  ${name.padEnd(18)} ${String(value).padStart(12)}  ${limitTexts[name as keyof Limits]}`,
  )
  .join('\n')}

Examples:
  docker save shop | gzip > shop.tar.gz && effigy image shop.tar.gz
  effigy image shop.tar --tree /etc/nginx -R
  effigy image ./layout --ref v2 --platform linux/arm64 --json`;

export function addImageCommand(program: Command): void {
  program
    .command('image')
    .description('print what an image holds: configuration, layers, files')
    .argument('<image>', 'archive of docker save, OCI archive, or OCI layout directory')
    .option('--tree [path]', 'print the files only: of this directory, or of the root')
    .option('-R, --recursive', 'files of the directories below too')
    .option('--json', 'print as JSON; with --tree or -R the files too')
    .option('--platform <os/arch>', 'which platform of several', 'linux/amd64')
    .option('--ref <name>', 'which image of several: its tag or the start of its digest')
    .option('--limit <name=number>', 'raise or lower a limit (may be given several times)', collect, [])
    .addHelpText('after', help)
    .action(async (path: string, options: ImageOptions) => {
      const bar = createProgress('image');
      const image = await openImage(path, {
        platform: options.platform,
        ref: options.ref,
        limits: parseLimits(options.limit ?? []),
        onProgress: ({ step, done, total }) => bar.update(step, done, total),
      }).finally(() => bar.stop());
      try {
        await print(options.json ? jsonLines(image, options) : textLines(image, options));
      } finally {
        image.close();
      }
    });
}

function parseLimits(texts: readonly string[]): Partial<Limits> {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const text of texts) {
    const parts = /^([a-zA-Z]+)=([0-9]+)$/.exec(text);
    if (parts === null || !Object.hasOwn(defaultLimits, parts[1])) {
      throw new InputError(
        'not a limit',
        `--limit ${text}`,
        `NAME=NUMBER is wanted; names: ${Object.keys(defaultLimits).join(', ')}`,
      );
    }
    limits[parts[1] as keyof Limits] = Number(parts[2]);
  }
  return limits;
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Large listings wait for whoever reads them. */
async function print(lines: Iterable<string>): Promise<void> {
  let pending = '';
  const flush = async (): Promise<void> => {
    const ready = process.stdout.write(pending);
    pending = '';
    if (!ready) await new Promise((resolve) => process.stdout.once('drain', resolve));
  };
  for (const line of lines) {
    pending += `${line}\n`;
    if (pending.length > 65536) await flush();
  }
  if (pending !== '') await flush();
}

function listing(image: Image, options: ImageOptions): Iterable<string> {
  return listTree(image.tree, {
    ...(typeof options.tree === 'string' ? { path: options.tree } : {}),
    recursive: options.recursive ?? false,
  });
}

function* textLines(image: Image, options: ImageOptions): Generator<string> {
  if (options.tree !== undefined) {
    yield* listing(image, options);
    return;
  }
  yield* configLines(image);
  yield '';
  yield* layerLines(image);
  if (image.notes.length > 0) yield '';
  for (const note of image.notes) yield `note: ${printable(note.where)}: ${printable(note.what)}`;
  if (image.notesLeftOut > 0) yield `note: and ${image.notesLeftOut} more`;
  yield '';
  yield* listing(image, options);
}

const words = (list: readonly string[]): string =>
  list.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(printable(word)))).join(' ');

function* configLines(image: Image): Generator<string> {
  const { config } = image;
  const rows: readonly (readonly [title: string, values: readonly string[]])[] = [
    ['image', [`${printable(image.source)} (${image.format})`]],
    ['names', image.names.map(printable)],
    ['platform', [platformText(image.platform)]],
    ['manifest', image.manifestDigest === undefined ? [] : [image.manifestDigest]],
    ['config', [image.configDigest]],
    ['created', config.created === undefined ? [] : [printable(config.created)]],
    ['author', config.author === undefined ? [] : [printable(config.author)]],
    ['entrypoint', config.entrypoint.length === 0 ? [] : [words(config.entrypoint)]],
    ['cmd', config.cmd.length === 0 ? [] : [words(config.cmd)]],
    ['user', config.user === '' ? [] : [printable(config.user)]],
    ['workdir', config.workingDir === '' ? [] : [printable(config.workingDir)]],
    ['env', config.env.map(printable)],
    ['ports', config.exposedPorts.length === 0 ? [] : [words(config.exposedPorts)]],
    ['volumes', config.volumes.length === 0 ? [] : [words(config.volumes)]],
    ['stop', config.stopSignal === '' ? [] : [printable(config.stopSignal)]],
    ['shell', config.shell === undefined ? [] : [words(config.shell)]],
    ['health', config.healthcheck === undefined ? [] : [healthText(config.healthcheck)]],
    ['labels', Object.entries(config.labels).map(([name, value]) => printable(`${name}=${value}`))],
  ];
  for (const [title, values] of rows)
    for (const [i, value] of values.entries()) yield `${(i === 0 ? title : '').padEnd(11)}${value}`;
}

function healthText(health: NonNullable<Image['config']['healthcheck']>): string {
  const seconds = (title: string, ns: number): string => (ns === 0 ? '' : ` ${title} ${ns / 1e9} s`);
  return `${words(health.test)}${seconds('every', health.interval)}${seconds('timeout', health.timeout)}${seconds('start', health.startPeriod)}${health.retries === 0 ? '' : ` retries ${health.retries}`}`;
}

function* layerLines(image: Image): Generator<string> {
  yield `layers     ${image.layers.length}, ${image.layers.reduce((sum, layer) => sum + layer.uncompressedSize, 0)} bytes unfolded, ${image.tree.count} inodes`;
  for (const [i, layer] of image.layers.entries()) {
    yield `  ${String(i + 1).padStart(3)}  ${layer.digest}  ${layer.compression}  ${layer.size} bytes  ${layer.entries} entries`;
    if (layer.createdBy !== '')
      yield `       ${printable(layer.createdBy.replace(/[\s]+/g, ' ').slice(0, 200))}`;
  }
}

function* jsonLines(image: Image, options: ImageOptions): Generator<string> {
  const { tree, close: _close, ...rest } = image;
  const head = JSON.stringify(rest, null, 2);
  if (options.tree === undefined && options.recursive !== true) {
    yield head;
    return;
  }
  yield `${head.slice(0, -2)},`;
  yield '  "tree": [';
  let held: string | undefined;
  for (const line of treeJson(image, options)) {
    if (held !== undefined) yield `${held},`;
    held = line;
  }
  if (held !== undefined) yield held;
  yield '  ]';
  yield '}';
}

function* treeJson(image: Image, options: ImageOptions): Generator<string> {
  const { tree } = image;
  const path = typeof options.tree === 'string' ? options.tree : '/';
  const real = tree.realpath(path);
  const from = tree.lookup(path);
  if (from === undefined || real === undefined)
    throw new InputError(
      'no such file or directory in the image',
      printable(path),
      'paths count from the root of the image',
    );
  const owners = readOwners(tree);
  const line = (at: string, node: Node): string =>
    `    ${JSON.stringify({
      path: at,
      kind: node.kind,
      mode: node.mode.toString(8).padStart(4, '0'),
      uid: node.uid,
      gid: node.gid,
      user: owners.users.get(node.uid),
      group: owners.groups.get(node.gid),
      size: node.size,
      mtime: node.mtime,
      mtimeNs: node.mtimeNs,
      ino: node.ino,
      nlink: node.nlink,
      target: node.kind === 'symlink' ? node.target : undefined,
      device: node.kind === 'char' || node.kind === 'block' ? [node.rdevMajor, node.rdevMinor] : undefined,
      xattrs:
        node.xattrs.size === 0
          ? undefined
          : Object.fromEntries(
              [...node.xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
            ),
      layer: node.layer + 1,
    })}`;
  if (from.kind !== 'dir') yield line(real, from);
  else if (options.recursive)
    for (const [at, node] of walk(tree, from, real === '/' ? '' : real)) yield line(at, node);
  else for (const [name, node] of from.entries) yield line(`${real === '/' ? '' : real}/${name}`, node);
}
