// host: what this machine offers below everything else: files by offset, temporary files, deflate, zstd, digests.
// The one room of the low floors that imports node: modules. Floor 0.
export {
  hostError,
  hostPath,
  memoryAccess,
  openFile,
  openFileIfThere,
  pathKind,
  pieces,
  type RandomAccess,
  sliceAccess,
  Window,
} from './access.ts';
export { hmacSha256, openGcm, sealGcm, sha256Of, x25519 } from './ciphers.ts';
export { type CodeCache, type CodeCacheOptions, openCodeCache } from './code-cache.ts';
export { allocateRegisters, heedBranchHints, optimizeFrom } from './compiler.ts';
export { deflateRawSync } from './deflate.ts';
export { createDigest, type Digest, type DigestAlgorithm, digestFile, sha1, sha256 } from './digest.ts';
export {
  freshDirectory,
  type HostDirectory,
  type HostEntry,
  type HostFile,
  type HostMetadata,
  isRoot,
  scanDirectory,
} from './directory.ts';
export { type FollowOptions, type FollowSink, follow } from './follow.ts';
export { gunzip, gzip, inflateRaw, inflateRawSync, type Taps } from './inflate.ts';
export { type PacketHelper, type PacketOptions, type PacketSink, servePackets } from './seqpacket.ts';
export { createSpool, type Spool, type SpoolOptions } from './spool.ts';
export { unzstd } from './zstd.ts';
