// Archives of `docker save`: manifest.json (Docker image specification 1.1 and later), and the layout before it, where
// each layer is a directory ID/ with VERSION, json and layer.tar, and `repositories` names the uppermost.
import { type Fields, InputError, parseJson, printable } from '../bytes/index.ts';
import { type ConfigDocument, readConfig } from './config.ts';
import { digestOf, mismatch, readVerified } from './digest.ts';
import type { HistoryEntry } from './image.ts';
import { exceeded } from './limits.ts';
import { cleanPath } from './path.ts';
import type { ImageSource, LayerSource, SourceContext } from './source.ts';

/** A member named after its content: `blobs/sha256/HEX`, `HEX.json`, `HEX.tar`. */
function digestInName(path: string): string | undefined {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json|\.tar)?$/.exec(path)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

function readMember(
  context: SourceContext,
  path: string,
  where: string,
): { readonly bytes: Uint8Array; readonly name: string } {
  const file = context.store.open(path);
  if (file === undefined)
    throw new InputError(`${printable(path)} is missing`, where, 'the archive is incomplete');
  return { bytes: readVerified(file, context.budget.limits.jsonBytes, {}), name: file.name };
}

/** The images that manifest.json lists; undefined where there is none. */
export function manifestImages(context: SourceContext): ImageSource[] | undefined {
  const file = context.store.open('manifest.json');
  if (file === undefined) return undefined;
  const manifest = parseJson(readVerified(file, context.budget.limits.jsonBytes, {}), file.name);
  return manifest.items().map((entry) => {
    context.budget.spend('manifests', 1, () => entry.where);
    return readEntry(context, entry);
  });
}

function readEntry(context: SourceContext, entry: Fields): ImageSource {
  const config = entry.field('Config');
  const path = cleanPath(config.text(), () => config.where);
  const { bytes, name } = readMember(context, path, config.where);
  const configDigest = digestOf(bytes);
  const named = digestInName(path);
  if (named !== undefined && named !== configDigest) throw mismatch(named, configDigest, name);
  const document = readConfig(parseJson(bytes, name));
  return {
    names: entry.field('RepoTags').texts(),
    id: configDigest,
    aliases: [],
    platform: document.platform,
    configDigest,
    document,
    layers: entry
      .field('Layers')
      .items()
      .map((layer) => readLayer(layer)),
  };
}

function readLayer(layer: Fields): LayerSource {
  const path = cleanPath(layer.text(), () => layer.where);
  // Only blobs are named by their own digest; HEX.tar may be named by the layer's uncompressed one.
  return { path, digest: path.startsWith('blobs/sha256/') ? digestInName(path) : undefined, mediaType: '' };
}

interface LegacyLayer {
  readonly id: string;
  readonly document: Fields;
  readonly bytes: Uint8Array;
  readonly parent: string;
}

/** Whether the store looks like a `docker save` from before manifest.json. */
export function isLegacy(context: SourceContext): boolean {
  return (
    context.store.open('repositories') !== undefined ||
    context.store.paths.some((path) => /^[0-9a-f]{64}\/layer\.tar$/.test(path))
  );
}

/** The images of a legacy archive. Nothing in it has a digest, so nothing can be verified; that is noted. */
export function legacyImages(context: SourceContext): ImageSource[] {
  const layers = new Map<string, LegacyLayer>();
  for (const path of context.store.paths) {
    const id = /^([^/]+)\/json$/.exec(path)?.[1];
    if (id !== undefined) layers.set(id, readLegacyLayer(context, id));
  }
  const tags = repositoryTags(context);
  const parents = new Set([...layers.values()].map((layer) => layer.parent));
  const tops = tags.size > 0 ? [...tags.keys()] : [...layers.keys()].filter((id) => !parents.has(id));
  context.note(
    context.store.name,
    'a legacy archive without manifest.json: it states no digests, its content is not verified',
  );
  return tops.map((id) => legacyImage(context, layers, id, tags.get(id) ?? []));
}

function readLegacyLayer(context: SourceContext, id: string): LegacyLayer {
  const version = context.store.open(`${id}/VERSION`);
  const { bytes, name } = readMember(context, `${id}/json`, context.store.name);
  if (version !== undefined) {
    const text = new TextDecoder().decode(readVerified(version, 64, {})).trim();
    if (text !== '1.0')
      throw new InputError(
        `layer version ${JSON.stringify(text)} is not supported`,
        version.name,
        'version 1.0 is',
      );
  }
  const document = parseJson(bytes, name);
  return { id, document, bytes, parent: document.field('parent').textOr('') };
}

/** Names by the identifier of their uppermost layer. */
function repositoryTags(context: SourceContext): Map<string, string[]> {
  const tags = new Map<string, string[]>();
  const file = context.store.open('repositories');
  if (file === undefined) return tags;
  const repositories = parseJson(readVerified(file, context.budget.limits.jsonBytes, {}), file.name);
  for (const [repository, named] of repositories.entries()) {
    for (const [tag, id] of named.entries())
      tags.set(id.text(), [...(tags.get(id.text()) ?? []), `${repository}:${tag}`]);
  }
  return tags;
}

function legacyImage(
  context: SourceContext,
  layers: ReadonlyMap<string, LegacyLayer>,
  top: string,
  names: readonly string[],
): ImageSource {
  const chain: LegacyLayer[] = [];
  const seen = new Set<string>();
  for (let id = top; id !== ''; ) {
    const layer = layers.get(id);
    if (layer === undefined)
      throw new InputError(
        `layer ${printable(id)} is missing`,
        context.store.name,
        'the archive is incomplete',
      );
    if (seen.has(id)) throw new InputError(`layer ${printable(id)} is its own parent`, context.store.name);
    if (seen.size >= context.budget.limits.layers)
      throw exceeded('layers', context.budget.limits.layers, context.store.name);
    seen.add(id);
    chain.unshift(layer);
    id = layer.parent;
  }
  const last = chain[chain.length - 1];
  const read = readConfig(last.document);
  const document: ConfigDocument = { ...read, history: chain.map(legacyHistory), diffIds: [] };
  return {
    names,
    id: digestOf(last.bytes),
    aliases: [`sha256:${top}`],
    platform: document.platform,
    configDigest: digestOf(last.bytes),
    document,
    layers: chain.map((layer) => ({ path: `${layer.id}/layer.tar`, mediaType: '' })),
    unverified: true,
  };
}

function legacyHistory({ document }: LegacyLayer): HistoryEntry {
  return {
    createdBy: document.field('container_config').field('Cmd').texts().join(' '),
    created: document.field('created').textOr(''),
    comment: document.field('comment').textOr(''),
    author: document.field('author').textOr(''),
    empty: false,
  };
}
