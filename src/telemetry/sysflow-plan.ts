// Which records of a SysFlow schema are which, and what we want of each. Layouts are told apart by names and fields of
// the schema that wrote them, never by the version in the header: seven layouts call themselves 1000.
import type { RecordPlan, Wanted } from './avro-records.ts';

const flow: Wanted = [
  ['procOID.createTS', 'pair'],
  ['procOID.hpid', 'number'],
  ['ts', 'pair'],
  ['tid', 'number'],
  ['opFlags', 'number'],
  ['endTs', 'pair'],
  ['fd', 'number'],
  ['numRRecvOps', 'number'],
  ['numWSendOps', 'number'],
  ['numRRecvBytes', 'number'],
  ['numWSendBytes', 'number'],
];

const event: Wanted = [
  ['procOID.createTS', 'pair'],
  ['procOID.hpid', 'number'],
  ['ts', 'bigint'],
  ['tid', 'number'],
  ['opFlags', 'number'],
  ['ret', 'number'],
];

export const wantedFields = {
  header: [
    ['version', 'number'],
    ['exporter', 'string'],
  ],
  container: [
    ['id', 'string'],
    ['name', 'string'],
    ['image', 'string'],
    ['imageid', 'string'],
    ['privileged', 'boolean'],
  ],
  process: [
    ['state', 'symbol'],
    ['oid.createTS', 'pair'],
    ['oid.hpid', 'number'],
    ['poid.createTS', 'pair'],
    ['poid.hpid', 'number'],
    ['ts', 'bigint'],
    ['exe', 'string'],
    ['exeArgs', 'string'],
    ['uid', 'number'],
    ['gid', 'number'],
    ['userName', 'string'],
    ['groupName', 'string'],
    ['tty', 'boolean'],
    ['containerId', 'string'],
    ['entry', 'boolean'],
    ['cwd', 'string'],
  ],
  file: [
    ['oid', 'position'],
    ['restype', 'number'],
    ['path', 'slice'],
  ],
  processEvent: [...event, ['args', 'strings']],
  networkFlow: [
    ...flow,
    ['sip', 'number'],
    ['sport', 'number'],
    ['dip', 'number'],
    ['dport', 'number'],
    ['proto', 'number'],
  ],
  fileFlow: [...flow, ['fileOID', 'position'], ['openFlags', 'number']],
  fileEvent: [...event, ['fileOID', 'position'], ['newFileOID', 'position']],
} as const satisfies Readonly<Record<string, Wanted>>;

export type SysFlowHandler = keyof typeof wantedFields;

/** By the last part of a record's name: some schemas have namespaces, some write full names, some neither. */
const handlers: Readonly<Record<string, SysFlowHandler | undefined>> = {
  SFHeader: 'header',
  Container: 'container',
  Process: 'process',
  File: 'file',
  ProcessEvent: 'processEvent',
  NetworkFlow: 'networkFlow',
  FileFlow: 'fileFlow',
  FileEvent: 'fileEvent',
};

/** Fields without which a record cannot be used. */
const needed: Readonly<Record<SysFlowHandler, readonly string[]>> = {
  header: [],
  container: ['id'],
  process: ['oid', 'exe'],
  file: ['oid', 'path'],
  processEvent: ['procOID', 'ts', 'opFlags'],
  networkFlow: ['procOID', 'ts', 'opFlags', 'sip', 'dip'],
  fileFlow: ['procOID', 'ts', 'opFlags', 'fileOID'],
  fileEvent: ['procOID', 'ts', 'opFlags', 'fileOID'],
};

export const sysFlowPlan: RecordPlan = {
  handler(recordName, fields) {
    const short = recordName.slice(recordName.lastIndexOf('.') + 1);
    // Before version 2 a record with the fields of a process event was called ProcessFlow.
    const handler = short === 'ProcessFlow' && fields.has('ret') ? 'processEvent' : handlers[short];
    return handler !== undefined && needed[handler].every((field) => fields.has(field)) ? handler : undefined;
  },
  wanted: wantedFields,
};

/** Records that are understood and carry no effect of a task. */
export const withoutEffect: ReadonlySet<string> = new Set(['ProcessFlow', 'Pod', 'K8sEvent', 'NetworkEvent']);
