// Which of a policy's network patterns an observed connection matches. Addresses that mean "any of mine" and ports that
// the kernel chose are no facts about the program, so they match whatever was observed.
import type { Endpoint, Pattern, Protocol, Resource } from '../effect/index.ts';
import { literal } from '../effect/index.ts';
import { type TextTest, textTest } from './text-test.ts';

type Net<T> = Extract<Resource<T>, { kind: 'net' }>;

interface Row {
  readonly id: number;
  readonly protocol: Protocol;
  /** Undefined: anything. */
  readonly localAddress: TextTest | undefined;
  readonly localPort: TextTest | undefined;
  readonly peerAddress: TextTest | undefined;
  readonly peerPort: TextTest | undefined;
}

const unspecified: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);
/** Classes that every address is in, and every port. */
const anyAddress: ReadonlySet<string> = new Set(['*', '**']);
const anyPort: ReadonlySet<string> = new Set(['*', '**', '[0-9]+', '[0-9a-f]+', '[0-9A-Za-z]+']);
const loopback: readonly string[] = ['127.0.0.1', '::1'];
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** IPv4 in IPv6 as IPv4: a dual-stack socket's peers are reported as either. */
export const plainAddress = (address: string): string =>
  address.startsWith('::') ? (mapped.exec(address)?.[1] ?? address) : address;

/** Whether the text names no address: any, or none. */
export const isUnspecified = (address: string): boolean => unspecified.has(address);

/** Whether the text can only be an IPv6 address that is not IPv4 in IPv6. */
export const isIpv6 = (address: string): boolean => address.includes(':') && !/^::ffff:/i.test(address);

/** Linux's default net.ipv4.ip_local_port_range. */
const ephemeral = { first: 32768, last: 60999 } as const;

export class NetMatcher {
  private readonly rows: Row[] = [];
  private portTests: readonly TextTest[] | undefined;
  private addressTests: readonly TextTest[] | undefined;
  /** Of the last `match`. */
  readonly found: number[] = [];

  /** `bound`: the local port was asked for (accepted, listening or bound sockets), not chosen by the kernel. */
  add(id: number, { protocol, local, peer }: Net<Pattern>, bound: boolean): void {
    this.portTests = this.addressTests = undefined;
    this.rows.push({
      id,
      protocol,
      localAddress: addressTest(local.address, true),
      localPort: portTest(local.port, !bound),
      peerAddress: addressTest(peer.address, false),
      peerPort: portTest(peer.port, false),
    });
  }

  /** What the rows' tests say of a port, of an address, as text: equal where no row makes a difference. */
  portKind(port: string): string {
    return this.testsOfPorts.map((test) => Number(test.test(port))).join('');
  }

  /** Ports that rows name; any two others are of one kind. Undefined: some row has a pattern of ports. */
  get namedPorts(): readonly string[] | undefined {
    const named = this.testsOfPorts.flatMap(({ literal }) => (literal === undefined ? [] : [literal]));
    return named.length < this.testsOfPorts.length ? undefined : named;
  }

  private get testsOfPorts(): readonly TextTest[] {
    this.portTests ??= distinct(this.rows.flatMap(({ localPort, peerPort }) => [localPort, peerPort]));
    return this.portTests;
  }

  addressKind(address: string): string {
    this.addressTests ??= distinct(
      this.rows.flatMap(({ localAddress, peerAddress }) => [localAddress, peerAddress]),
    );
    return this.addressTests.map((test) => Number(addressFits(test, address))).join('');
  }

  /** How many rows match; their ids are the first of `found`, in order of addition. `either`: the source may have our side and the peer swapped. */
  match({ protocol, local, peer }: Net<string>, either: boolean): number {
    let count = 0;
    for (const row of this.rows) {
      if (row.protocol !== protocol) continue;
      if (fits(row, local, peer) || (either && fits(row, peer, local))) this.found[count++] = row.id;
    }
    return count;
  }
}

/** Each test once. Tests of a pattern and of what it means where it is no address are told apart by what they do. */
function distinct(tests: readonly (TextTest | undefined)[]): TextTest[] {
  const out = new Map<string, TextTest>();
  for (const test of tests)
    if (test !== undefined) out.set(`${test.pattern} ${test.test('127.0.0.1')} ${test.test('')}`, test);
  return [...out.values()];
}

function addressFits(test: TextTest | undefined, address: string): boolean {
  if (test === undefined || test.test(address)) return true;
  const plain = plainAddress(address);
  return plain !== address ? test.test(plain) : !plain.includes(':') && test.test(`::ffff:${plain}`);
}

function fits(row: Row, local: Endpoint, peer: Endpoint): boolean {
  if (!endFits(row.localPort, row.localAddress, local)) return false;
  if (endFits(row.peerPort, row.peerAddress, peer)) return true;
  // Who connects to the unspecified address gets to this machine; sources tell the one or the other.
  if (!unspecified.has(peer.address)) return false;
  return loopback.some((address) => endFits(row.peerPort, row.peerAddress, { address, port: peer.port }));
}

function endFits(port: TextTest | undefined, address: TextTest | undefined, end: Endpoint): boolean {
  if (port === undefined && address === undefined) return true;
  // A source that knows neither address nor port says nothing.
  if ((end.port === '0' || end.port === '') && unspecified.has(end.address)) return true;
  if (port !== undefined && !port.test(end.port)) return false;
  return addressFits(address, end.address);
}

function addressTest(pattern: Pattern, anyWhenUnspecified: boolean): TextTest | undefined {
  const test = textTest(pattern);
  if (test.literal === undefined) return anyAddress.has(pattern) ? undefined : test;
  if (anyWhenUnspecified && unspecified.has(test.literal)) return undefined;
  if (unspecified.has(test.literal))
    return { ...test, test: (text) => unspecified.has(text) || loopback.includes(text) };
  return textTest(literal(plainAddress(test.literal)));
}

function portTest(pattern: Pattern, kernelMayChoose: boolean): TextTest | undefined {
  const test = textTest(pattern);
  if (test.literal === undefined) return anyPort.has(pattern) ? undefined : test;
  if (!kernelMayChoose) return test;
  const port = Number(test.literal);
  return port === 0 || (port >= ephemeral.first && port <= ephemeral.last) ? undefined : test;
}
