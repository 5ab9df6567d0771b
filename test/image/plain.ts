// An image as opened from an archive, around a tree made in memory, for tests of what works on images.
import type { Image, ImageConfig, Tree } from '../../src/image/index.ts';

const NOTHING: ImageConfig = {
  entrypoint: [],
  cmd: [],
  env: [],
  user: '',
  workingDir: '',
  exposedPorts: [],
  volumes: [],
  stopSignal: '',
  labels: {},
};

export function plainImage(
  tree: Tree,
  config: Partial<ImageConfig>,
  names: readonly string[] = ['test'],
): Image {
  return {
    source: 'dir/shop.tar',
    format: 'oci-layout',
    names,
    configDigest: `sha256:${'ab'.repeat(32)}`,
    platform: { os: 'linux', architecture: 'amd64' },
    config: { ...NOTHING, ...config },
    history: [],
    layers: [],
    tree,
    notes: [],
    notesLeftOut: 0,
    close: () => undefined,
  };
}
