// What all formats say alike: rules by kind of finding, lines of text, identities, levels.
import { encodeText, printable } from '../bytes/index.ts';
import { sha256 } from '../host/index.ts';
import {
  type Finding,
  type FindingKind,
  type ProcessRef,
  repositoryOf,
  type Severity,
} from '../monitor/index.ts';
import { wellFormed } from './json-text.ts';

export interface RuleText {
  readonly title: string;
  readonly description: string;
}

/** Each kind of finding as a rule. */
export const RULES: Readonly<Record<FindingKind, RuleText>> = {
  'foreign-program': {
    title: 'Foreign program',
    description: "A program was executed that the image's services never execute there.",
  },
  'foreign-effect': {
    title: 'Foreign effect',
    description: 'An operation that this program never performs.',
  },
  'wrong-resource': {
    title: 'Wrong resource',
    description: 'An operation that this program performs, but never on this file, address or program.',
  },
  'out-of-order': {
    title: 'Out of order',
    description: 'An effect that this program has, at a point where it cannot come.',
  },
  'wrong-phase': {
    title: 'Wrong phase',
    description: 'An effect of the start of the service, after the start was over.',
  },
  'identity-change': {
    title: 'Identity change',
    description: 'A change to a user or group that this program never changes to.',
  },
  'unknown-task': {
    title: 'Unknown task',
    description: 'A process or thread that nothing in the policy explains.',
  },
};

/** `OPEN r /etc/passwd`. */
export const effectText = ({ effect: { op, access, resource } }: Finding): string =>
  wellFormed([op, access, resource].filter((part) => part !== '').join(' '), 1024);

/** One sentence for people, without control characters. */
export function headline(finding: Finding): string {
  const { container, exe, why } = finding;
  const where = container.name === '' ? container.id : container.name;
  const text = `${RULES[finding.kind].title}: ${exe} in ${where}: ${effectText(finding)}; ${why}`;
  return wellFormed(printable(text), 2048);
}

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const directoryName = (path: string): string => {
  const at = path.lastIndexOf('/');
  return at === 0 ? '/' : path.slice(0, Math.max(0, at));
};

export const commandLine = ({ exe, args }: ProcessRef): string => (args === '' ? exe : `${exe} ${args}`);

/** `2020-09-13T12:26:40.300000000Z`, with so many digits of the second's fraction. */
export function isoTime(ns: bigint, digits = 9): string {
  const seconds = Number(ns / 1_000_000_000n);
  const whole = new Date(seconds * 1000);
  const text = Number.isNaN(whole.getTime()) ? '1970-01-01T00:00:00' : whole.toISOString().slice(0, 19);
  return `${text}.${String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, digits)}Z`;
}

export const milliseconds = (ns: bigint): number => Number(ns / 1_000_000n);

/** Image without tag, and tag; '' where there is none. */
export function imageParts(image: string): { readonly repository: string; readonly tag: string } {
  const plain = image.replace(/@sha256:.*$/, '');
  const at = plain.lastIndexOf(':');
  if (at <= plain.lastIndexOf('/')) return { repository: plain, tag: '' };
  return { repository: plain.slice(0, at), tag: plain.slice(at + 1) };
}

/** The same for the same deviation in any run, container and version of the image: 32 hexadecimal digits. */
export function fingerprint({ kind, container, exe, target, effect, automata }: Finding): string {
  const on =
    target.kind === 'net'
      ? `${target.protocol} ${stable(target.local)} ${stable(target.peer)}`
      : effect.resource;
  const parts = [kind, repositoryOf(container.image), exe, automata.join(), effect.op, effect.access, on];
  return sha256(encodeText(parts.join('\0'))).slice(0, 32);
}

/** Ports that kernels choose are left out. */
const stable = ({ address, port }: { readonly address: string; readonly port: string }): string =>
  Number(port) >= 32_768 ? address : `${address}:${port}`;

/** A process across machines and reuse of its pid. */
export const entityId = ({ container }: Finding, { pid, created }: ProcessRef): string =>
  sha256(encodeText(`${container.id}\0${pid}\0${created}`)).slice(0, 32);

/** Technique and sub-technique as most formats want them. */
export interface AttackParts {
  readonly technique: { readonly id: string; readonly name: string };
  readonly sub: { readonly id: string; readonly name: string } | undefined;
}

export function attackParts({ technique }: Finding): AttackParts | undefined {
  if (technique === undefined) return undefined;
  const { id, name } = technique;
  const at = name.indexOf(': ');
  if (!id.includes('.')) return { technique: { id, name }, sub: undefined };
  return {
    technique: { id: id.slice(0, id.indexOf('.')), name: at < 0 ? name : name.slice(0, at) },
    sub: { id, name: at < 0 ? name : name.slice(at + 2) },
  };
}

export type BySeverity<T> = Readonly<Record<Severity, T>>;

/** Ends of a connection as who began it: `source` is the client. Undefined for other resources. */
export interface Connection {
  readonly protocol: string;
  readonly source: { readonly address: string; readonly port: string };
  readonly destination: { readonly address: string; readonly port: string };
  readonly direction: 'ingress' | 'egress';
}

export function connectionOf({ target, effect }: Finding): Connection | undefined {
  if (target.kind !== 'net') return undefined;
  const { protocol, local, peer } = target;
  const outwards =
    effect.op === 'CONNECT' ||
    (!['ACCEPT', 'BIND', 'LISTEN'].includes(effect.op) && Number(local.port) > Number(peer.port));
  return outwards
    ? { protocol, source: local, destination: peer, direction: 'egress' }
    : { protocol, source: peer, destination: local, direction: 'ingress' };
}
