// Writes the observations of a test as a SysFlow file, as a collector would: for tests of what reads such files.
import { type Op, SYSFLOW_OPS } from '../../src/effect/index.ts';
import {
  createSysFlowWriter,
  ipToInt,
  type Observation,
  type Oid,
  OPEN_FLAGS,
  type ProcessId,
  type RestypeLetter,
} from '../../src/telemetry/index.ts';

const codes: readonly string[] = SYSFLOW_OPS;
const bits = (ops: Iterable<Op>): number => [...ops].reduce((mask, op) => mask | (1 << codes.indexOf(op)), 0);
const oid = ({ created, pid }: ProcessId): Oid => ({ createTS: created, hpid: pid });
const none = { numRRecvOps: 0, numWSendOps: 0, numRRecvBytes: 0, numWSendBytes: 0 };

function openFlags(access: string): number {
  if (access === '') return 0;
  const has = (letter: string): boolean => access.includes(letter);
  const rights = (has('r') ? OPEN_FLAGS.RDONLY : 0) | (has('w') ? OPEN_FLAGS.WRONLY : 0);
  return (
    rights |
    (has('c') ? OPEN_FLAGS.CREAT : 0) |
    (has('t') ? OPEN_FLAGS.TRUNC : 0) |
    (has('a') ? OPEN_FLAGS.APPEND : 0)
  );
}

/** Processes and flows of containers are in the one that was told of last; `gap` is not written. */
export function sysFlowFile(observations: readonly Observation[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = createSysFlowWriter((bytes) => parts.push(bytes.slice()), {
    exporter: 'test',
    ip: '',
    filename: 'test',
  });
  writer.header();
  let containerId = '';
  const file = (path: string, restype: RestypeLetter, ts: bigint): string =>
    writer.file({ state: 'CREATED', ts, restype, path, containerId });
  for (const each of observations) {
    switch (each.kind) {
      case 'stream':
        writer.header();
        break;
      case 'container': {
        const { id, name, image, imageId, privileged } = each.container;
        containerId = id;
        writer.container({
          id,
          name,
          image,
          imageid: imageId,
          type: 'CT_DOCKER',
          privileged,
          podId: undefined,
        });
        break;
      }
      case 'process': {
        const { id, parent, time, exe, args, uid, gid, entry, again } = each.process;
        const state = again ? 'REUP' : writer.hasProcess(oid(id)) ? 'MODIFIED' : 'CREATED';
        const names = { userName: '', groupName: '', tty: false, cwd: '/', env: [] };
        const poid = parent === undefined ? undefined : oid(parent);
        writer.process({
          state,
          oid: oid(id),
          poid,
          ts: time,
          exe,
          exeArgs: args,
          uid,
          gid,
          containerId,
          entry,
          ...names,
        });
        break;
      }
      case 'event': {
        const { effect, ret, time, task } = each;
        const common = {
          procOID: oid(task.process),
          ts: time,
          tid: task.tid,
          opFlags: bits([effect.op]),
          ret,
        };
        if (effect.resource.kind !== 'file') writer.processEvent({ ...common, args: [] });
        else
          writer.fileEvent({
            ...common,
            fileOID: file(effect.resource.path, '?', time),
            newFileOID: undefined,
          });
        break;
      }
      case 'flow': {
        const { start, end, task, ops, resource, fd, cut, access } = each;
        const opFlags = bits(ops) | (cut ? 1 << SYSFLOW_OPS.indexOf('TRUNCATE') : 0);
        const common = {
          procOID: oid(task.process),
          ts: start,
          tid: task.tid,
          opFlags,
          endTs: end,
          fd,
          ...none,
        };
        if (resource.kind === 'file') {
          const fileOID = file(resource.path, resource.type, start);
          writer.fileFlow({ ...common, openFlags: openFlags(access), fileOID });
        } else if (resource.kind === 'net') {
          const { local, peer } = resource;
          const [source, target] = ops.has('CONNECT') ? [local, peer] : [peer, local];
          const ends = {
            sip: ipToInt(source.address) ?? 0,
            sport: Number(source.port) || 0,
            dip: ipToInt(target.address) ?? 0,
            dport: Number(target.port) || 0,
          };
          writer.networkFlow({ ...common, ...ends, proto: 6 });
        }
        break;
      }
      default:
        break;
    }
  }
  writer.finish();
  return Buffer.concat(parts);
}
