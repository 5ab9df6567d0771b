// NETLINK_ROUTE, as far as resolvers and runtimes use it: dumps of links, addresses and routes, and nothing that
// changes them. Groups never receive anything, since nothing of the network changes while the container runs.
// NETLINK_AUDIT: messages of programs are taken, as the kernel does of containers in its own user namespace.

import { encodeText, joined } from '../bytes/index.ts';
import type { FileType, Resource } from '../effect/index.ts';
import { CAP } from './abi-process.ts';
import { AF, bytesOfIp, MSG, SO, type SocketAddress } from './abi-socket.ts';
import { E } from './errno.ts';
import { POLL } from './file.ts';
import type { Kernel } from './kernel.ts';
import { interfacesOf } from './net-interfaces.ts';
import { type Incoming, type Outgoing, received, Socket } from './socket.ts';
import type { Task } from './task.ts';
import { actorOf, capable } from './vfs-permission.ts';
import type { Block } from './wait.ts';

const NLMSG = { ERROR: 2, DONE: 3 } as const;
const PROTOCOL = { ROUTE: 0, AUDIT: 9 } as const;
export const isNetlink = (protocol: number): boolean =>
  protocol === PROTOCOL.ROUTE || protocol === PROTOCOL.AUDIT;

const NLM_F = { REQUEST: 1, MULTI: 2, ACK: 4, DUMP: 0x300 } as const;
const RTM = {
  NEWLINK: 16,
  GETLINK: 18,
  GETADDR: 22,
  GETROUTE: 26,
  GETNEIGH: 30,
  GETRULE: 34,
} as const;
/** Of an answer: without the request's payload. */
const NLM_F_CAPPED = 0x100;
/** Types of messages (linux/audit.h). */
const AUDIT = {
  USER: 1005,
  MESSAGES: [
    [1100, 1199],
    [2100, 2999],
  ],
} as const;
const IFLA = {
  ADDRESS: 1,
  BROADCAST: 2,
  IFNAME: 3,
  MTU: 4,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKMODE: 17,
} as const;
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, BROADCAST: 4, FLAGS: 8 } as const;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, TABLE: 15 } as const;

const align4 = (length: number): number => (length + 3) & ~3;

/** struct rtattr with its data, padded. */
function attribute(type: number, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(align4(4 + data.length));
  const view = new DataView(out.buffer);
  view.setUint16(0, 4 + data.length, true);
  view.setUint16(2, type, true);
  out.set(data, 4);
  return out;
}

const u8 = (value: number): Uint8Array => Uint8Array.of(value);
function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

interface Header {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly pid: number;
}

/** struct nlmsghdr with its payload, padded. */
function message(header: Header, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(align4(16 + payload.length));
  const view = new DataView(out.buffer);
  view.setUint32(0, 16 + payload.length, true);
  view.setUint16(4, header.type, true);
  view.setUint16(6, header.flags, true);
  view.setUint32(8, header.sequence, true);
  view.setUint32(12, header.pid, true);
  out.set(payload, 16);
  return out;
}

/** struct ifinfomsg and attributes, for each link. */
function links(kernel: Kernel): Uint8Array[] {
  return interfacesOf(kernel).map((one) => {
    const head = new Uint8Array(16);
    const view = new DataView(head.buffer);
    view.setUint16(2, one.hardware, true);
    view.setInt32(4, one.index, true);
    view.setUint32(8, one.flags, true);
    const loopback = one.index === 1;
    return joined([
      head,
      attribute(IFLA.IFNAME, encodeText(`${one.name}\0`)),
      attribute(IFLA.TXQLEN, u32(one.queueLength)),
      attribute(IFLA.OPERSTATE, u8(loopback ? 0 : 6)),
      attribute(IFLA.LINKMODE, u8(0)),
      attribute(IFLA.MTU, u32(one.mtu)),
      attribute(IFLA.ADDRESS, one.mac),
      attribute(IFLA.BROADCAST, loopback ? new Uint8Array(6) : new Uint8Array(6).fill(0xff)),
    ]);
  });
}

/** struct ifaddrmsg and attributes, for each address of the family (0: all). */
function addresses(kernel: Kernel, family: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (const one of interfacesOf(kernel)) {
    for (const { address, prefix, scope, broadcast } of one.addresses) {
      const v6 = address.includes(':');
      if (family !== 0 && family !== (v6 ? AF.INET6 : AF.INET)) continue;
      const ip = bytesOfIp(address);
      const parts = [
        Uint8Array.of(v6 ? AF.INET6 : AF.INET, prefix, 0x80, scope),
        u32(one.index),
        attribute(IFA.ADDRESS, ip),
      ];
      if (!v6) parts.push(attribute(IFA.LOCAL, ip), attribute(IFA.LABEL, encodeText(`${one.name}\0`)));
      if (broadcast !== undefined) parts.push(attribute(IFA.BROADCAST, bytesOfIp(broadcast)));
      parts.push(attribute(IFA.FLAGS, u32(0x80)));
      out.push(joined(parts));
    }
  }
  return out;
}

/** struct rtmsg and attributes: the default route and the network's own. */
function routes(kernel: Kernel, family: number): Uint8Array[] {
  if (family !== 0 && family !== AF.INET) return [];
  const { address, gateway } = kernel.environment;
  const own = bytesOfIp(address);
  const network = Uint8Array.of(own[0], own[1], 0, 0);
  const head = (prefix: number, protocol: number, scope: number): Uint8Array =>
    Uint8Array.of(AF.INET, prefix, 0, 0, 254, protocol, scope, 1, 0, 0, 0, 0);
  const table = attribute(RTA.TABLE, u32(254));
  const outside = [
    joined([head(0, 3, 0), table, attribute(RTA.GATEWAY, bytesOfIp(gateway)), attribute(RTA.OIF, u32(2))]),
  ];
  return [
    ...(kernel.net.outside === 'unreachable' ? [] : outside),
    joined([
      head(16, 2, 253),
      table,
      attribute(RTA.DST, network),
      attribute(RTA.PREFSRC, own),
      attribute(RTA.OIF, u32(2)),
    ]),
  ];
}

/** Payloads of a dump request; undefined: of a kind that is not known here. The answer's type is the request's less two. */
function dumpOf(kernel: Kernel, type: number, family: number): Uint8Array[] | undefined {
  switch (type) {
    case RTM.GETLINK:
      return links(kernel);
    case RTM.GETADDR:
      return addresses(kernel, family);
    case RTM.GETROUTE:
      return routes(kernel, family);
    case RTM.GETNEIGH:
    case RTM.GETRULE:
      return [];
    default:
      return undefined;
  }
}

export class NetlinkSocket extends Socket {
  readonly type: FileType = '?';
  private pid = 0;
  private groups = 0;
  /** Answers, one datagram each. */
  private readonly inbox: Uint8Array[] = [];

  resourceWith(): Resource {
    return { kind: 'file', type: '?', path: 'netlink:' };
  }
  localAddress(): SocketAddress {
    return { family: 'netlink', pid: this.pid, groups: this.groups };
  }
  peerAddress(): SocketAddress {
    return { family: 'netlink', pid: 0, groups: 0 };
  }
  override get available(): number {
    return this.inbox[0]?.length ?? 0;
  }

  bind(_kernel: Kernel, task: Task, address: SocketAddress): number {
    if (address.family !== 'netlink') return -E.INVAL;
    this.pid = address.pid === 0 ? task.process.pid : address.pid;
    this.groups = address.groups;
    return 0;
  }
  connect(kernel: Kernel, task: Task, address: SocketAddress): number {
    if (address.family !== 'netlink') return -E.INVAL;
    return this.pid === 0 ? this.bind(kernel, task, { family: 'netlink', pid: 0, groups: 0 }) : 0;
  }

  send(kernel: Kernel, task: Task, outgoing: Outgoing): number {
    const { bytes } = outgoing;
    if (this.pid === 0) this.pid = task.process.pid;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 16 <= bytes.length; ) {
      const length = view.getUint32(at, true);
      if (length < 16 || at + length > bytes.length) break;
      const header = {
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        pid: this.pid,
      };
      const whole = bytes.subarray(at, at + length);
      if (this.protocol === PROTOCOL.AUDIT) this.audit(task, header, whole);
      else this.answer(kernel, task, header, whole);
      at += align4(length);
    }
    return bytes.length;
  }

  /** A program's message is written to the log (audit_receive_msg of the kernel); asking and setting is the host's. */
  private audit(task: Task, request: Header, whole: Uint8Array): void {
    const { type } = request;
    const ofProgram = type === AUDIT.USER || AUDIT.MESSAGES.some(([from, to]) => type >= from && type <= to);
    const allowed = ofProgram && capable(actorOf(task), CAP.AUDIT_WRITE);
    if (!allowed) this.fail(request, E.PERM, whole);
    else if ((request.flags & NLM_F.ACK) !== 0) this.acknowledge(request, whole);
  }

  private acknowledge(request: Header, whole: Uint8Array): void {
    const payload = joined([u32(0), whole.subarray(0, 16)]);
    this.inbox.push(message({ ...request, type: NLMSG.ERROR, flags: NLM_F_CAPPED }, payload));
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  private answer(kernel: Kernel, task: Task, request: Header, whole: Uint8Array): void {
    const family = whole[16] ?? 0;
    const reply = (type: number, found: readonly Uint8Array[]): void => {
      const header = { ...request, type, flags: NLM_F.MULTI };
      if (found.length > 0) this.inbox.push(joined(found.map((payload) => message(header, payload))));
      this.inbox.push(message({ ...header, type: NLMSG.DONE }, u32(0)));
      this.queue.wake(POLL.IN | POLL.RDNORM);
    };
    const dump = (request.flags & NLM_F.DUMP) !== 0;
    if (dump || request.type === RTM.GETADDR) {
      const found = dumpOf(kernel, request.type, family);
      if (found !== undefined) {
        reply(request.type - 2, found);
        return;
      }
    } else if (request.type === RTM.GETLINK) {
      this.one(request, RTM.NEWLINK, links(kernel), whole);
      return;
    }
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `netlink request ${request.type}`,
      consequence: 'answered EPERM',
    });
    this.fail(request, E.PERM, whole);
  }

  /** One link, by the index in its struct ifinfomsg. */
  private one(request: Header, type: number, found: readonly Uint8Array[], whole: Uint8Array): void {
    const index = whole.length >= 24 ? new DataView(whole.buffer, whole.byteOffset).getInt32(20, true) : 0;
    const payload = found.find((candidate) => new DataView(candidate.buffer).getInt32(4, true) === index);
    if (payload === undefined) {
      this.fail(request, E.NODEV, whole);
      return;
    }
    this.inbox.push(message({ ...request, type, flags: 0 }, payload));
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  private fail(request: Header, errno: number, whole: Uint8Array): void {
    this.inbox.push(message({ ...request, type: NLMSG.ERROR, flags: 0 }, joined([u32(-errno >>> 0), whole])));
    this.queue.wake(POLL.IN | POLL.RDNORM);
  }

  receive(kernel: Kernel, task: Task, length: number, flags: number): Incoming | number | Block {
    const next = this.inbox[0];
    if (next === undefined) return this.wait(kernel, task, flags, SO.RCVTIMEO, 'read netlink');
    if ((flags & MSG.PEEK) === 0) this.inbox.shift();
    return received(next.subarray(0, length), {
      length: next.length,
      from: { family: 'netlink', pid: 0, groups: 0 },
    });
  }

  poll(): number {
    return POLL.OUT | POLL.WRNORM | (this.inbox.length > 0 ? POLL.IN | POLL.RDNORM : 0);
  }
}
