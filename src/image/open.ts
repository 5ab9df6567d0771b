// Opening an image: find out what the file or directory is, choose one image of it, unfold and verify its layers, merge
// them. Nothing is unpacked; contents are read later, from where they lie.
import { InputError } from '../bytes/index.ts';
import { openFile, pathKind, type RandomAccess, sliceAccess } from '../host/index.ts';
import { TreeWriter } from './build.ts';
import { choose, parsePlatform, type Wanted } from './choose.ts';
import type { ConfigDocument } from './config.ts';
import { isLegacy, legacyImages, manifestImages } from './docker.ts';
import type { HistoryEntry, Image, ImageNote, LayerInfo } from './image.ts';
import { confirmLayer, detectCompression, promisedCompression, type Unfolded, unfold } from './layer.ts';
import { Budget, defaultLimits, exceeded, type Limits } from './limits.ts';
import { applyLayer, type Note } from './merge.ts';
import { isLayout, layoutImages } from './oci.ts';
import type { ImageSource, LayerSource, SourceContext } from './source.ts';
import { archiveStore, directoryStore, type Store } from './store.ts';
import { readTar } from './tar.ts';

export interface Progress {
  /** What is being done: `layer 2 of 5`. */
  readonly step: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

export interface OpenOptions {
  /** A tag, a reference name, or the start of a digest; needed where there are several images. */
  readonly ref?: string | undefined;
  /** `linux/amd64` where not given. */
  readonly platform?: string | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /** For compressed layers; default: TMPDIR, else /var/tmp. */
  readonly spoolDirectory?: string | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

const maxNotes = 100;

/**
 * Opens a `docker save` archive, an OCI archive (both also compressed as a whole) or an OCI layout directory.
 * InputError where it is damaged, hostile beyond the limits, or holds no or several images that fit.
 */
export async function openImage(path: string, options: OpenOptions = {}): Promise<Image> {
  const wanted: Wanted = { ref: options.ref, platform: parsePlatform(options.platform ?? 'linux/amd64') };
  const budget = new Budget({ ...defaultLimits, ...options.limits });
  const notes: ImageNote[] = [];
  let notesLeftOut = 0;
  const note: Note = (where, what) => {
    if (notes.length < maxNotes) notes.push({ where, what });
    else notesLeftOut++;
  };
  const opened: { close(): void }[] = [];
  const close = (): void => {
    for (const file of opened.splice(0).reverse()) file.close();
  };
  try {
    const store = await openStore(path, options, budget, note, opened);
    const context: SourceContext = { store, budget, wanted, note };
    const { format, source } = findImage(context);
    const { layers, tree } = await readLayers(context, source, options, opened);
    const { document, manifestDigest, configDigest, names, platform } = source;
    return {
      source: path,
      format,
      names: [...new Set(names)],
      ...(manifestDigest === undefined ? {} : { manifestDigest }),
      configDigest,
      platform,
      config: document.config,
      history: document.history,
      layers,
      tree: tree.finish(),
      notes,
      notesLeftOut,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function openStore(
  path: string,
  options: OpenOptions,
  budget: Budget,
  note: Note,
  opened: { close(): void }[],
): Promise<Store> {
  if (pathKind(path) === 'dir') {
    const store = directoryStore(path);
    opened.push(store);
    return store;
  }
  const file = openFile(path);
  opened.push(file);
  if (detectCompression(file) === 'none') return archiveStore(file, { budget, note });
  const onProgress = (done: number): void =>
    options.onProgress?.({ step: 'archive', done, total: file.size });
  const { tar } = await unfold(file, { budget, spoolDirectory: options.spoolDirectory, onProgress });
  opened.push(tar);
  return archiveStore(tar, { budget, note });
}

function findImage(context: SourceContext): {
  readonly format: Image['format'];
  readonly source: ImageSource;
} {
  const { store, wanted } = context;
  const listed = store.kind === 'archive' ? manifestImages(context) : undefined;
  if (isLayout(context)) {
    const images = layoutImages(context);
    if (listed === undefined)
      return {
        format: store.kind === 'archive' ? 'oci-archive' : 'oci-layout',
        source: choose(images, wanted, store.name),
      };
    return {
      format: 'docker-archive',
      source: choose(withNames(images, listed, store.name), wanted, store.name),
    };
  }
  if (listed !== undefined) return { format: 'docker-archive', source: choose(listed, wanted, store.name) };
  if (store.kind === 'archive' && isLegacy(context))
    return { format: 'docker-archive', source: choose(legacyImages(context), wanted, store.name) };
  const missing =
    store.kind === 'archive'
      ? 'neither manifest.json nor oci-layout and index.json are in it'
      : 'it has no oci-layout and index.json';
  throw new InputError(
    `not a container image: ${missing}`,
    store.name,
    'wanted is what docker save writes, an OCI archive, or an OCI layout directory',
  );
}

/** An archive that has both lists must mean the same images by them; tags from both. */
function withNames(
  images: readonly ImageSource[],
  listed: readonly ImageSource[],
  where: string,
): ImageSource[] {
  for (const entry of listed) {
    if (!images.some((image) => image.configDigest === entry.configDigest)) {
      throw new InputError(
        `manifest.json names an image (${entry.configDigest}) that index.json does not have`,
        where,
        'the archive means different images to different readers',
      );
    }
  }
  return images.map((image) => {
    const more = listed
      .filter((entry) => entry.configDigest === image.configDigest)
      .flatMap((entry) => entry.names);
    return { ...image, names: [...new Set([...image.names, ...more])] };
  });
}

async function readLayers(
  context: SourceContext,
  source: ImageSource,
  options: OpenOptions,
  opened: { close(): void }[],
): Promise<{ readonly layers: readonly LayerInfo[]; readonly tree: TreeWriter }> {
  const { store, budget, note } = context;
  const { layers: sources, document } = source;
  const { diffIds } = document;
  if (sources.length > budget.limits.layers) throw exceeded('layers', budget.limits.layers, store.name);
  if (diffIds.length !== sources.length && source.unverified !== true) {
    throw new InputError(
      `${sources.length} layers, the configuration has ${diffIds.length} diff_ids`,
      store.name,
      'the archive is damaged or was tampered with',
    );
  }
  const history = layerHistory(document, sources.length, (what) => note(store.name, what));
  const tree = new TreeWriter(budget.limits);
  const unfolded = new Map<string, Unfolded>();
  const layers: LayerInfo[] = [];
  for (const [i, layer] of sources.entries()) {
    const step = `layer ${i + 1} of ${sources.length}`;
    const name = `${store.name}: ${step} (${(layer.digest ?? diffIds[i] ?? layer.path).slice(0, 19)})`;
    const blob = openLayer(store, layer, name);
    let tar = unfolded.get(layer.path);
    if (tar === undefined) {
      const onProgress = (done: number): void => options.onProgress?.({ step, done, total: blob.size });
      tar = await unfold(blob, {
        budget,
        spoolDirectory: options.spoolDirectory,
        onProgress,
        blobDigest: layer.digest,
        tarDigest: diffIds[i],
      });
      opened.push(tar.tar);
      unfolded.set(layer.path, tar);
    }
    const digests = confirmLayer(tar, { digest: layer.digest, diffId: diffIds[i] }, name);
    const promised = promisedCompression(layer.mediaType, name);
    if (promised !== undefined && promised !== tar.compression)
      note(
        name,
        `its media type ${layer.mediaType} promises compression ${promised}, it has ${tar.compression}`,
      );
    const entries = applyLayer(tree, i, readTar(tar.tar, name, { budget, note }), note);
    layers.push({
      ...digests,
      mediaType: layer.mediaType,
      compression: tar.compression,
      size: blob.size,
      uncompressedSize: tar.tar.size,
      entries,
      createdBy: history[i]?.createdBy ?? '',
      created: history[i]?.created ?? '',
    });
  }
  return { layers, tree };
}

function openLayer(store: Store, layer: LayerSource, name: string): RandomAccess {
  const file = store.open(layer.path);
  if (file === undefined)
    throw new InputError(
      'is missing',
      name,
      'the archive is incomplete; layers that are kept elsewhere (foreign, nondistributable) are not fetched',
    );
  if (layer.size !== undefined && layer.size !== file.size)
    throw new InputError(`${file.size} bytes, its descriptor says ${layer.size}`, name);
  return sliceAccess(file, name, 0, file.size);
}

/** The history's entries that made a layer, one for each; none where they do not add up. */
function layerHistory(
  document: ConfigDocument,
  layers: number,
  note: (what: string) => void,
): readonly HistoryEntry[] {
  const made = document.history.filter((entry) => !entry.empty);
  if (made.length === layers) return made;
  if (made.length > 0) note(`the history speaks of ${made.length} layers, there are ${layers}`);
  return [];
}
