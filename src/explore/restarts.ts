// Later starts: what an entrypoint does when an earlier run left its files. Worth booting only where a run leaves any.
import type { Effect } from '../effect/index.ts';
import type { Launch } from './launch.ts';
import type { Step } from './trace.ts';

export type RestartWay =
  /** The container was stopped in order, and is started again. */
  | 'stopped'
  /** It was killed, and is started again. */
  | 'killed'
  /** A new container gets the volumes of one that was stopped. */
  | 'replaced';

/** Instructions of a boot beyond which fewer are compared: interpreters take so many, few other programs do. */
export const LONG_BOOT = 100_000_000;
const VERY_LONG_BOOT = 400_000_000;

/** Whether a boot takes so long that two environments, and one way of starting again, must do. */
export const isVeryLong = (instructions: number): boolean => instructions > VERY_LONG_BOOT;

/** Files that a run changed and that a later start of the container finds. */
export function lastingPaths(steps: readonly Step[], launch: Launch): readonly string[] {
  const written = steps.flatMap((step) =>
    step.kind === 'effect' && step.event.result >= 0 ? changedPaths(step.event.effect) : [],
  );
  return [...new Set(written)].filter((path) => !isTransient(path, launch));
}

/** Ways that can lead to another start than the first, by what a run wrote. */
export function restartWays(
  steps: readonly Step[],
  launch: Launch,
  instructions: number,
): readonly RestartWay[] {
  const lasting = lastingPaths(steps, launch);
  if (lasting.length === 0) return [];
  if (isVeryLong(instructions)) return ['stopped'];
  const kept = keptPaths(launch);
  const inVolumes = lasting.some((path) => kept.some((volume) => isBelow(path, volume)));
  return inVolumes ? ['stopped', 'killed', 'replaced'] : ['stopped', 'killed'];
}

/** Directories that outlive their container. */
export const keptPaths = ({ spec, mounts }: Launch): readonly string[] => [
  ...(spec.directories ?? []),
  ...mounts.flatMap(({ target, content }) => (content.kind === 'tmpfs' ? [] : [target])),
];

function changedPaths({ op, access, resource }: Effect): string[] {
  if (resource.kind !== 'file' || resource.type === 'p' || resource.type === '?') return [];
  const changes =
    CHANGING.has(op) || (op === 'OPEN' && /[ct]/.test(access)) || (op === 'BIND' && resource.type === 'u');
  if (!changes) return [];
  return resource.to === undefined ? [resource.path] : [resource.path, resource.to];
}

const CHANGING: ReadonlySet<string> = new Set([
  'WRITE',
  'TRUNCATE',
  'MKDIR',
  'RMDIR',
  'LINK',
  'UNLINK',
  'SYMLINK',
  'RENAME',
  'CHMOD',
  'CHOWN',
  'SETXATTR',
  'MKNOD',
  'ALLOCATE',
]);

/** Files that every start of a container finds fresh. */
function isTransient(path: string, { mounts }: Launch): boolean {
  const fresh = mounts.flatMap(({ target, content }) => (content.kind === 'tmpfs' ? [target] : []));
  return !path.startsWith('/') || ['/dev', '/proc', '/sys', ...fresh].some((place) => isBelow(path, place));
}

/** Whether the path is this one, or below it where it is a directory. */
export const isBelow = (path: string, directory: string): boolean =>
  path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
