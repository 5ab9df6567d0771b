// Volumes, tmpfs, configs and secrets of a Compose service.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import type { Layered } from './compose.ts';
import type { ComposeReader } from './compose-reader.ts';
import type { DeployedMount, MountContent } from './deployment.ts';
import { type Text, unknown } from './text.ts';

export function composeMounts(service: Layered, document: Fields, reader: ComposeReader): DeployedMount[] {
  const mounts = [
    ...service.all('volumes').flatMap((list) => list.items().flatMap((item) => volumeMount(item, reader))),
    ...service.all('tmpfs').flatMap((list) => list.texts().map((text) => temporary(text.split(':')[0]))),
    ...service.all('configs').flatMap((list) => keyed(list, 'config', document, reader)),
    ...service.all('secrets').flatMap((list) => keyed(list, 'secret', document, reader)),
  ];
  // the last word on a path counts
  return mounts.filter((mount, i) => !mounts.slice(i + 1).some(({ path }) => path === mount.path));
}

const temporary = (path: string): DeployedMount => ({
  path,
  readOnly: false,
  content: { kind: 'empty', memory: true },
  source: 'tmpfs',
});

function volumeMount(item: Fields, reader: ComposeReader): DeployedMount[] {
  if (item.isMap) return longVolume(item, reader);
  const parts = reader.plain(item, '').split(':');
  if (parts.length > 3 || parts[0] === '') {
    reader.note('not understood as a volume', item);
    return [];
  }
  const [source, path, mode = ''] = parts.length === 1 ? ['', parts[0]] : parts;
  return [mount(path, source, mode.split(',').includes('ro'), item)];
}

function mount(path: string, source: string, readOnly: boolean, at: Fields): DeployedMount {
  if (!path.startsWith('/')) throw new InputError(`${printable(path)} is not an absolute path`, at.where);
  const bind = /^[./~]/.test(source);
  const named = source === '' ? 'anonymous volume' : `volume ${printable(source)}`;
  return {
    path,
    readOnly,
    source: bind ? `path ${printable(source)}` : named,
    content: bind ? bound(source) : { kind: 'image' },
  };
}

/** A path of the machine that runs the project: relative ones are beside the file, others need not be here. */
const bound = (source: string): MountContent =>
  source.startsWith('.') ? { kind: 'host', path: source } : { kind: 'unknown' };

function longVolume(item: Fields, reader: ComposeReader): DeployedMount[] {
  const type = reader.plain(item.field('type'), 'volume');
  const path = reader.plain(item.field('target'), '');
  if (type === 'tmpfs') return [temporary(path)];
  const source = reader.plain(item.field('source'), '');
  const readOnly = item.field('read_only').flag();
  if (type === 'volume' && item.field('volume').field('nocopy').flag())
    return [
      { path, readOnly, source: `volume ${printable(source)}`, content: { kind: 'empty', memory: false } },
    ];
  if (type === 'volume' || type === 'bind')
    return [mount(path, type === 'bind' && !/^[./~]/.test(source) ? `./${source}` : source, readOnly, item)];
  reader.note(`volumes of type ${printable(type)} are not modelled`, item);
  return [
    { path, readOnly, source: `${printable(type)} ${printable(source)}`, content: { kind: 'unknown' } },
  ];
}

/** Configs and secrets: names of the file's top level, with where and how to mount them. */
function keyed(
  list: Fields,
  kind: 'config' | 'secret',
  document: Fields,
  reader: ComposeReader,
): DeployedMount[] {
  return list.items().map((item): DeployedMount => {
    const name = item.isText ? item.text() : item.field('source').text();
    const given = item.isText ? '' : reader.plain(item.field('target'), '');
    const target = given === '' ? name : given;
    const directory = kind === 'secret' ? '/run/secrets/' : '/';
    const definition = document.field(`${kind}s`).field(name);
    if (definition.absent) throw new InputError(`the file defines no ${kind} ${printable(name)}`, item.where);
    return {
      path: target.startsWith('/') ? target : directory + target,
      readOnly: true,
      source: `${kind} ${printable(name)}`,
      content: {
        kind: 'files',
        projected: false,
        files: [
          { path: '', mode: 0o444, content: contentOf(definition, `${kind} ${printable(name)}`, reader) },
        ],
      },
    };
  });
}

function contentOf(definition: Fields, source: string, reader: ComposeReader): Text | Uint8Array {
  const content = definition.field('content');
  if (!content.absent) return reader.text(content);
  const environment = definition.field('environment');
  if (!environment.absent) return reader.variable(environment.text());
  const file = definition.field('file');
  if (file.absent) return unknown(source);
  return reader.readFile(reader.plain(file, '')) ?? unknown(source);
}
