// Which policy is for which container: by image digest, else by image name, or as the user says.
import { normalizeImage } from '../deployment/index.ts';
import type { ContainerInfo } from '../telemetry/index.ts';
import type { CompiledPolicy } from './compiled.ts';

/** A user's word: this policy for containers of this name or id (a prefix of 12 digits or more is enough), or `*`. */
export interface Assignment {
  readonly container: string;
  /** Index of the policy. */
  readonly policy: number;
}

export type Binding =
  | { readonly kind: 'bound'; readonly policy: CompiledPolicy; readonly by: 'digest' | 'name' | 'option' }
  /** The image's name fits, its digest is another: it was changed since the policy was made. */
  | { readonly kind: 'other-image'; readonly policy: CompiledPolicy }
  /** The source does not know yet what this container is. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'none'; readonly why: string };

export function bind(
  info: ContainerInfo,
  policies: readonly CompiledPolicy[],
  assignments: readonly Assignment[],
): Binding {
  for (const { container, policy } of assignments) {
    if (container === '*' || container === info.name || sameId(container, info.id))
      return { kind: 'bound', policy: policies[policy], by: 'option' };
  }
  if (unknown(info.image) && unknown(info.imageId)) return { kind: 'incomplete' };
  const digests = [info.imageId, digestOf(info.image)].filter((digest) => !unknown(digest));
  const same = policies.filter(({ policy: { image } }) =>
    digests.some((digest) =>
      [image.configDigest, image.manifestDigest].some((other) => sameDigest(digest, other)),
    ),
  );
  if (same.length > 0) return { kind: 'bound', policy: deployedAs(info, same), by: 'digest' };
  const name = normalizeImage(info.image);
  const named = policies.filter(({ policy: { image } }) =>
    image.names.some((other) => normalizeImage(other) === name),
  );
  const policy = named.length === 0 ? undefined : deployedAs(info, named);
  if (policy === undefined) return { kind: 'none', why: 'no policy is for this image' };
  const known =
    policy.policy.image.configDigest !== '' && digests.some((digest) => hexOf(digest).length === 64);
  return known ? { kind: 'other-image', policy } : { kind: 'bound', policy, by: 'name' };
}

/** Of policies for one image: the one of this container's deployment, else one of the image alone. */
function deployedAs(info: ContainerInfo, policies: readonly CompiledPolicy[]): CompiledPolicy {
  return (
    policies.find(
      ({ policy: { deployment } }) => deployment !== undefined && isNamed(info.name, deployment.container),
    ) ??
    policies.find(({ policy: { deployment } }) => deployment === undefined) ??
    policies[0]
  );
}

/** Names as runtimes make them: `k8s_CONTAINER_POD_…`, `PROJECT-CONTAINER-1`, `PROJECT_CONTAINER_1`, the name alone. */
function isNamed(name: string, container: string): boolean {
  if (name === container) return true;
  if (name.startsWith('k8s_')) return name.split('_')[1] === container;
  return new RegExp(`(?:^|[-_])${container.replace(/[^\w-]/g, '\\$&')}[-_]\\d+$`).test(name);
}

const unknown = (text: string): boolean =>
  text === '' || text === '<NA>' || /^incomplete$/i.test(text) || /^0+$/.test(text);

const hexOf = (digest: string): string => digest.replace(/^sha256:/, '').toLowerCase();

/** `name@sha256:…`, or `sha256:…` in a name's place (with or without a tag). */
const digestOf = (image: string): string =>
  /(?:^|@)(sha256:[0-9a-f]{64})(?::[^/]*)?$/i.exec(image)?.[1] ?? '';

/** Equal, or one is the other shortened to twelve digits or more. */
export function sameDigest(a: string, b: string): boolean {
  const [x, y] = [hexOf(a), hexOf(b)];
  if (!/^[0-9a-f]{12,64}$/.test(x) || !/^[0-9a-f]{12,64}$/.test(y)) return false;
  return x.startsWith(y) || y.startsWith(x);
}

function sameId(a: string, b: string): boolean {
  return a === b || (a.length >= 12 && b.length >= 12 && (a.startsWith(b) || b.startsWith(a)));
}

/** The same without its tag. */
export function repositoryOf(image: string): string {
  const name = normalizeImage(image);
  return name.slice(0, name.lastIndexOf(':'));
}
