// Interfaces lo and eth0, and what tells of them: the SIOCGIF ioctls here, netlink in socket-netlink.ts.
import { encodeText } from '../bytes/index.ts';
import { AF, bytesOfIp, SIOC } from './abi-socket.ts';
import { E } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task.ts';
import type { SysResult } from './wait.ts';

export interface Interface {
  readonly index: number;
  readonly name: string;
  /** IFF bits. */
  readonly flags: number;
  readonly mtu: number;
  /** ARPHRD type. */
  readonly hardware: number;
  readonly mac: Uint8Array;
  readonly queueLength: number;
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly scope: number;
    readonly broadcast?: string;
  }[];
}

const IFF = {
  UP: 1,
  BROADCAST: 2,
  LOOPBACK: 8,
  RUNNING: 0x40,
  MULTICAST: 0x1000,
  LOWER_UP: 0x10000,
} as const;

/** lo and eth0, as a bridge network of a container runtime has them. */
export function interfacesOf(kernel: Kernel): readonly Interface[] {
  const { address } = kernel.environment;
  const octets = bytesOfIp(address);
  const broadcast = `${octets[0]}.${octets[1]}.255.255`;
  return [
    {
      index: 1,
      name: 'lo',
      flags: IFF.UP | IFF.LOOPBACK | IFF.RUNNING | IFF.LOWER_UP,
      mtu: 65536,
      hardware: 772,
      mac: new Uint8Array(6),
      queueLength: 1000,
      addresses: [
        { address: '127.0.0.1', prefix: 8, scope: 254 },
        { address: '::1', prefix: 128, scope: 254 },
      ],
    },
    {
      index: 2,
      name: 'eth0',
      flags: IFF.UP | IFF.BROADCAST | IFF.RUNNING | IFF.MULTICAST | IFF.LOWER_UP,
      mtu: 1500,
      hardware: 1,
      mac: Uint8Array.of(0x02, 0x42, ...octets),
      queueLength: 0,
      addresses: [{ address, prefix: 16, scope: 0, broadcast }],
    },
  ];
}

const IFREQ = 40;
const NAME = 16;

function ipv4Of(found: Interface) {
  return found.addresses.find(({ address }) => !address.includes(':'));
}

function sockaddr(ip: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  out[0] = AF.INET;
  out.set(ip, 4);
  return out;
}

const netmask = (prefix: number): Uint8Array =>
  Uint8Array.from({ length: 4 }, (_, i) => 0xff & (0xff00 >> Math.max(0, Math.min(8, prefix - 8 * i))));

/** struct ifconf: length and pointer to struct ifreq[]. */
function listInterfaces(kernel: Kernel, task: Task, argument: number): number {
  const { space } = task.process;
  const room = space.read32(argument);
  const buffer = Number(space.read64(argument + 8));
  const all = interfacesOf(kernel);
  if (buffer === 0) {
    space.write32(argument, all.length * IFREQ);
    return 0;
  }
  const shown = all.slice(0, Math.floor(room / IFREQ));
  shown.forEach((one, i) => {
    const entry = new Uint8Array(IFREQ);
    entry.set(encodeText(one.name));
    entry.set(sockaddr(bytesOfIp(ipv4Of(one)?.address ?? '0.0.0.0')), NAME);
    space.write(buffer + i * IFREQ, entry);
  });
  space.write32(argument, shown.length * IFREQ);
  return 0;
}

export function interfaceIoctl(kernel: Kernel, task: Task, request: number, argument: number): SysResult {
  const { space } = task.process;
  if (request === SIOC.GIFCONF) return listInterfaces(kernel, task, argument);
  if (request < 0x8900 || request > 0x89ff) return -E.NOTTY;
  const all = interfacesOf(kernel);
  if (request === SIOC.GIFNAME) {
    const found = all.find(({ index }) => index === space.read32(argument + NAME));
    if (found === undefined) return -E.NODEV;
    space.write(argument, encodeText(`${found.name}\0`));
    return 0;
  }
  const name = space.readCString(argument, NAME);
  const found = all.find((one) => name !== undefined && one.name === String.fromCharCode(...name));
  if (found === undefined) return -E.NODEV;
  const answer = answerOf(found, request);
  if (answer === undefined) {
    kernel.cutHere(task, {
      kind: 'syscall-option',
      what: `socket ioctl 0x${request.toString(16)}`,
      consequence: 'answers EOPNOTSUPP',
    });
    return -E.OPNOTSUPP;
  }
  if (typeof answer === 'number') return answer;
  space.write(argument + NAME, answer);
  return 0;
}

/** The union of struct ifreq that a request fills in; undefined: not supported. */
function answerOf(found: Interface, request: number): Uint8Array | number | undefined {
  const ipv4 = ipv4Of(found);
  const word = (value: number): Uint8Array => {
    const out = new Uint8Array(4);
    new DataView(out.buffer).setInt32(0, value, true);
    return out;
  };
  switch (request) {
    case SIOC.GIFFLAGS:
      return word(found.flags & 0xffff).subarray(0, 2);
    case SIOC.GIFADDR:
    case SIOC.GIFDSTADDR:
      return ipv4 === undefined ? -E.ADDRNOTAVAIL : sockaddr(bytesOfIp(ipv4.address));
    case SIOC.GIFBRDADDR:
      return sockaddr(bytesOfIp(ipv4?.broadcast ?? '0.0.0.0'));
    case SIOC.GIFNETMASK:
      return ipv4 === undefined ? -E.ADDRNOTAVAIL : sockaddr(netmask(ipv4.prefix));
    case SIOC.GIFMTU:
      return word(found.mtu);
    case SIOC.GIFMETRIC:
      return word(0);
    case SIOC.GIFINDEX:
      return word(found.index);
    case SIOC.GIFTXQLEN:
      return word(found.queueLength);
    case SIOC.GIFHWADDR: {
      const out = new Uint8Array(16);
      new DataView(out.buffer).setUint16(0, found.hardware, true);
      out.set(found.mac, 2);
      return out;
    }
    default:
      return undefined;
  }
}
