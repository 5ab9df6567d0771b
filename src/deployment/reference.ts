// Image references: which container of a deployment runs an image (distribution reference grammar; Docker's familiar
// names: `nginx` is `docker.io/library/nginx:latest`).

/** `docker.io/library/nginx:latest` for all the ways to write it. Digests are taken off. */
export function normalizeImage(image: string): string {
  let name = image.replace(/@sha256:[0-9a-f]+$/i, '').replace(/^docker-pullable:\/\//, '');
  const colon = name.lastIndexOf(':');
  let tag = 'latest';
  if (colon > name.lastIndexOf('/')) {
    tag = name.slice(colon + 1);
    name = name.slice(0, colon);
    // A collector that appends the tag to a name that has one already.
    if (name.endsWith(`:${tag}`)) name = name.slice(0, -tag.length - 1);
  }
  const parts = name.split('/');
  if (parts.length === 1 || !(/[.:]/.test(parts[0]) || parts[0] === 'localhost')) parts.unshift('docker.io');
  if (/^(?:index|registry-1)\.docker\.io$/.test(parts[0])) parts[0] = 'docker.io';
  if (parts[0] === 'docker.io' && parts.length === 2) parts.splice(1, 0, 'library');
  return `${parts.join('/')}:${tag}`;
}

/** Whether a container's reference means the image with these names and digests. A digest says it alone. */
export function matchesImage(
  reference: string,
  image: { readonly names: readonly string[]; readonly digests: readonly string[] },
): boolean {
  if (reference === '') return false;
  const digest = /@(sha256:[0-9a-f]+)$/i.exec(reference)?.[1];
  if (digest !== undefined) return image.digests.includes(digest.toLowerCase());
  const wanted = normalizeImage(reference);
  // tools that build without a registry name images `localhost/NAME`
  return image.names.some((name) =>
    [name, name.replace(/^localhost\//, '')].some((own) => normalizeImage(own) === wanted),
  );
}
