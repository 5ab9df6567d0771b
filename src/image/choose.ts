// Which of several images in one archive: by reference and by platform. Never a guess: what is left open is an
// InputError that lists what there is.
import { InputError, printable } from '../bytes/index.ts';
import type { Platform } from './image.ts';

export interface Candidate {
  readonly names: readonly string[];
  /** Digest that tells it from the others. */
  readonly id: string;
  /** Other digests it may be called by: of its configuration, of indexes that hold it. */
  readonly aliases: readonly string[];
  readonly platform: Platform;
}

export interface Wanted {
  readonly ref?: string | undefined;
  readonly platform: Platform;
}

const architectures: { readonly [name: string]: string | undefined } = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm',
};
const defaultVariants: { readonly [architecture: string]: string | undefined } = {
  amd64: 'v1',
  arm64: 'v8',
  arm: 'v7',
};

/** `linux/amd64`, `linux/arm64/v8`. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || variant === '' || rest.length > 0)
    throw new InputError(
      'a platform is OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT',
      JSON.stringify(text),
      'for example linux/amd64',
    );
  return {
    os,
    architecture: architectures[architecture] ?? architecture,
    ...(variant === undefined ? {} : { variant }),
  };
}

export function platformText(platform: Platform): string {
  return [
    platform.os,
    platform.architecture,
    ...(platform.variant === undefined ? [] : [platform.variant]),
  ].join('/');
}

function variantOf(platform: Platform): string | undefined {
  return platform.variant ?? defaultVariants[platform.architecture];
}

function fits(wanted: Platform, had: Platform): boolean {
  if (wanted.os !== had.os || wanted.architecture !== (architectures[had.architecture] ?? had.architecture))
    return false;
  return wanted.variant === undefined || wanted.variant === variantOf(had);
}

/** Docker's short names in full: `nginx` is `docker.io/library/nginx:latest`. */
function fullName(name: string): string {
  const [repository, digest] = name.split('@');
  const tagged = /:[^/]*$/.test(repository) || digest !== undefined ? repository : `${repository}:latest`;
  const first = tagged.split('/')[0];
  const hosted = tagged.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const full = hosted ? tagged : `docker.io/${tagged.includes('/') ? '' : 'library/'}${tagged}`;
  return digest === undefined ? full : `${full}@${digest}`;
}

function answers(candidate: Candidate, ref: string): boolean {
  if (candidate.names.includes(ref)) return true;
  const digest = /^(?:sha256:)?([0-9a-f]{6,64})$/.exec(ref)?.[1];
  if (
    digest !== undefined &&
    [candidate.id, ...candidate.aliases].some((id) => id.startsWith(`sha256:${digest}`))
  )
    return true;
  return candidate.names.some((name) => fullName(name) === fullName(ref));
}

/** The names of one image under several entries are put together. */
function distinct<T extends Candidate>(candidates: readonly T[]): T[] {
  const byId = new Map<string, T>();
  for (const candidate of candidates) {
    const other = byId.get(candidate.id);
    byId.set(
      candidate.id,
      other === undefined
        ? candidate
        : { ...other, names: [...new Set([...other.names, ...candidate.names])] },
    );
  }
  return [...byId.values()];
}

function list(candidates: readonly Candidate[], text: (candidate: Candidate) => string): string {
  const all = [...new Set(candidates.map(text))].sort();
  return `${all.slice(0, 50).map(printable).join(', ')}${all.length > 50 ? ` and ${all.length - 50} more` : ''}`;
}

function called(candidate: Candidate): string {
  return candidate.names.length > 0 ? candidate.names.join(' = ') : candidate.id;
}

export function choose<T extends Candidate>(candidates: readonly T[], wanted: Wanted, where: string): T {
  const all = distinct(candidates);
  if (all.length === 0) throw new InputError('no container image in here', where);
  const { ref, platform } = wanted;
  const named = ref === undefined ? all : all.filter((candidate) => answers(candidate, ref));
  if (named.length === 0)
    throw new InputError(
      `no image ${JSON.stringify(ref)}; there is: ${list(all, called)}`,
      where,
      'choose one with ref (--ref)',
    );
  const fitting = named.filter((candidate) => fits(platform, candidate.platform));
  if (fitting.length === 0) {
    throw new InputError(
      `no image for ${platformText(platform)}; there is: ${list(named, (one) => platformText(one.platform))}`,
      where,
      'choose one with platform (--platform)',
    );
  }
  const usual = fitting.filter(
    (candidate) => variantOf(candidate.platform) === defaultVariants[candidate.platform.architecture],
  );
  const left = usual.length > 0 && platform.variant === undefined ? usual : fitting;
  if (left.length === 1) return left[0];
  const sameNames = new Set(left.map((candidate) => candidate.names.join('\n'))).size === 1;
  const variants = new Set(left.map((candidate) => platformText(candidate.platform))).size;
  if (sameNames && variants === left.length)
    throw new InputError(
      `several variants: ${list(left, (one) => platformText(one.platform))}`,
      where,
      'choose one with platform (--platform)',
    );
  const shown = sameNames ? list(left, (one) => one.id) : list(left, called);
  throw new InputError(`${left.length} images: ${shown}`, where, 'choose one with ref (--ref)');
}
