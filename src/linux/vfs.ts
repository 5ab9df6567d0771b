import type { ExecutableFile, ExecutableSource } from './kernel.ts';

export class Vfs implements ExecutableSource {
  openExecutable(): ExecutableFile | number {
    return -2;
  }
}
