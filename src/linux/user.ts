// Users by name or number, from the container's /etc/passwd and /etc/group, as runtimes resolve an image's USER.
import { decodeText, InputError } from '../bytes/index.ts';
import type { Kernel } from './kernel.ts';
import { readFileStart } from './runtime-files.ts';

export interface User {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, the primary one first. */
  readonly groups: readonly number[];
  readonly home: string;
}

interface Passwd {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}
interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const FILE_LIMIT = 1 << 20;
const isNumber = (text: string): boolean => /^\d{1,10}$/.test(text);

/** `user`, `user:group`, `:group`, or ''. InputError for a name that the image does not know. */
export function findUser(kernel: Kernel, text: string): User {
  const [userPart, groupPart] = text.split(':');
  const wanted = userPart === '' ? '0' : userPart;
  const entry = lines(kernel, '/etc/passwd')
    .map(parsePasswd)
    .find(
      (row) => row !== undefined && (row.name === wanted || (isNumber(wanted) && row.uid === Number(wanted))),
    );
  if (entry === undefined && !isNumber(wanted))
    throw new InputError(`user ${JSON.stringify(wanted)} is not in /etc/passwd of the image`, 'user');
  const uid = entry?.uid ?? Number(wanted);
  const groups = lines(kernel, '/etc/group')
    .map(parseGroup)
    .filter((group) => group !== undefined);
  if (groupPart !== undefined && groupPart !== '') {
    const gid =
      groups.find((group) => group.name === groupPart)?.gid ??
      (isNumber(groupPart) ? Number(groupPart) : undefined);
    if (gid === undefined)
      throw new InputError(`group ${JSON.stringify(groupPart)} is not in /etc/group of the image`, 'user');
    return { uid, gid, groups: [gid], home: entry?.home ?? '/' };
  }
  const gid = entry?.gid ?? 0;
  const others =
    entry === undefined
      ? []
      : groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid);
  return {
    uid,
    gid,
    groups: [...new Set([gid, ...others])],
    home: entry?.home === undefined || entry.home === '' ? '/' : entry.home,
  };
}

function lines(kernel: Kernel, path: string): string[] {
  const bytes = readFileStart(kernel, path, FILE_LIMIT);
  return bytes === undefined ? [] : decodeText(bytes).split('\n');
}

function parsePasswd(line: string): Passwd | undefined {
  const [name, , uid, gid, , home] = line.split(':');
  return uid !== undefined && gid !== undefined && isNumber(uid) && isNumber(gid)
    ? { name, uid: Number(uid), gid: Number(gid), home: home ?? '' }
    : undefined;
}

function parseGroup(line: string): Group | undefined {
  const [name, , gid, members] = line.split(':');
  if (gid === undefined || !isNumber(gid)) return undefined;
  return { name, gid: Number(gid), members: (members ?? '').split(',').filter((member) => member !== '') };
}
