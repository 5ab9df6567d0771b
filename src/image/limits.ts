// How much an image may ask of this machine. Each limit is an option; exceeding one is an InputError that names it.
import { InputError } from '../bytes/index.ts';

export interface Limits {
  /** Tar entries, in all layers and the archive around them. */
  readonly entries: number;
  /** Bytes of names, link targets, extended attributes and sparse maps, which are kept in memory. */
  readonly metadataBytes: number;
  /** Bytes that compressed layers may unfold to, together; they go to temporary files. */
  readonly decompressedBytes: number;
  /** Unfolded bytes for each compressed byte of a layer; looked at beyond 256 MiB only, zeros are cheap. */
  readonly ratio: number;
  /** Bytes of a path; of one component Linux takes 255. */
  readonly pathBytes: number;
  /** Levels of directories. */
  readonly depth: number;
  /** Path components looked at in all while layers are merged. */
  readonly steps: number;
  /** Bytes of an index, a manifest or a configuration. */
  readonly jsonBytes: number;
  readonly layers: number;
  /** Descriptors followed while an image is chosen. */
  readonly manifests: number;
}

export const defaultLimits: Limits = {
  entries: 1_000_000,
  metadataBytes: 512 * 2 ** 20,
  decompressedBytes: 64 * 2 ** 30,
  ratio: 250,
  pathBytes: 4096,
  depth: 1024,
  steps: 64_000_000,
  jsonBytes: 8 * 2 ** 20,
  layers: 512,
  manifests: 4096,
};

/** Below this, no ratio is looked at. */
export const ratioFloor = 256 * 2 ** 20;

/** One line each, for a command's help. */
export const limitTexts: { readonly [name in keyof Limits]: string } = {
  entries: 'tar entries in all',
  metadataBytes: 'bytes of names, links, attributes',
  decompressedBytes: 'bytes that compressed layers unfold to',
  ratio: 'unfolded bytes for each compressed byte',
  pathBytes: 'bytes of a path',
  depth: 'levels of directories',
  steps: 'path components looked at',
  jsonBytes: 'bytes of one JSON document',
  layers: 'layers',
  manifests: 'manifests looked at',
};

export function exceeded(name: keyof Limits, limit: number, where: string): InputError {
  return new InputError(
    `more than ${limit} ${limitTexts[name]}`,
    where,
    `raise the limit "${name}" if this image is to be trusted`,
  );
}

/** Counts what has been used of the limits that hold for a whole image. */
export class Budget {
  readonly limits: Limits;
  private readonly used = new Map<keyof Limits, number>();

  constructor(limits: Limits) {
    this.limits = limits;
  }

  spend(name: keyof Limits, amount: number, where: () => string): void {
    const sum = (this.used.get(name) ?? 0) + amount;
    if (sum > this.limits[name]) throw exceeded(name, this.limits[name], where());
    this.used.set(name, sum);
  }

  left(name: keyof Limits): number {
    return this.limits[name] - (this.used.get(name) ?? 0);
  }
}
