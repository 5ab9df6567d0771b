// Socket options: which exist at which level, their defaults, and the values that were set. What has a meaning here
// is read by the families through the typed getters; the rest is stored and given back.
import { AF, IP, IPPROTO, IPV6, SO, SOCK, SOL, TCP } from './abi-socket.ts';

type OptionType = 'int' | 'linger' | 'timeval' | 'text' | 'bytes';

interface OptionRule {
  readonly type: OptionType;
  readonly initial: number;
  /** Can be set. */
  readonly set: boolean;
}

const int = (initial = 0, set = true): OptionRule => ({ type: 'int', initial, set });
const readOnly = int(0, false);
const key = (level: number, name: number): string => `${level}:${name}`;

type Rules = readonly (readonly [level: number, name: number, rule: OptionRule])[];

const SOCKET_RULES: Rules = [
  [SOL.SOCKET, SO.DEBUG, int()],
  [SOL.SOCKET, SO.REUSEADDR, int()],
  [SOL.SOCKET, SO.TYPE, readOnly],
  [SOL.SOCKET, SO.ERROR, readOnly],
  [SOL.SOCKET, SO.DONTROUTE, int()],
  [SOL.SOCKET, SO.BROADCAST, int()],
  [SOL.SOCKET, SO.SNDBUF, int(212992)],
  [SOL.SOCKET, SO.RCVBUF, int(212992)],
  [SOL.SOCKET, SO.KEEPALIVE, int()],
  [SOL.SOCKET, SO.OOBINLINE, int()],
  [SOL.SOCKET, SO.PRIORITY, int()],
  [SOL.SOCKET, SO.LINGER, { type: 'linger', initial: 0, set: true }],
  [SOL.SOCKET, SO.REUSEPORT, int()],
  [SOL.SOCKET, SO.PASSCRED, int()],
  [SOL.SOCKET, SO.PEERCRED, readOnly],
  [SOL.SOCKET, SO.RCVLOWAT, int(1)],
  [SOL.SOCKET, SO.SNDLOWAT, int(1, false)],
  [SOL.SOCKET, SO.RCVTIMEO, { type: 'timeval', initial: 0, set: true }],
  [SOL.SOCKET, SO.SNDTIMEO, { type: 'timeval', initial: 0, set: true }],
  [SOL.SOCKET, SO.RCVTIMEO_NEW, { type: 'timeval', initial: 0, set: true }],
  [SOL.SOCKET, SO.SNDTIMEO_NEW, { type: 'timeval', initial: 0, set: true }],
  [SOL.SOCKET, SO.BINDTODEVICE, { type: 'text', initial: 0, set: true }],
  [SOL.SOCKET, SO.ATTACH_FILTER, { type: 'bytes', initial: 0, set: true }],
  [SOL.SOCKET, SO.DETACH_FILTER, int()],
  [SOL.SOCKET, SO.TIMESTAMP, int()],
  [SOL.SOCKET, SO.ACCEPTCONN, readOnly],
  [SOL.SOCKET, SO.SNDBUFFORCE, int()],
  [SOL.SOCKET, SO.RCVBUFFORCE, int()],
  [SOL.SOCKET, SO.PASSSEC, int()],
  [SOL.SOCKET, SO.TIMESTAMPNS, int()],
  [SOL.SOCKET, SO.MARK, int()],
  [SOL.SOCKET, SO.PROTOCOL, readOnly],
  [SOL.SOCKET, SO.DOMAIN, readOnly],
  [SOL.SOCKET, SO.RXQ_OVFL, int()],
  [SOL.SOCKET, SO.PEEK_OFF, int(-1)],
  [SOL.SOCKET, SO.BUSY_POLL, int()],
  [SOL.SOCKET, SO.MAX_PACING_RATE, int(-1)],
  [SOL.SOCKET, SO.INCOMING_CPU, int(-1)],
  [SOL.SOCKET, SO.INCOMING_NAPI_ID, int(0, false)],
  [SOL.SOCKET, SO.COOKIE, readOnly],
  [SOL.SOCKET, SO.PEERGROUPS, readOnly],
  [SOL.SOCKET, SO.ZEROCOPY, int()],
  [SOL.SOCKET, SO.PREFER_BUSY_POLL, int()],
];
const TCP_RULES: Rules = [
  [SOL.TCP, TCP.NODELAY, int()],
  [SOL.TCP, TCP.MAXSEG, int(536)],
  [SOL.TCP, TCP.CORK, int()],
  [SOL.TCP, TCP.KEEPIDLE, int(7200)],
  [SOL.TCP, TCP.KEEPINTVL, int(75)],
  [SOL.TCP, TCP.KEEPCNT, int(9)],
  [SOL.TCP, TCP.SYNCNT, int(6)],
  [SOL.TCP, TCP.LINGER2, int(60)],
  [SOL.TCP, TCP.DEFER_ACCEPT, int()],
  [SOL.TCP, TCP.WINDOW_CLAMP, int()],
  [SOL.TCP, TCP.INFO, readOnly],
  [SOL.TCP, TCP.QUICKACK, int(1)],
  [SOL.TCP, TCP.CONGESTION, { type: 'text', initial: 0, set: true }],
  [SOL.TCP, TCP.USER_TIMEOUT, int()],
  [SOL.TCP, TCP.FASTOPEN, int()],
  [SOL.TCP, TCP.TIMESTAMP, int()],
  [SOL.TCP, TCP.NOTSENT_LOWAT, int()],
  [SOL.TCP, TCP.FASTOPEN_CONNECT, int()],
];
const IP_RULES: Rules = [
  [SOL.IP, IP.TOS, int()],
  [SOL.IP, IP.TTL, int(64)],
  [SOL.IP, IP.OPTIONS, { type: 'bytes', initial: 0, set: true }],
  [SOL.IP, IP.RECVOPTS, int()],
  [SOL.IP, IP.RETOPTS, int()],
  [SOL.IP, IP.PKTINFO, int()],
  [SOL.IP, IP.MTU_DISCOVER, int(1)],
  [SOL.IP, IP.RECVERR, int()],
  [SOL.IP, IP.RECVTTL, int()],
  [SOL.IP, IP.RECVTOS, int()],
  [SOL.IP, IP.MTU, int(1500, false)],
  [SOL.IP, IP.FREEBIND, int()],
  [SOL.IP, IP.TRANSPARENT, int()],
  [SOL.IP, IP.RECVORIGDSTADDR, int()],
  [SOL.IP, IP.MINTTL, int()],
  [SOL.IP, IP.BIND_ADDRESS_NO_PORT, int()],
  [SOL.IP, IP.MULTICAST_TTL, int(1)],
  [SOL.IP, IP.MULTICAST_LOOP, int(1)],
  [SOL.IP, IP.MULTICAST_IF, { type: 'bytes', initial: 0, set: true }],
  [SOL.IP, IP.ADD_MEMBERSHIP, { type: 'bytes', initial: 0, set: true }],
  [SOL.IP, IP.DROP_MEMBERSHIP, { type: 'bytes', initial: 0, set: true }],
  [SOL.IP, IP.UNICAST_IF, int()],
  [SOL.IP, IP.LOCAL_PORT_RANGE, int()],
];
const IPV6_RULES: Rules = [
  [SOL.IPV6, IPV6.UNICAST_HOPS, int(64)],
  [SOL.IPV6, IPV6.MULTICAST_IF, int()],
  [SOL.IPV6, IPV6.MULTICAST_HOPS, int(1)],
  [SOL.IPV6, IPV6.MULTICAST_LOOP, int(1)],
  [SOL.IPV6, IPV6.ADD_MEMBERSHIP, { type: 'bytes', initial: 0, set: true }],
  [SOL.IPV6, IPV6.DROP_MEMBERSHIP, { type: 'bytes', initial: 0, set: true }],
  [SOL.IPV6, IPV6.MTU_DISCOVER, int(1)],
  [SOL.IPV6, IPV6.MTU, int(1500, false)],
  [SOL.IPV6, IPV6.RECVERR, int()],
  [SOL.IPV6, IPV6.V6ONLY, int()],
  [SOL.IPV6, IPV6.RECVPKTINFO, int()],
  [SOL.IPV6, IPV6.RECVHOPLIMIT, int()],
  [SOL.IPV6, IPV6.RECVTCLASS, int()],
  [SOL.IPV6, IPV6.TCLASS, int()],
  [SOL.IPV6, IPV6.DONTFRAG, int()],
  [SOL.IPV6, IPV6.AUTOFLOWLABEL, int(1)],
  [SOL.IPV6, IPV6.FREEBIND, int()],
];
const NETLINK_RULES: Rules = [1, 2, 3, 5, 11, 12].map((name) => [SOL.NETLINK, name, int()] as const);

const RULES = new Map(
  [...SOCKET_RULES, ...TCP_RULES, ...IP_RULES, ...IPV6_RULES, ...NETLINK_RULES].map(([level, name, rule]) => [
    key(level, name),
    rule,
  ]),
);

/** Levels that a socket of this domain, kind and protocol has options of. */
function levelsOf(domain: number, kind: number, protocol: number): readonly number[] {
  const inet = domain === AF.INET || domain === AF.INET6;
  const levels: number[] = [SOL.SOCKET];
  if (inet) levels.push(SOL.IP);
  if (domain === AF.INET6) levels.push(SOL.IPV6);
  if (inet && (protocol === IPPROTO.TCP || kind === SOCK.STREAM)) levels.push(SOL.TCP);
  if (domain === AF.NETLINK) levels.push(SOL.NETLINK);
  return levels;
}

/** The rule of an option on such a socket; 'level': the level does not exist there, undefined: the option does not. */
export function optionRule(
  socket: { readonly domain: number; readonly kind: number; readonly protocol: number },
  level: number,
  name: number,
): OptionRule | 'level' | undefined {
  if (!levelsOf(socket.domain, socket.kind, socket.protocol).includes(level)) return 'level';
  return RULES.get(key(level, name));
}

/** sk_sndbuf and sk_rcvbuf are twice what was asked for, within these bounds. */
const BUFFER = { max: 212992, minSend: 4608, minReceive: 2304 } as const;

export class SocketOptions {
  private readonly values = new Map<string, Uint8Array>();

  /** For accepted sockets, which inherit the listener's options. */
  copyFrom(other: SocketOptions): void {
    for (const [name, value] of other.values) this.values.set(name, value);
  }

  set(level: number, name: number, value: Uint8Array): void {
    this.values.set(key(level, name), value);
  }
  setNumber(level: number, name: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    this.set(level, name, bytes);
  }
  raw(level: number, name: number): Uint8Array | undefined {
    return this.values.get(key(level, name));
  }

  number(level: number, name: number): number {
    const value = this.values.get(key(level, name));
    if (value === undefined || value.length === 0) return RULES.get(key(level, name))?.initial ?? 0;
    return value.length >= 4 ? new DataView(value.buffer, value.byteOffset).getInt32(0, true) : value[0];
  }
  has(level: number, name: number): boolean {
    return this.number(level, name) !== 0;
  }

  setBuffer(name: number, wanted: number): void {
    const least = name === SO.SNDBUF ? BUFFER.minSend : BUFFER.minReceive;
    this.setNumber(
      SOL.SOCKET,
      name,
      Math.max(least, 2 * Math.min(wanted < 0 ? BUFFER.max : wanted, BUFFER.max)),
    );
  }

  /** struct timeval as ns; undefined: none. */
  timeout(name: number): bigint | undefined {
    const value =
      this.values.get(key(SOL.SOCKET, name)) ??
      this.values.get(key(SOL.SOCKET, name === SO.RCVTIMEO ? SO.RCVTIMEO_NEW : SO.SNDTIMEO_NEW));
    if (value === undefined || value.length < 16) return undefined;
    const view = new DataView(value.buffer, value.byteOffset);
    const ns = view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true) * 1000n;
    return ns > 0n ? ns : undefined;
  }

  /** SO_LINGER's seconds; undefined: off. */
  get linger(): number | undefined {
    const value = this.values.get(key(SOL.SOCKET, SO.LINGER));
    if (value === undefined || value.length < 8) return undefined;
    const view = new DataView(value.buffer, value.byteOffset);
    return view.getInt32(0, true) === 0 ? undefined : view.getInt32(4, true);
  }
}
