// Packets of a capture file: pcap (classic, either byte order) and pcapng, down to the segments of TCP and datagrams of
// UDP. What is cut off at the end of a file is left out, as of a capture that was killed; what is malformed before that
// is an InputError. Fragments of IP packets are counted, not put together.
import { InputError } from '../bytes/index.ts';

/** What one endpoint sent another. */
export interface Segment {
  readonly protocol: 'tcp' | 'udp';
  /** `address:port` */
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  /** Of TCP; 0 of UDP. */
  readonly sequence: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

export const TCP = { FIN: 1, SYN: 2, RST: 4, ACK: 16 } as const;

/** Longest packet that a capture may hold; capturing programs take 262,144 bytes at most. */
const MAX_PACKET = 1 << 20;
/** Link types (tcpdump.org/linktypes.html). */
const LINK = {
  NULL: 0,
  ETHERNET: 1,
  RAW_12: 12,
  RAW_14: 14,
  RAW: 101,
  LOOP: 108,
  SLL: 113,
  IPV4: 228,
  IPV6: 229,
  SLL2: 276,
} as const;
const KNOWN_LINKS = new Set<number>(Object.values(LINK));

export function isCapture(bytes: Uint8Array): boolean {
  return bytes.length >= 12 && (byteOrder(bytes) !== undefined || isNextGeneration(bytes));
}

const isNextGeneration = (bytes: Uint8Array): boolean => viewOf(bytes).getUint32(0) === 0x0a0d0d0a;
const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether a classic file is little-endian; undefined where it is none. */
function byteOrder(bytes: Uint8Array): boolean | undefined {
  const magic = viewOf(bytes).getUint32(0);
  if (magic === 0xa1b2c3d4 || magic === 0xa1b23c4d) return false;
  return magic === 0xd4c3b2a1 || magic === 0x4d3cb2a1 ? true : undefined;
}

/** The segments in the order of the file. `name` is the file's, for errors. */
export function* segmentsOf(bytes: Uint8Array, name: string): Iterable<Segment> {
  for (const { link, packet } of isNextGeneration(bytes)
    ? nextGeneration(bytes, name)
    : classic(bytes, name)) {
    const segment = segmentOf(link, packet);
    if (segment !== undefined) yield segment;
  }
}

interface Packet {
  readonly link: number;
  readonly packet: Uint8Array;
}

function* classic(bytes: Uint8Array, name: string): Iterable<Packet> {
  const view = viewOf(bytes);
  const little = byteOrder(bytes) === true;
  if (bytes.length < 24) throw new InputError('shorter than the header of a capture', name);
  const link = view.getUint32(20, little) & 0xffff;
  checkLink(link, name);
  for (let at = 24; at + 16 <= bytes.length; ) {
    const length = view.getUint32(at + 8, little);
    checkLength(length, name, at);
    if (at + 16 + length > bytes.length) return;
    yield { link, packet: bytes.subarray(at + 16, at + 16 + length) };
    at += 16 + length;
  }
}

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, SIMPLE: 3, ENHANCED: 6 } as const;

function* nextGeneration(bytes: Uint8Array, name: string): Iterable<Packet> {
  const view = viewOf(bytes);
  let little = true;
  let links: number[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const type = view.getUint32(at, little);
    if (view.getUint32(at) === BLOCK.SECTION) {
      const order = view.getUint32(at + 8);
      if (order !== 0x1a2b3c4d && order !== 0x4d3c2b1a)
        throw new InputError('a section without byte order', `${name} at offset ${at}`);
      little = order === 0x4d3c2b1a;
      links = [];
    }
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length % 4 !== 0 || length > MAX_PACKET + 4096)
      throw new InputError(`a block of ${length} bytes`, `${name} at offset ${at}`);
    if (at + length > bytes.length) return;
    const body = bytes.subarray(at + 8, at + length - 4);
    if (type === BLOCK.INTERFACE && body.length >= 8) {
      const link = view.getUint16(at + 8, little);
      checkLink(link, name);
      links.push(link);
    } else if (type === BLOCK.ENHANCED && body.length >= 20) {
      const link = links[view.getUint32(at + 8, little)];
      const captured = view.getUint32(at + 20, little);
      if (link === undefined || captured > body.length - 20)
        throw new InputError('a packet of no interface, or longer than its block', `${name} at offset ${at}`);
      yield { link, packet: body.subarray(20, 20 + captured) };
    } else if (type === BLOCK.SIMPLE && body.length >= 4 && links.length > 0) {
      const original = view.getUint32(at + 8, little);
      yield { link: links[0], packet: body.subarray(4, Math.min(body.length, 4 + original)) };
    }
    at += length;
  }
}

function checkLink(link: number, name: string): void {
  if (!KNOWN_LINKS.has(link))
    throw new InputError(
      `packets of link type ${link}`,
      name,
      'capture on an Ethernet, loopback or "any" interface',
    );
}

function checkLength(length: number, name: string, at: number): void {
  if (length > MAX_PACKET) throw new InputError(`a packet of ${length} bytes`, `${name} at offset ${at}`);
}

/** Undefined where the packet is no whole TCP segment or UDP datagram. */
function segmentOf(link: number, packet: Uint8Array): Segment | undefined {
  const start = networkStart(link, packet);
  if (start === undefined || start >= packet.length) return undefined;
  const version = packet[start] >> 4;
  if (version === 4) return ofIpv4(packet.subarray(start));
  return version === 6 ? ofIpv6(packet.subarray(start)) : undefined;
}

/** Where the IP header begins. */
function networkStart(link: number, packet: Uint8Array): number | undefined {
  switch (link) {
    case LINK.ETHERNET: {
      let at = 12;
      while (at + 2 <= packet.length && isVlan(u16(packet, at))) at += 4;
      const type = at + 2 <= packet.length ? u16(packet, at) : 0;
      return type === 0x0800 || type === 0x86dd ? at + 2 : undefined;
    }
    case LINK.SLL:
      return 16;
    case LINK.SLL2:
      return 20;
    case LINK.NULL:
    case LINK.LOOP:
      return 4;
    default:
      return 0;
  }
}

const isVlan = (type: number): boolean => type === 0x8100 || type === 0x88a8;
const u16 = (bytes: Uint8Array, at: number): number => bytes[at] * 256 + bytes[at + 1];
const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

function ofIpv4(packet: Uint8Array): Segment | undefined {
  const header = (packet[0] & 15) * 4;
  if (header < 20 || packet.length < header) return undefined;
  const total = u16(packet, 2);
  const isFragment = (u16(packet, 6) & 0x3fff) !== 0;
  // a length of 0 is left to the network card to fill in
  const end = total === 0 ? packet.length : total;
  if (isFragment || end < header || end > packet.length) return undefined;
  const address = (at: number): string => packet.subarray(at, at + 4).join('.');
  return ofTransport(packet[9], packet.subarray(header, end), address(12), address(16));
}

/** Headers between that of IPv6 and the payload, of the usual form. */
const EXTENSIONS = new Set([0, 43, 60]);

function ofIpv6(packet: Uint8Array): Segment | undefined {
  if (packet.length < 40) return undefined;
  const end = 40 + u16(packet, 4);
  if (end > packet.length) return undefined;
  const address = (at: number): string =>
    `[${Array.from({ length: 8 }, (_, i) => u16(packet, at + 2 * i).toString(16)).join(':')}]`;
  let next = packet[6];
  let at = 40;
  for (; EXTENSIONS.has(next) && at + 8 <= end; ) {
    next = packet[at];
    at += 8 + 8 * packet[at + 1];
  }
  return at > end ? undefined : ofTransport(next, packet.subarray(at, end), address(8), address(24));
}

function ofTransport(protocol: number, data: Uint8Array, from: string, to: string): Segment | undefined {
  if (data.length < 8) return undefined;
  const [fromPort, toPort] = [u16(data, 0), u16(data, 2)];
  const ends = { from: `${from}:${fromPort}`, to: `${to}:${toPort}`, fromPort, toPort };
  if (protocol === 17) {
    const length = u16(data, 4);
    if (length < 8 || length > data.length) return undefined;
    return { protocol: 'udp', ...ends, sequence: 0, flags: 0, bytes: data.subarray(8, length) };
  }
  if (protocol !== 6 || data.length < 20) return undefined;
  const header = (data[12] >> 4) * 4;
  if (header < 20 || header > data.length) return undefined;
  return { protocol: 'tcp', ...ends, sequence: u32(data, 4), flags: data[13], bytes: data.subarray(header) };
}
