// An image's configuration document (OCI image-spec config.md; Docker's Image JSON specification 1.2, which adds
// Healthcheck, Shell and the fields of version 1 that legacy archives have).
import { type Fields, InputError } from '../bytes/index.ts';
import type { Healthcheck, HistoryEntry, ImageConfig, Platform } from './image.ts';

export interface ConfigDocument {
  readonly platform: Platform;
  readonly config: ImageConfig;
  readonly history: readonly HistoryEntry[];
  /** Digests of the uncompressed layers, the lowest first. */
  readonly diffIds: readonly string[];
}

export function readConfig(document: Fields): ConfigDocument {
  const rootfs = document.field('rootfs');
  const type = rootfs.field('type').textOr('layers');
  if (type !== 'layers')
    throw new InputError(`root file system of type ${JSON.stringify(type)} is not supported`, rootfs.where);
  return {
    platform: readPlatform(document),
    config: readRuntime(document),
    history: document.field('history').items().map(readHistory),
    diffIds: rootfs
      .field('diff_ids')
      .items()
      .map((item) => item.text()),
  };
}

export function readPlatform(document: Fields): Platform {
  const variant = document.field('variant').textOr('');
  return {
    os: document.field('os').textOr('unknown'),
    architecture: document.field('architecture').textOr('unknown'),
    ...(variant === '' ? {} : { variant }),
  };
}

function readRuntime(document: Fields): ImageConfig {
  const config = document.field('config');
  const health = config.field('Healthcheck');
  const shell = config.field('Shell').texts();
  const author = document.field('author').textOr('');
  const created = document.field('created').textOr('');
  return {
    entrypoint: config.field('Entrypoint').texts(),
    cmd: config.field('Cmd').texts(),
    env: config.field('Env').texts(),
    user: config.field('User').textOr(''),
    workingDir: config.field('WorkingDir').textOr(''),
    exposedPorts: config.field('ExposedPorts').keys(),
    volumes: config.field('Volumes').keys(),
    stopSignal: config.field('StopSignal').textOr(''),
    labels: config.field('Labels').textMap(),
    ...(health.absent ? {} : { healthcheck: readHealthcheck(health) }),
    ...(shell.length === 0 ? {} : { shell }),
    ...(author === '' ? {} : { author }),
    ...(created === '' ? {} : { created }),
  };
}

function readHealthcheck(health: Fields): Healthcheck {
  return {
    test: health.field('Test').texts(),
    interval: health.field('Interval').numberOr(0),
    timeout: health.field('Timeout').numberOr(0),
    startPeriod: health.field('StartPeriod').numberOr(0),
    startInterval: health.field('StartInterval').numberOr(0),
    retries: health.field('Retries').numberOr(0),
  };
}

function readHistory(entry: Fields): HistoryEntry {
  return {
    createdBy: entry.field('created_by').textOr(''),
    created: entry.field('created').textOr(''),
    comment: entry.field('comment').textOr(''),
    author: entry.field('author').textOr(''),
    empty: entry.field('empty_layer').flag(),
  };
}
