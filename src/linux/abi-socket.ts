// Constants and structures of the socket calls on x86-64 (include/uapi/linux/{socket,in,in6,un,netlink}.h,
// include/linux/socket.h). Only layouts; nothing here knows the kernel.
import { decodeText, encodeText } from '../bytes/index.ts';

export const AF = {
  UNSPEC: 0,
  UNIX: 1,
  INET: 2,
  INET6: 10,
  NETLINK: 16,
  PACKET: 17,
  VSOCK: 40,
  ALG: 38,
} as const;
export const SOCK = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;
export const IPPROTO = { IP: 0, ICMP: 1, TCP: 6, UDP: 17, IPV6: 41, ICMPV6: 58 } as const;
export const SOL = { SOCKET: 1, IP: 0, TCP: 6, UDP: 17, IPV6: 41, NETLINK: 270 } as const;

export const SO = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  PRIORITY: 12,
  LINGER: 13,
  REUSEPORT: 15,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  BINDTODEVICE: 25,
  ATTACH_FILTER: 26,
  DETACH_FILTER: 27,
  PEERNAME: 28,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  PEERSEC: 31,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  PASSSEC: 34,
  TIMESTAMPNS: 35,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  RXQ_OVFL: 40,
  PEEK_OFF: 42,
  NOFCS: 43,
  BUSY_POLL: 46,
  MAX_PACING_RATE: 47,
  INCOMING_CPU: 49,
  ATTACH_BPF: 50,
  INCOMING_NAPI_ID: 56,
  COOKIE: 57,
  PEERGROUPS: 59,
  ZEROCOPY: 60,
  RCVTIMEO_NEW: 66,
  SNDTIMEO_NEW: 67,
  PREFER_BUSY_POLL: 69,
  PEERPIDFD: 77,
} as const;
export const TCP = {
  NODELAY: 1,
  MAXSEG: 2,
  CORK: 3,
  KEEPIDLE: 4,
  KEEPINTVL: 5,
  KEEPCNT: 6,
  SYNCNT: 7,
  LINGER2: 8,
  DEFER_ACCEPT: 9,
  WINDOW_CLAMP: 10,
  INFO: 11,
  QUICKACK: 12,
  CONGESTION: 13,
  USER_TIMEOUT: 18,
  FASTOPEN: 23,
  TIMESTAMP: 24,
  NOTSENT_LOWAT: 25,
  FASTOPEN_CONNECT: 30,
} as const;
export const IP = {
  TOS: 1,
  TTL: 2,
  HDRINCL: 3,
  OPTIONS: 4,
  RECVOPTS: 6,
  RETOPTS: 7,
  PKTINFO: 8,
  MTU_DISCOVER: 10,
  RECVERR: 11,
  RECVTTL: 12,
  RECVTOS: 13,
  MTU: 14,
  FREEBIND: 15,
  TRANSPARENT: 19,
  RECVORIGDSTADDR: 20,
  MINTTL: 21,
  BIND_ADDRESS_NO_PORT: 24,
  MULTICAST_IF: 32,
  MULTICAST_TTL: 33,
  MULTICAST_LOOP: 34,
  ADD_MEMBERSHIP: 35,
  DROP_MEMBERSHIP: 36,
  UNICAST_IF: 50,
  LOCAL_PORT_RANGE: 51,
} as const;
export const IPV6 = {
  UNICAST_HOPS: 16,
  MULTICAST_IF: 17,
  MULTICAST_HOPS: 18,
  MULTICAST_LOOP: 19,
  ADD_MEMBERSHIP: 20,
  DROP_MEMBERSHIP: 21,
  MTU_DISCOVER: 23,
  MTU: 24,
  RECVERR: 25,
  V6ONLY: 26,
  RECVPKTINFO: 49,
  PKTINFO: 50,
  RECVHOPLIMIT: 51,
  HOPLIMIT: 52,
  RECVTCLASS: 66,
  TCLASS: 67,
  DONTFRAG: 62,
  AUTOFLOWLABEL: 70,
  FREEBIND: 78,
} as const;
export const MSG = {
  OOB: 1,
  PEEK: 2,
  DONTROUTE: 4,
  CTRUNC: 8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  WAITFORONE: 0x10000,
  ZEROCOPY: 0x4000000,
  FASTOPEN: 0x20000000,
  CMSG_CLOEXEC: 0x40000000,
} as const;
export const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const;
export const SHUT = { RD: 0, WR: 1, RDWR: 2 } as const;

/** Where a socket is. Unix: '' unnamed, a leading NUL means the abstract name space. */
export type SocketAddress =
  | { readonly family: 'inet' | 'inet6'; readonly address: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string }
  | { readonly family: 'netlink'; readonly pid: number; readonly groups: number }
  | { readonly family: 'unspec' }
  /** Bytes that no socket of this domain takes: the errno that it answers, where its state lets it look at them. */
  | { readonly family: 'unusable'; readonly errno: number };

export type InetAddress = Extract<SocketAddress, { readonly port: number }>;

/** Dotted text. */
export const textOfIpv4 = (bytes: Uint8Array): string => bytes.subarray(0, 4).join('.');

/** RFC 5952 text; IPv4-mapped addresses as ::ffff:a.b.c.d. */
export function textOfIpv6(bytes: Uint8Array): string {
  if (bytes.subarray(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff)
    return `::ffff:${textOfIpv4(bytes.subarray(12))}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8) | bytes[2 * i + 1]);
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > best.length) best = { start: i, length };
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

/** 4 or 16 bytes of an address's text, which must be valid. */
export function bytesOfIp(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.'), Number);
  const out = new Uint8Array(16);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = dotted === null ? [] : [...bytesOfIp(dotted[2])];
  const plain =
    dotted === null
      ? text
      : `${dotted[1]}${((tail[0] << 8) | tail[1]).toString(16)}:${((tail[2] << 8) | tail[3]).toString(16)}`;
  const [head, rest] = plain.split('::');
  const groups = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((g) => Number.parseInt(g, 16));
  const before = groups(head);
  const after = groups(rest);
  const put = (at: number, group: number): void => {
    out[2 * at] = group >> 8;
    out[2 * at + 1] = group & 0xff;
  };
  before.forEach((group, i) => {
    put(i, group);
  });
  after.forEach((group, i) => {
    put(8 - after.length + i, group);
  });
  return out;
}

const MAPPED = '::ffff:';
/** ::ffff:1.2.3.4 as 1.2.3.4; others as they are. */
export const unmapped = (address: string): string =>
  address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address;

/** sockaddr bytes to an address; undefined where family or length don't fit. */
export function parseAddress(bytes: Uint8Array): SocketAddress | undefined {
  if (bytes.length < 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (view.getUint16(0, true)) {
    case AF.UNSPEC:
      return { family: 'unspec' };
    case AF.INET:
      return bytes.length < 16
        ? undefined
        : { family: 'inet', address: textOfIpv4(bytes.subarray(4)), port: view.getUint16(2) };
    case AF.INET6:
      return bytes.length < 24
        ? undefined
        : { family: 'inet6', address: textOfIpv6(bytes.subarray(8, 24)), port: view.getUint16(2) };
    case AF.UNIX: {
      const path = bytes.subarray(2, 110);
      if (path.length > 0 && path[0] === 0) return { family: 'unix', path: decodeText(path) };
      const end = path.indexOf(0);
      return { family: 'unix', path: decodeText(end < 0 ? path : path.subarray(0, end)) };
    }
    case AF.NETLINK:
      return bytes.length < 12
        ? undefined
        : { family: 'netlink', pid: view.getUint32(4, true), groups: view.getUint32(8, true) };
    default:
      return undefined;
  }
}

/** sockaddr bytes of an address. */
export function packAddress(address: SocketAddress): Uint8Array {
  switch (address.family) {
    case 'inet':
    case 'inet6': {
      const ip = bytesOfIp(address.address);
      const v6 = address.family === 'inet6';
      const out = new Uint8Array(v6 ? 28 : 16);
      const view = new DataView(out.buffer);
      view.setUint16(0, v6 ? AF.INET6 : AF.INET, true);
      view.setUint16(2, address.port);
      out.set(v6 && ip.length === 4 ? bytesOfIp(MAPPED + address.address) : ip, v6 ? 8 : 4);
      return out;
    }
    case 'unix': {
      const name = encodeText(address.path);
      const pathname = name.length > 0 && name[0] !== 0;
      const out = new Uint8Array(2 + name.length + (pathname ? 1 : 0));
      out[0] = AF.UNIX;
      out.set(name, 2);
      return out;
    }
    case 'netlink': {
      const out = new Uint8Array(12);
      const view = new DataView(out.buffer);
      view.setUint16(0, AF.NETLINK, true);
      view.setUint32(4, address.pid, true);
      view.setUint32(8, address.groups, true);
      return out;
    }
    case 'unspec':
    case 'unusable':
      return new Uint8Array(2);
  }
}

/** A control message (struct cmsghdr and its data). */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: Uint8Array;
}

const align8 = (length: number): number => (length + 7) & ~7;

/** Control messages of a buffer; undefined where a header is malformed (EINVAL). */
export function parseControl(bytes: Uint8Array): ControlMessage[] | undefined {
  const out: ControlMessage[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 16 <= bytes.length) {
    const length = Number(view.getBigUint64(at, true));
    if (length < 16 || at + length > bytes.length) return undefined;
    out.push({
      level: view.getInt32(at + 8, true),
      type: view.getInt32(at + 12, true),
      data: bytes.slice(at + 16, at + length),
    });
    at += align8(length);
  }
  return out;
}

/** Bytes of one control message, padded; with `limit` its data may be cut (MSG_CTRUNC). */
export function packControl(message: ControlMessage): Uint8Array {
  const out = new Uint8Array(align8(16 + message.data.length));
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(16 + message.data.length), true);
  view.setInt32(8, message.level, true);
  view.setInt32(12, message.type, true);
  out.set(message.data, 16);
  return out;
}

/** Socket ioctls (include/uapi/linux/sockios.h) and structures' sizes. */
export const SIOC = {
  INQ: 0x541b,
  OUTQ: 0x5411,
  ATMARK: 0x8905,
  GIFNAME: 0x8910,
  GIFCONF: 0x8912,
  GIFFLAGS: 0x8913,
  GIFADDR: 0x8915,
  GIFDSTADDR: 0x8917,
  GIFBRDADDR: 0x8919,
  GIFNETMASK: 0x891b,
  GIFMETRIC: 0x891d,
  GIFMTU: 0x8921,
  GIFHWADDR: 0x8927,
  GIFINDEX: 0x8933,
  GIFTXQLEN: 0x8942,
  ETHTOOL: 0x8946,
} as const;
