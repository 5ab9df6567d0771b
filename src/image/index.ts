// image: container images as archives and layouts: configuration, layers, one merged read-only tree. Floor 1.
export { type BuildOptions, type TreeBuilder, treeBuilder } from './builder.ts';
export { platformText } from './choose.ts';
export { type ExtractOptions, type ExtractReport, extractTree } from './extract.ts';
export type {
  Compression,
  Healthcheck,
  HistoryEntry,
  Image,
  ImageConfig,
  ImageNote,
  LayerInfo,
  Platform,
} from './image.ts';
export { defaultLimits, type Limits, limitTexts } from './limits.ts';
export { type ListOptions, listTree, modeText, type Owners, readOwners, timeText } from './list.ts';
export {
  type DeviceNode,
  type DirNode,
  type FifoNode,
  type FileNode,
  type Node,
  type SymlinkNode,
  type Tree,
  typeBits,
  walk,
} from './node.ts';
export { type OpenOptions, openImage, type Progress } from './open.ts';
export type { LayerEntry } from './tar-write.ts';
export {
  type DirectoryLayer,
  type LayerContents,
  type LayoutOptions,
  type WrittenLayout,
  writeOciLayout,
} from './write.ts';
