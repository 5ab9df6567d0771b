// Landlock (security/landlock/syscalls.c), ABI 2: rulesets are checked, accepted and recorded, not applied. What they
// forbid stays possible in the model, and a cut says so.
import type { FileType, Resource } from '../effect/index.ts';
import { CAP, capBit } from './abi-process.ts';
import { row } from './catalogue.ts';
import { E } from './errno.ts';
import { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { install } from './sys-file-common.ts';
import type { SysArgs, SyscallRow } from './syscall.ts';
import type { Task } from './task.ts';
import { WaitQueue } from './wait.ts';

const ABI = 2;
/** LANDLOCK_ACCESS_FS_ bits of that ABI. */
const ACCESS = 0x3fffn;
const CREATE_VERSION = 1;
const PATH_BENEATH = 1;
/** Attributes beyond a page are too many. */
const SIZE_LIMIT = 4096;

class RulesetFile extends OpenFile {
  readonly type: FileType = '?';
  readonly queue = new WaitQueue();
  readonly handled: bigint;

  constructor(handled: bigint) {
    super(2);
    this.handled = handled;
  }
  resource(): Resource {
    return { kind: 'file', type: '?', path: 'anon:[landlock-ruleset]' };
  }
  poll(): number {
    return 0x145; // no poll of its own: always ready
  }
  read(): number {
    return -E.INVAL;
  }
  write(): number {
    return -E.INVAL;
  }
}

/** struct landlock_ruleset_attr: handled_access_fs u64; what later versions add must be 0. */
function createRuleset(kernel: Kernel, task: Task, args: SysArgs): number {
  const [at, size, flags] = [args.pointer(0), args.size(1), args.uint(2)];
  if (flags !== 0) return flags === CREATE_VERSION && at === 0 && size === 0 ? ABI : -E.INVAL;
  if (at === 0) return -E.FAULT;
  if (size < 8) return -E.INVAL;
  if (size > SIZE_LIMIT) return -E['2BIG'];
  const bytes = task.process.space.read(at, size);
  if (bytes.subarray(8).some((byte) => byte !== 0)) return -E['2BIG'];
  const handled = new DataView(bytes.buffer).getBigUint64(0, true);
  if ((handled & ~ACCESS) !== 0n) return -E.INVAL;
  return handled === 0n ? -E.NOMSG : install(kernel, task, new RulesetFile(handled), true);
}

function rulesetOf(task: Task, fd: number): RulesetFile | number {
  const file = task.process.files.get(fd);
  if (file === undefined) return -E.BADF;
  return file instanceof RulesetFile ? file : -E.BADFD;
}

/** struct landlock_path_beneath_attr: allowed_access u64 | parent_fd i32. */
function addRule(_kernel: Kernel, task: Task, args: SysArgs): number {
  if (args.uint(3) !== 0) return -E.INVAL;
  const ruleset = rulesetOf(task, args.int(0));
  if (typeof ruleset === 'number') return ruleset;
  if (args.int(1) !== PATH_BENEATH) return -E.INVAL;
  const { space } = task.process;
  const allowed = space.read64(args.pointer(2));
  const parent = space.read32(args.pointer(2) + 8) | 0;
  if (allowed === 0n) return -E.NOMSG;
  if ((allowed & ~ruleset.handled) !== 0n) return -E.INVAL;
  const file = task.process.files.get(parent);
  if (file === undefined) return -E.BADF;
  return file instanceof RulesetFile ? -E.BADFD : 0;
}

function restrictSelf(kernel: Kernel, task: Task, args: SysArgs): number {
  const { noNewPrivileges, effective } = task.process.credentials;
  if (!noNewPrivileges && (effective & capBit(CAP.SYS_ADMIN)) === 0n) return -E.PERM;
  if (args.uint(1) !== 0) return -E.INVAL;
  const ruleset = rulesetOf(task, args.int(0));
  if (typeof ruleset === 'number') return ruleset;
  kernel.cutHere(task, {
    kind: 'syscall-option',
    what: 'landlock ruleset',
    consequence: 'recorded, not applied',
  });
  return 0;
}

const NOTE = 'recorded, not applied: what the ruleset forbids stays possible';

export const landlockRows: readonly SyscallRow[] = [
  row('landlock_create_ruleset', createRuleset, 'partial', 'ABI 2'),
  row('landlock_add_rule', addRule, 'partial', 'ABI 2'),
  row('landlock_restrict_self', restrictSelf, 'partial', NOTE),
];
