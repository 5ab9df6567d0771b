// Which values may differ between two runs because the environment decides them: task ids, ports that the kernel
// chose, names made at run time, times. Everything else that differs is a difference.
import { type Effect, type Endpoint, resourceShape, resourceTexts } from '../effect/index.ts';
import type { Happening } from './runs.ts';

/** A run's own values of the environment. */
export interface Values {
  /** In decimal and in hexadecimal, every process and thread. */
  readonly taskIds: ReadonlySet<string>;
}

/** Ids as the run's programs see them: their own is told by who made them; the first process is 1. */
export function valuesOf(happenings: Iterable<Happening>): Values {
  const taskIds = new Set(['1']);
  for (const { effect, result } of happenings)
    if (effect.op === 'CLONE' && result > 0) taskIds.add(String(result)).add(result.toString(16));
  return { taskIds };
}

/**
 * An effect as it is compared: an address of a socket that is bound or connected to nothing is 0.0.0.0:0, whatever
 * its source writes, IPv4 in IPv6 is IPv4, and who connects to the unspecified address gets to the loopback one.
 */
export function comparable(effect: Effect): Effect {
  const { op, resource } = effect;
  if (resource.kind !== 'net') return effect;
  // The own address is chosen in connect: a source that looks before does not have it.
  const local = op === 'CONNECT' ? NOWHERE : plainEnd(resource.local);
  const peer = plainEnd(resource.peer);
  return { ...effect, resource: { ...resource, local, peer: loopbackFor(peer) } };
}

const NOWHERE: Endpoint = { address: '0.0.0.0', port: '0' };
const unspecified: readonly string[] = ['', '0.0.0.0', '::'];

function plainEnd({ address, port }: Endpoint): Endpoint {
  if (unspecified.includes(address) && (port === '' || port === '0')) return NOWHERE;
  return { address: address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, ''), port };
}

function loopbackFor(peer: Endpoint): Endpoint {
  if (peer === NOWHERE || !unspecified.includes(peer.address)) return peer;
  return { ...peer, address: peer.address === '::' ? '::1' : '127.0.0.1' };
}

/** Whether two effects are one but for values of the environment. Equal effects are. */
export function sameButForValues(a: Effect, b: Effect, valuesA: Values, valuesB: Values): boolean {
  if (a.op !== b.op || a.access !== b.access) return false;
  if (shapeOf(a) !== shapeOf(b)) return false;
  const [x, y] = [resourceTexts(a.resource), resourceTexts(b.resource)];
  const differ = x.flatMap((text, i) => (text === y[i] ? [] : [i]));
  if (differ.length === 0) return true;
  if (a.resource.kind === 'net' && b.resource.kind === 'net') {
    // texts are local address and port, peer's address and port
    // Whom a datagram is from is known only where the program asks for it; the kernel knows it always.
    const silent = a.op === 'READ' && a.resource.peer.port === '0';
    return differ.every((i) => (silent && i >= 2) || (i % 2 === 1 && kernelChose(x[i]) && kernelChose(y[i])));
  }
  if (a.resource.kind !== 'file' && a.resource.kind !== 'program') return false;
  return differ.every((i) => sameText(x[i], y[i], valuesA, valuesB));
}

/** A source may not know of what type a file is. */
const shapeOf = ({ resource }: Effect): string =>
  resourceShape(resource.kind === 'file' ? { ...resource, type: '?' } : resource);

/** A path with its directory's links followed; what the last name is stays. */
export type Resolve = (path: string) => string;

/** The effect on the same file by its own name. Made links' texts stay as they are. */
export function resolved(effect: Effect, resolve: Resolve): Effect {
  const { op, resource } = effect;
  if (resource.kind !== 'file') return effect;
  const path = resolve(resource.path);
  const to = resource.to === undefined || op === 'SYMLINK' ? resource.to : resolve(resource.to);
  return { ...effect, resource: to === undefined ? { ...resource, path } : { ...resource, path, to } };
}

/** In Linux's ip_local_port_range, or asked for: nothing that a service is configured to listen on. */
const kernelChose = (port: string): boolean =>
  port === '0' || (Number(port) >= 32_768 && Number(port) <= 60_999);

/** A unix socket's name where it asked for any (unix_autobind). */
const unixKernelChose = (path: string): boolean => /^@[0-9a-f]{5}$/.test(path);

function sameText(a: string, b: string, valuesA: Values, valuesB: Values): boolean {
  if (unixKernelChose(a) && unixKernelChose(b)) return true;
  const [x, y] = [a, b].map((text) => text.split(/([0-9A-Za-z_]+)/));
  if (x.length !== y.length) return false;
  return x.every((word, i) => word === y[i] || (i % 2 === 1 && sameWord(word, y[i], valuesA, valuesB)));
}

function sameWord(a: string, b: string, valuesA: Values, valuesB: Values): boolean {
  if (valuesA.taskIds.has(a) && valuesB.taskIds.has(b)) return true;
  if (isNumber(a) && isNumber(b)) return a.length >= 6 && b.length >= 6;
  if (
    a.length === b.length &&
    a.length >= 6 &&
    (looksMade(a) ? mayBeMade(b, a) : looksMade(b) && mayBeMade(a, b))
  )
    return true;
  return withIds(a, valuesA) === withIds(b, valuesB);
}

/** A word with its numbers that are task ids taken out, `worker12` or `12abc`. */
const withIds = (word: string, { taskIds }: Values): string =>
  word.replace(/\d+/g, (digits) => (taskIds.has(digits) ? '#' : digits));

/** Times, inodes, random numbers: long enough that no version or size is meant. */
const isNumber = (word: string): boolean => /^\d+$/.test(word);

/** Mixed case, or letters with digits, as templates of temporary names give. */
const looksMade = (word: string): boolean =>
  (/\d/.test(word) && /[A-Za-z]/.test(word)) || (/[a-z]/.test(word) && /[A-Z]/.test(word.slice(1)));

/**
 * Beside one that is made: chance may give letters of one case only, small ones where the other has a digit in the middle
 * (a number at the end is a version or an index).
 */
const mayBeMade = (word: string, beside: string): boolean =>
  looksMade(word) || /^[A-Z]+$/.test(word) || (/^[a-z]+$/.test(word) && /^[a-z]*\d\w*[a-z]/.test(beside));
