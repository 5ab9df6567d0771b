// Text form of effects: `OPEN r /etc/passwd`, `ACCEPT tcp 0.0.0.0:80 <- 10.0.0.1:*`, `EXEC /bin/sh -c id`.
import { printable, unreachable } from '../bytes/index.ts';
import type { Effect, Resource } from './effect.ts';

/** One line for people; control characters are escaped. */
export function printEffect(effect: Effect<string>): string {
  const parts: string[] = [effect.op];
  if (effect.access !== '') parts.push(effect.access);
  const text = printResource(effect.resource);
  if (text !== '') parts.push(text);
  return parts.join(' ');
}

export function printResource(resource: Resource<string>): string {
  switch (resource.kind) {
    case 'none':
      return '';
    case 'file': {
      const path =
        resource.path === ''
          ? `(${resource.type === 'u' ? 'unnamed socket' : 'unnamed'})`
          : printable(resource.path);
      return resource.to === undefined ? path : `${path} -> ${printable(resource.to)}`;
    }
    case 'net':
      return resource.peer.address === '' && resource.peer.port === ''
        ? `${resource.protocol} ${endpoint(resource.local)}`
        : `${resource.protocol} ${endpoint(resource.local)} <-> ${endpoint(resource.peer)}`;
    case 'program':
      return [resource.path, ...resource.args]
        .map((arg) => (/[\s"]/.test(arg) || arg === '' ? JSON.stringify(arg) : printable(arg)))
        .join(' ');
    case 'task':
      return printable(resource.what);
    case 'id':
      return printable(resource.value);
    default:
      return unreachable(resource);
  }
}

function endpoint(end: { readonly address: string; readonly port: string }): string {
  return end.address.includes(':') ? `[${end.address}]:${end.port}` : `${end.address}:${end.port}`;
}

/** The same resource with every text mapped, for instance from text to pattern. */
export function mapResource<A, B>(resource: Resource<A>, map: (text: A) => B): Resource<B> {
  switch (resource.kind) {
    case 'none':
      return resource;
    case 'file': {
      const base = { kind: resource.kind, type: resource.type, path: map(resource.path) } as const;
      return resource.to === undefined ? base : { ...base, to: map(resource.to) };
    }
    case 'net':
      return {
        kind: 'net',
        protocol: resource.protocol,
        local: { address: map(resource.local.address), port: map(resource.local.port) },
        peer: { address: map(resource.peer.address), port: map(resource.peer.port) },
      };
    case 'program':
      return { kind: 'program', path: map(resource.path), args: resource.args.map(map) };
    case 'task':
      return { kind: 'task', what: map(resource.what) };
    case 'id':
      return { kind: 'id', value: map(resource.value) };
    default:
      return unreachable(resource);
  }
}

/** Every text of a resource, in a fixed order; two resources with the same `resourceShape` have as many. */
export function resourceTexts<T>(resource: Resource<T>): T[] {
  const out: T[] = [];
  mapResource(resource, (text) => out.push(text));
  return out;
}

/** What of a resource is not text: kinds, file type, protocol, number of arguments. */
export function resourceShape(resource: Resource<unknown>): string {
  switch (resource.kind) {
    case 'file':
      return `file ${resource.type}${resource.to === undefined ? '' : ' to'}`;
    case 'net':
      return `net ${resource.protocol}`;
    case 'program':
      return `program ${resource.args.length}`;
    default:
      return resource.kind;
  }
}
