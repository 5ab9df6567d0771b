// OCI image layouts (image-spec image-layout.md, image-index.md, manifest.md), with Docker's media types for the same
// documents. Indexes may nest. Artifacts and attestations beside the image are passed over.
import { type Fields, InputError, parseJson } from '../bytes/index.ts';
import { readConfig, readPlatform } from './config.ts';
import { blobPath, readVerified } from './digest.ts';
import type { Platform } from './image.ts';
import type { ImageSource, LayerSource, SourceContext } from './source.ts';

const indexTypes = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const manifestTypes = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const configTypes = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const maxNesting = 8;
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform: Platform | undefined;
  readonly names: readonly string[];
  readonly attestation: boolean;
  readonly where: string;
}

/** A manifest among others, before anything of it has been read. */
interface Leaf {
  readonly descriptor: Descriptor;
  readonly names: readonly string[];
  readonly platform: Platform | undefined;
  readonly indexes: readonly string[];
}

function readDescriptor(fields: Fields): Descriptor {
  const annotations = fields.field('annotations').textMap();
  const platform = fields.field('platform');
  const names = nameAnnotations
    .map((key) => annotations[key])
    .filter((name) => name !== undefined && name !== '');
  return {
    mediaType: fields.field('mediaType').textOr(''),
    digest: fields.field('digest').text(),
    size: fields.field('size').number(),
    platform: platform.absent ? undefined : readPlatform(platform),
    // The full name says all that the tag beside it says.
    names: names.slice(0, 1),
    attestation: annotations['vnd.docker.reference.type'] !== undefined,
    where: fields.where,
  };
}

/** A document by its descriptor, verified; undefined where the store lacks it. */
function readBlob(
  context: SourceContext,
  descriptor: Descriptor,
): { readonly fields: Fields; readonly where: string } | undefined {
  const file = context.store.open(blobPath(descriptor.digest, descriptor.where));
  if (file === undefined) return undefined;
  const bytes = readVerified(file, context.budget.limits.jsonBytes, descriptor);
  return { fields: parseJson(bytes, file.name), where: file.name };
}

/** One document must not be read as an index by one reader and as a manifest by another. */
function checkKind(fields: Fields, descriptor: Descriptor, foreign: readonly string[]): void {
  const said = fields.field('mediaType').textOr(descriptor.mediaType);
  if (descriptor.mediaType !== '' && said !== descriptor.mediaType)
    throw new InputError(`calls itself ${said}, its descriptor says ${descriptor.mediaType}`, fields.where);
  for (const key of foreign)
    if (!fields.field(key).absent)
      throw new InputError(`has ${key}, which does not belong into this kind of document`, fields.where);
}

/** Every manifest below an index, indexes within indexes opened. */
function leaves(context: SourceContext, index: Fields): Leaf[] {
  const found: Leaf[] = [];
  const visit = (document: Fields, names: readonly string[], indexes: readonly string[]): void => {
    for (const fields of document.field('manifests').items()) {
      context.budget.spend('manifests', 1, () => fields.where);
      const descriptor = readDescriptor(fields);
      if (descriptor.attestation) continue;
      const own = descriptor.names.length > 0 ? descriptor.names : names;
      if (!indexTypes.has(descriptor.mediaType)) {
        found.push({ descriptor, names: own, platform: descriptor.platform, indexes });
        continue;
      }
      if (indexes.length >= maxNesting)
        throw new InputError(`indexes nested more than ${maxNesting} deep`, fields.where);
      const nested = readBlob(context, descriptor);
      if (nested === undefined)
        throw new InputError(
          `the index ${descriptor.digest} is missing`,
          fields.where,
          'the archive is incomplete',
        );
      checkKind(nested.fields, descriptor, ['layers', 'config', 'fsLayers']);
      visit(nested.fields, own, [...indexes, descriptor.digest]);
    }
  };
  visit(index, [], []);
  return found;
}

/** A manifest's image; undefined where it is none (an artifact) or its documents are not here. */
function readImage(context: SourceContext, leaf: Leaf): ImageSource | undefined {
  const { descriptor } = leaf;
  if (descriptor.mediaType !== '' && !manifestTypes.has(descriptor.mediaType)) {
    context.note(descriptor.where, `${descriptor.mediaType} is no image manifest; passed over`);
    return undefined;
  }
  const manifest = readBlob(context, descriptor);
  if (manifest === undefined) {
    context.note(descriptor.where, `the manifest ${descriptor.digest} is missing; passed over`);
    return undefined;
  }
  checkKind(manifest.fields, descriptor, ['manifests', 'fsLayers']);
  const config = readDescriptor(manifest.fields.field('config'));
  if (!configTypes.has(config.mediaType)) {
    context.note(config.where, `a configuration of type ${config.mediaType} is no image's; passed over`);
    return undefined;
  }
  const document = readBlob(context, config);
  if (document === undefined) {
    context.note(config.where, `the configuration ${config.digest} is missing; passed over`);
    return undefined;
  }
  const read = readConfig(document.fields);
  const { platform } = leaf;
  if (
    platform !== undefined &&
    (platform.os !== read.platform.os || platform.architecture !== read.platform.architecture)
  ) {
    context.note(
      descriptor.where,
      `the index says ${platform.os}/${platform.architecture}, the configuration ${read.platform.os}/${read.platform.architecture}; the configuration counts`,
    );
  }
  return {
    names: leaf.names,
    id: descriptor.digest,
    aliases: [config.digest, ...leaf.indexes],
    // Variants often stand in the index only.
    platform: { ...(platform?.variant === undefined ? {} : { variant: platform.variant }), ...read.platform },
    manifestDigest: descriptor.digest,
    configDigest: config.digest,
    document: read,
    layers: manifest.fields.field('layers').items().map(readLayer),
  };
}

function readLayer(fields: Fields): LayerSource {
  const descriptor = readDescriptor(fields);
  return {
    path: blobPath(descriptor.digest, fields.where),
    digest: descriptor.digest,
    size: descriptor.size,
    mediaType: descriptor.mediaType,
  };
}

/** Whether the store is a layout at all. */
export function isLayout(context: SourceContext): boolean {
  const { store, budget } = context;
  const mark = store.open('oci-layout');
  if (mark === undefined || store.open('index.json') === undefined) return false;
  const version = parseJson(readVerified(mark, budget.limits.jsonBytes, {}), mark.name)
    .field('imageLayoutVersion')
    .text();
  if (!/^1\./.test(version))
    throw new InputError(
      `layout version ${JSON.stringify(version)} is not supported`,
      mark.name,
      'version 1 is',
    );
  return true;
}

/** All images of a layout, of every platform. */
export function layoutImages(context: SourceContext): ImageSource[] {
  const file = context.store.open('index.json');
  if (file === undefined) throw new InputError('index.json is missing', context.store.name);
  const index = parseJson(readVerified(file, context.budget.limits.jsonBytes, {}), file.name);
  const images: ImageSource[] = [];
  for (const leaf of leaves(context, index)) {
    const image = readImage(context, leaf);
    if (image !== undefined) images.push(image);
  }
  return images;
}
