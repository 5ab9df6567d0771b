// Compose files (Compose specification): from services to containers as an engine starts them.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import { readEnvFile } from './compose-interpolate.ts';
import { ComposeReader, type ReadFile } from './compose-reader.ts';
import { composeMounts } from './compose-volumes.ts';
import type {
  DeployedContainer,
  DeployedPort,
  Deployment,
  DeploymentNote,
  EntryCommand,
  EnvVariable,
} from './deployment.ts';
import { plainContainer } from './deployment.ts';
import { known, type Text } from './text.ts';

export const isCompose = (document: Fields): boolean => document.isMap && !document.field('services').absent;

export interface ComposeOptions {
  /** Name of the directory that holds the file: the project's name where the file gives none. */
  readonly directory: string;
  readonly readFile: ReadFile;
}

export function readCompose(
  document: Fields,
  options: ComposeOptions,
): { deployments: Deployment[]; notes: DeploymentNote[] } {
  const dotEnv = options.readFile('.env');
  const reader = new ComposeReader(
    dotEnv === undefined ? new Map() : readEnvFile(new TextDecoder().decode(dotEnv)),
    options.readFile,
  );
  const project = reader.plain(
    document.field('name'),
    options.directory.toLowerCase().replace(/[^a-z0-9_-]/g, ''),
  );
  if (!document.field('include').absent)
    reader.note('included files are not read: give them one by one', document.field('include'));
  const services = document.field('services').entries();
  const containers = services.map(([name, fields]) => {
    const chain = extended(name, fields, services, reader, []);
    return readService(name, new Layered(chain), document, project, reader);
  });
  return {
    deployments: [{ name: `compose project ${printable(project)}`, containers }],
    notes: reader.notes,
  };
}

/** A service and those that it extends, itself first. */
function extended(
  name: string,
  fields: Fields,
  services: readonly (readonly [string, Fields])[],
  reader: ComposeReader,
  seen: readonly string[],
): Fields[] {
  const extension = fields.field('extends');
  if (extension.absent) return [fields];
  if (seen.includes(name)) throw new InputError('services extend each other in a circle', extension.where);
  if (extension.isMap && !extension.field('file').absent) {
    reader.note('a service of another file is extended: what it says there is not known', extension);
    return [fields];
  }
  const base = extension.isText ? extension.text() : extension.field('service').text();
  const found = services.find(([other]) => other === base);
  if (found === undefined) throw new InputError(`no service ${printable(base)} to extend`, extension.where);
  return [fields, ...extended(base, found[1], services, reader, [...seen, name])];
}

/** A service with its bases: single values are the first one's, lists and maps are joined. */
export class Layered {
  private readonly chain: readonly Fields[];

  constructor(chain: readonly Fields[]) {
    this.chain = chain;
  }

  first(name: string): Fields {
    const found = this.chain.map((fields) => fields.field(name)).find((fields) => !fields.absent);
    return found ?? this.chain[0].field(name);
  }

  /** All that say something, the farthest base first: later ones come before it. */
  all(name: string): Fields[] {
    return this.chain
      .map((fields) => fields.field(name))
      .filter((fields) => !fields.absent)
      .reverse();
  }
}

function readService(
  name: string,
  service: Layered,
  document: Fields,
  project: string,
  reader: ComposeReader,
): DeployedContainer {
  const env = environmentOf(service, reader);
  const entrypoint = reader.command(service.first('entrypoint'));
  const args = reader.command(service.first('command'));
  const user = reader.plain(service.first('user'), '');
  const workingDir = reader.plain(service.first('working_dir'), '');
  const hostName = reader.plain(service.first('hostname'), '');
  const stopSignal = reader.plain(service.first('stop_signal'), '');
  const health = service.first('healthcheck');
  if (service.first('init').flag())
    reader.note(
      'the engine’s own init process is not modelled: the service is its first process',
      service.first('init'),
    );
  for (const field of ['pid', 'ipc', 'network_mode'])
    if (reader.plain(service.first(field), '') === 'host')
      reader.note(`${field} of the host is shared: it is not modelled`, service.first(field));
  const options = service.all('security_opt').flatMap((list) => list.texts());
  return {
    ...plainContainer(name, reader.plain(service.first('image'), `${project}-${name}`)),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(args === undefined ? {} : { args }),
    env,
    ...(workingDir === '' ? {} : { workingDir }),
    ...(user === '' ? {} : { user }),
    groups: service
      .all('group_add')
      .flatMap((list) => list.items().map((item) => Number(item.scalar())))
      .filter((group) => Number.isInteger(group)),
    ...(hostName === '' ? {} : { hostName: known(hostName) }),
    readOnlyRoot: service.first('read_only').flag(),
    privileged: service.first('privileged').flag(),
    noNewPrivileges: options.some((option) => /^no-new-privileges(?:[:=]true)?$/.test(option)),
    capabilities: { add: capabilities(service.all('cap_add')), drop: capabilities(service.all('cap_drop')) },
    mounts: composeMounts(service, document, reader),
    ports: [...service.all('ports'), ...service.all('expose')].flatMap((list) =>
      list.items().flatMap((item) => readPort(item, reader)),
    ),
    commands: [
      ...healthCommand(health, reader),
      ...hooks(service.first('post_start'), 'post-start hook', reader),
      ...hooks(service.first('pre_stop'), 'pre-stop hook', reader),
    ],
    imageHealthcheck: health.absent || (!health.field('disable').flag() && health.field('test').absent),
    ...(stopSignal === '' ? {} : { stopSignal: stopSignal.replace(/^SIG/, '') }),
  };
}

const capabilities = (lists: readonly Fields[]): string[] =>
  lists.flatMap((list) => list.texts()).map((name) => name.toUpperCase().replace(/^CAP_/, ''));

function environmentOf(service: Layered, reader: ComposeReader): EnvVariable[] {
  const out = new Map<string, Text>();
  for (const files of service.all('env_file')) {
    for (const item of files.isText ? [files] : files.items()) {
      const path = reader.plain(item.isMap ? item.field('path') : item, '');
      const bytes = reader.readFile(path);
      if (bytes === undefined) {
        reader.note(`variables of ${printable(path)} are not known: the file is not there`, item);
        continue;
      }
      for (const [name, value] of readEnvFile(new TextDecoder().decode(bytes))) out.set(name, known(value));
    }
  }
  for (const variables of service.all('environment')) {
    const pairs: readonly (readonly [string, Text | undefined])[] = variables.isMap
      ? variables
          .entries()
          .map(([name, value]) => [name, value.absent ? undefined : reader.text(value)] as const)
      : variables.items().map((item) => reader.pair(item));
    // a name without a value passes the shell's own through
    for (const [name, value] of pairs) out.set(name, value ?? reader.variable(name));
  }
  return [...out].map(([name, value]) => ({ name, value }));
}

function readPort(item: Fields, reader: ComposeReader): DeployedPort[] {
  const protocolOf = (text: string): DeployedPort['protocol'] =>
    text === 'udp' || text === 'sctp' ? text : 'tcp';
  if (item.isMap) {
    const port = Number(reader.plain(item.field('target'), ''));
    return Number.isInteger(port)
      ? [{ port, protocol: protocolOf(reader.plain(item.field('protocol'), 'tcp')) }]
      : [];
  }
  const [address, protocol = 'tcp'] = reader.plain(item, '').split('/');
  const [from, to = from] = (address.split(':').at(-1) ?? '').split('-').map(Number);
  if (!Number.isInteger(from) || !Number.isInteger(to) || to < from || to - from > 65535) {
    reader.note('not understood as a port', item);
    return [];
  }
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    port: from + i,
    protocol: protocolOf(protocol),
  }));
}

/** `CMD a b`, `CMD-SHELL text`, `NONE`, or a plain text for the shell. */
function healthCommand(health: Fields, reader: ComposeReader): EntryCommand[] {
  const test = health.field('test');
  if (health.absent || test.absent || health.field('disable').flag()) return [];
  const words = test.isText
    ? [known('CMD-SHELL'), reader.text(test)]
    : test.items().map((item) => reader.text(item));
  const [kind, ...argv] = words;
  const name = kind?.[0];
  if (name === 'NONE') return [];
  if (name === 'CMD' && argv.length > 0) return [{ reason: 'health check', argv }];
  if (name === 'CMD-SHELL' && argv.length === 1)
    return [{ reason: 'health check', argv: [known('/bin/sh'), known('-c'), argv[0]] }];
  throw new InputError('a health check is NONE, CMD with its words, or CMD-SHELL with one text', test.where);
}

function hooks(list: Fields, reason: string, reader: ComposeReader): EntryCommand[] {
  return list.items().map((item): EntryCommand => {
    const argv = reader.command(item.field('command'));
    if (argv === undefined || argv.length === 0) throw new InputError('a hook without a command', item.where);
    return { reason, argv };
  });
}
