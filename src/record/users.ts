// Who a container's process is: `user`, `uid`, `user:group` … of an image's configuration looked up in the image's own
// passwd and group files, as container runtimes do (OCI runtime-spec `process.user`, Docker's USER). Parsing only; no
// name service is asked.
import { InputError } from '../bytes/index.ts';

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, ascending, without `gid`. */
  readonly groups: readonly number[];
  /** '' where passwd has no entry. */
  readonly name: string;
  /** `/` where passwd says nothing. */
  readonly home: string;
}

/** The names of users and groups that one file tree knows. */
export interface Users {
  /** Whom a configuration's user stands for; InputError where a name is unknown. `where` names the image. */
  resolve(user: string, where: string): Account;
  /** '' where there is none. */
  userName(uid: number): string;
  groupName(gid: number): string;
}

const largestId = 0xffff_fffe;

/** From the texts of `/etc/passwd` and `/etc/group`; '' where a file is missing. Malformed lines are passed over. */
export function parseUsers(passwd: string, group: string): Users {
  const accounts = passwdEntries(passwd);
  const groups = groupEntries(group);
  return {
    resolve: (user, where) => resolve(accounts, groups, user, where),
    userName: (uid) => accounts.find((entry) => entry.uid === uid)?.name ?? '',
    groupName: (gid) => groups.find((entry) => entry.gid === gid)?.name ?? '',
  };
}

function resolve(
  accounts: readonly PasswdEntry[],
  groups: readonly GroupEntry[],
  user: string,
  where: string,
): Account {
  const colon = user.indexOf(':');
  const userPart = colon < 0 ? user : user.slice(0, colon);
  const groupPart = colon < 0 ? '' : user.slice(colon + 1);
  const wanted = numeric(userPart === '' ? '0' : userPart);
  const entry = accounts.find((one) => one.name === userPart || one.uid === wanted);
  const uid = entry?.uid ?? wanted;
  if (uid === undefined)
    throw new InputError(
      `user ${JSON.stringify(userPart)} is not in the image's /etc/passwd`,
      where,
      'give a number with --user',
    );
  const gid = groupPart === '' ? (entry?.gid ?? 0) : groupId(groups, groupPart, where);
  const member = (one: GroupEntry): boolean => entry !== undefined && one.members.includes(entry.name);
  const supplementary = groupPart === '' ? groups.filter(member).map((one) => one.gid) : [];
  return {
    uid,
    gid,
    groups: [...new Set(supplementary)].filter((one) => one !== gid).sort((a, b) => a - b),
    name: entry?.name ?? '',
    home: entry === undefined || entry.home === '' ? '/' : entry.home,
  };
}

function groupId(groups: readonly GroupEntry[], name: string, where: string): number {
  const wanted = numeric(name);
  const gid = groups.find((one) => one.name === name || one.gid === wanted)?.gid ?? wanted;
  if (gid === undefined)
    throw new InputError(
      `group ${JSON.stringify(name)} is not in the image's /etc/group`,
      where,
      'give a number with --user',
    );
  return gid;
}

function numeric(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= largestId ? Number(text) : undefined;
}

/** `name:password:uid:gid:comment:home:shell` */
function passwdEntries(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid, , home = ''] = line.split(':');
    const ids = [numeric(uid ?? ''), numeric(gid ?? '')];
    return name === '' || ids[0] === undefined || ids[1] === undefined
      ? []
      : [{ name, uid: ids[0], gid: ids[1], home }];
  });
}

/** `name:password:gid:member,member` */
function groupEntries(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , number, members = ''] = line.split(':');
    const gid = numeric(number ?? '');
    return name === '' || gid === undefined
      ? []
      : [{ name, gid, members: members.split(',').filter((one) => one !== '') }];
  });
}
