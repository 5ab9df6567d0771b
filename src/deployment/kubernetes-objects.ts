// Config maps and secrets of a manifest: what workloads of the same file refer to by name.
import { type Fields, InputError, printable, unbase64 } from '../bytes/index.ts';
import { known, type Text, unknown } from './text.ts';

export type SourceKind = 'config map' | 'secret';

const KINDS: Readonly<Record<string, SourceKind>> = { ConfigMap: 'config map', Secret: 'secret' };

export type KeyedContent = ReadonlyMap<string, string | Uint8Array>;

export class Objects {
  private readonly byName = new Map<string, KeyedContent>();

  constructor(documents: readonly Fields[]) {
    for (const document of documents) {
      const kind = KINDS[document.field('kind').text()];
      if (kind === undefined) continue;
      const name = document.field('metadata').field('name').text();
      this.byName.set(`${kind} ${name}`, contentOf(document, kind));
    }
  }

  /** Undefined where the manifest doesn't hold the object. */
  find(kind: SourceKind, name: string): KeyedContent | undefined {
    return this.byName.get(`${kind} ${name}`);
  }

  /** The value of a key; undefined where the object is there and the key is not. */
  value(kind: SourceKind, name: string, key: string): Text | undefined {
    const content = this.find(kind, name);
    if (content === undefined) return unknown(`${kind} ${printable(name)}, key ${printable(key)}`);
    const value = content.get(key);
    if (value === undefined) return undefined;
    return known(typeof value === 'string' ? value : new TextDecoder().decode(value));
  }
}

function contentOf(document: Fields, kind: SourceKind): KeyedContent {
  const out = new Map<string, string | Uint8Array>();
  for (const [key, value] of document.field('data').entries())
    out.set(key, kind === 'secret' ? base64(value) : value.text());
  for (const [key, value] of document.field('stringData').entries()) out.set(key, value.text());
  for (const [key, value] of document.field('binaryData').entries()) out.set(key, base64(value));
  return out;
}

function base64(value: Fields): Uint8Array {
  const bytes = unbase64(value.text());
  if (bytes === undefined) throw new InputError('not base64', value.where, 'secrets in `data` are encoded');
  return bytes;
}
