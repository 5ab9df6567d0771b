// Image references: which container of a deployment runs an image (distribution reference grammar; Docker's familiar
// names: `nginx` is `docker.io/library/nginx:latest`).

interface Reference {
  readonly name: string;
  readonly tag: string;
  readonly digest: string;
}

function parseReference(text: string): Reference {
  const [rest, digest = ''] = text.split('@');
  const colon = rest.lastIndexOf(':');
  const tagged = colon > rest.lastIndexOf('/');
  const path = tagged ? rest.slice(0, colon) : rest;
  const tag = tagged ? rest.slice(colon + 1) : '';
  return { name: fullName(path), tag: tag === '' && digest === '' ? 'latest' : tag, digest };
}

function fullName(path: string): string {
  const [first, ...others] = path.split('/');
  const isHost = others.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  const host = isHost ? first.replace(/^(?:index|registry-1)\.docker\.io$/, 'docker.io') : 'docker.io';
  const rest = isHost ? others.join('/') : path;
  return host === 'docker.io' && !rest.includes('/') ? `${host}/library/${rest}` : `${host}/${rest}`;
}

/** Whether a container's reference means the image with these names and digests. */
export function matchesImage(
  reference: string,
  image: { readonly names: readonly string[]; readonly digests: readonly string[] },
): boolean {
  if (reference === '') return false;
  const wanted = parseReference(reference);
  if (wanted.digest !== '' && image.digests.includes(wanted.digest)) return true;
  return image.names.some((name) => {
    const own = parseReference(name);
    if (own.name !== wanted.name && localName(own.name) !== wanted.name) return false;
    return wanted.digest === '' || own.digest === '' ? own.tag === wanted.tag : own.digest === wanted.digest;
  });
}

/** Tools that build without a registry name images `localhost/NAME`. */
const localName = (name: string): string =>
  name.startsWith('localhost/') ? fullName(name.slice('localhost/'.length)) : name;
