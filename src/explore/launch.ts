// How a container is started under one environment: the image's configuration with what its deployment changes, and
// values of the environment in place of what the deployment doesn't hold.
import { assert } from '../bytes/index.ts';
import {
  type DeployedContainer,
  type DeployedMount,
  type MountedFile,
  resolve,
  type Text,
  type Unknown,
} from '../deployment/index.ts';
import { type Image, type Node, treeBuilder } from '../image/index.ts';
import { capabilitySet, type MountSpec, type ProcessSpec } from '../linux/index.ts';
import type { Environment } from './environments.ts';
import type { Action, Scenario } from './scenario.ts';

/** A command that the runtime starts in the running container. */
export interface Entry {
  readonly reason: string;
  readonly spec: ProcessSpec;
}

/** A request that the runtime makes, to a port of the container. */
export interface LaunchRequest {
  readonly reason: string;
  readonly port: number;
  /** '' for a mere connection. */
  readonly payload: string;
}

export interface Launch {
  readonly environment: Environment;
  readonly spec: ProcessSpec;
  readonly mounts: readonly MountSpec[];
  readonly readOnlyRoot: boolean;
  readonly entries: readonly Entry[];
  readonly requests: readonly LaunchRequest[];
  /** Texts that stand for values that nobody here knows: none of them may be a literal in a policy. */
  readonly unknown: readonly string[];
  /** What of the deployment is not in this launch, for cuts. */
  readonly missing: readonly string[];
}

/** A launch of this process and nothing else. */
export function plainLaunch(spec: ProcessSpec, environment: Environment): Launch {
  return {
    environment,
    spec,
    mounts: [],
    readOnlyRoot: false,
    entries: [],
    requests: [],
    unknown: [],
    missing: [],
  };
}

/** The launch of a container of an image. Throws InputError where the deployment asks for what can't be. */
export function launchOf(image: Image, container: DeployedContainer, environment: Environment): Launch {
  return new LaunchBuilder(image, container, environment).build();
}

class LaunchBuilder {
  private readonly image: Image;
  private readonly container: DeployedContainer;
  private readonly environment: Environment;
  private readonly values = new Map<string, string>();
  private readonly missing: string[] = [];

  constructor(image: Image, container: DeployedContainer, environment: Environment) {
    this.image = image;
    this.container = container;
    const hostName = container.hostName;
    this.environment =
      hostName === undefined
        ? environment
        : { ...environment, values: { ...environment.values, hostName: this.textIn(environment, hostName) } };
  }

  build(): Launch {
    const { container, image } = this;
    const { config } = image;
    const entrypoint = container.entrypoint?.map((text) => this.text(text));
    const args = container.args?.map((text) => this.text(text));
    const spec = this.process([
      ...(entrypoint ?? config.entrypoint),
      ...(args ?? (entrypoint === undefined ? config.cmd : [])),
    ]);
    const mounts = container.mounts.flatMap((mount) => this.mount(mount));
    const entries = this.commands().map(({ reason, argv }): Entry => ({ reason, spec: { ...spec, argv } }));
    for (const source of container.unknownEnv)
      this.missing.push(`variables of ${source}: the manifest doesn't hold it`);
    return {
      environment: this.environment,
      spec,
      mounts,
      readOnlyRoot: container.readOnlyRoot,
      entries,
      requests: this.requests(),
      unknown: [...this.values.values()],
      missing: this.missing,
    };
  }

  private process(argv: readonly string[]): ProcessSpec {
    const { container } = this;
    const { config } = this.image;
    const own = new Set(container.env.map(({ name }) => name));
    const user = container.user ?? config.user;
    const [imageUser] = config.user.split(':');
    return {
      argv,
      env: [
        ...config.env.filter((entry) => !own.has(entry.split('=')[0])),
        ...container.env.map(({ name, value }) => `${name}=${this.variable(name, value)}`),
      ],
      cwd: container.workingDir ?? (config.workingDir === '' ? '/' : config.workingDir),
      user: user.startsWith(':') ? imageUser + user : user,
      groups: container.groups,
      directories: config.volumes,
      capabilities: capabilitySet(container.capabilities, container.privileged),
      noNewPrivileges: container.noNewPrivileges,
    };
  }

  /** Commands of the deployment, and the image's own health check where the engine runs it. */
  private commands(): { reason: string; argv: readonly string[] }[] {
    const out = this.container.commands.map(({ reason, argv }) => ({
      reason,
      argv: argv.map((text) => this.text(text)),
    }));
    const { healthcheck, shell } = this.image.config;
    if (!this.container.imageHealthcheck || healthcheck === undefined) return out;
    const [kind, ...words] = healthcheck.test;
    if (kind === 'CMD' && words.length > 0) out.push({ reason: 'health check', argv: words });
    if (kind === 'CMD-SHELL' && words.length > 0)
      out.push({ reason: 'health check', argv: [...(shell ?? ['/bin/sh', '-c']), words.join(' ')] });
    return out;
  }

  private requests(): LaunchRequest[] {
    return this.container.requests.flatMap(({ reason, kind, port, path, headers }): LaunchRequest[] => {
      if (kind === 'grpc') {
        this.missing.push(`${reason}: gRPC health checks are not played`);
        return [];
      }
      if (kind === 'tcp') return [{ reason, port, payload: '' }];
      const fields = new Map<string, string>([
        ['Host', `${this.environment.values.address}:${port}`],
        ['User-Agent', 'kube-probe/1.34'],
        ['Accept', '*/*'],
        ['Connection', 'close'],
        ...headers,
      ]);
      const lines = [...fields].map(([name, value]) => `${name}: ${value}\r\n`).join('');
      return [{ reason, port, payload: `GET ${path} HTTP/1.1\r\n${lines}\r\n` }];
    });
  }

  private text(text: Text): string {
    return this.textIn(this.environment, text);
  }

  private textIn(environment: Environment, text: Text): string {
    return resolve(text, (part) => this.value(environment, part));
  }

  /** The name of a variable says more of its value than its source does. */
  private variable(name: string, text: Text): string {
    const [only] = text;
    if (text.length !== 1 || typeof only === 'string' || only.shape !== 'text') return this.text(text);
    const shape = /PORT$/.test(name)
      ? 'number'
      : /(HOST|HOSTNAME|ADDR|ADDRESS)$/.test(name)
        ? 'name'
        : 'text';
    return this.text([{ ...only, shape }]);
  }

  private value(environment: Environment, { source, shape }: Unknown): string {
    if (shape === 'address') return this.keep(source, environment.values.gateway);
    const n = textHash(`${environment.token} ${source}`);
    if (shape === 'number') return this.keep(source, String(1024 + (n % 60_000)));
    return this.keep(source, `${environment.token}${n.toString(36)}`);
  }

  private keep(source: string, value: string): string {
    if (value.length >= 3) this.values.set(source, value);
    return value;
  }

  private mount({ path, readOnly, content, source }: DeployedMount): MountSpec[] {
    const target = path;
    const [group] = this.container.groups.slice(-1);
    switch (content.kind) {
      case 'empty':
        return [{ target, readOnly, content: { kind: 'tmpfs', mode: 0o777 } }];
      case 'files':
        return [
          { target, readOnly, content: { kind: 'node', node: this.node(content.files, content.projected) } },
        ];
      case 'image': {
        const node = this.image.tree.lookup(path);
        if (node === undefined) return [{ target, readOnly, content: { kind: 'tmpfs', mode: 0o755 } }];
        return [{ target, readOnly, content: { kind: 'node', node } }];
      }
      case 'host':
      case 'unknown':
        this.missing.push(`contents of ${source} at ${path} are not known: it is empty here`);
        return [
          {
            target,
            readOnly,
            content: {
              kind: 'unknown',
              file: false,
              mode: 0o777,
              ...(group === undefined ? {} : { gid: group }),
            },
          },
        ];
    }
  }

  private node(files: readonly MountedFile[], projected: boolean): Node {
    const [first] = files;
    const builder = treeBuilder();
    if (files.length === 1 && first.path === '') {
      builder.addFile('file', this.bytes(first), { mode: first.mode ?? 0o644 });
      const node = builder.build().lookup('/file');
      assert(node !== undefined, 'the file that was just made');
      return node;
    }
    // the kubelet makes a new directory for every version and swaps one link
    const version = `..${versionName(this.environment)}`;
    for (const file of files) {
      const at = projected ? `${version}/${file.path}` : file.path;
      builder.addFile(at, this.bytes(file), { mode: file.mode ?? 0o644 });
    }
    if (projected) {
      builder.addSymlink('..data', version);
      const names = new Set(files.map(({ path }) => path.split('/')[0]));
      for (const name of names) builder.addSymlink(name, `..data/${name}`);
    }
    return builder.build().root;
  }

  private bytes({ content }: MountedFile): Uint8Array {
    return content instanceof Uint8Array ? content : new TextEncoder().encode(this.text(content));
  }
}

/** `2026_11_23_18_02_29.1234567890`, as the kubelet names versions. */
function versionName({ values }: Environment): string {
  const time = new Date(Number(values.time / 1_000_000n)).toISOString().slice(0, 19);
  return `${time.replace(/[-T:]/g, '_')}.${textHash(values.bootId)}`;
}

/** FNV-1a, 32 bits. */
function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** What the runtime does by itself: probes and hooks on the running container, and the requests that it makes. */
export function launchScenarios(
  { entries, requests }: Launch,
  listeners: readonly { readonly stream: boolean; readonly port: number }[],
): Scenario[] {
  const entered = entries.map(({ reason }, entry): Scenario => {
    const enter: Action[] = [
      { do: 'enter', entry },
      { do: 'wait', ms: 10_000 },
    ];
    return { name: reason, actions: [...enter, ...enter] };
  });
  const asked = requests.flatMap(({ reason, port, payload }): Scenario[] => {
    const listener = listeners.findIndex((each) => each.stream && each.port === port);
    if (listener < 0) return [];
    const ask = (id: string): Action[] => [
      { do: 'connect', listener, id },
      ...(payload === '' ? [] : [{ do: 'send', id, payload } as const]),
      { do: 'close', id },
    ];
    return [{ name: reason, actions: [...ask('a'), { do: 'wait', ms: 10_000 }, ...ask('b')] }];
  });
  return [...entered, ...asked];
}
