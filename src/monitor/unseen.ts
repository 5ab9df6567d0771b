// What a source has no record for.
import type { Op } from '../effect/index.ts';
import type { SourceTraits } from '../telemetry/index.ts';
import type { CompiledEdge } from './compiled.ts';
import type { Links } from './links.ts';
import { isStdio, spaceOf } from './match-file.ts';
import { isIpv6, isUnspecified } from './match-net.ts';

/** Operations at a flow's end: sources of flows lose some (descriptors closed by exec, by dup2, by another thread). */
const endings: ReadonlySet<Op> = new Set(['CLOSE', 'SHUTDOWN']);

/** Whether an edge may be taken without a record of it. */
export function unseen(edge: CompiledEdge, traits: SourceTraits, links: Links): boolean {
  const { effect, policy } = edge;
  if (effect === undefined) return true;
  if (!traits.ops.has(effect.op)) return true;
  if (policy.syscall !== undefined && policy.syscall !== '' && traits.syscalls?.has(policy.syscall) === false)
    return true;
  const fails = (policy.errors?.length ?? 0) > 0 || policy.succeeds === false;
  if (fails && !traits.failures && edge.target < 0) return true;
  const { resource } = effect;
  if (
    resource.kind === 'net' &&
    !traits.ipv6 &&
    (isIpv6(resource.local.address) || isIpv6(resource.peer.address))
  )
    return true;
  if (!traits.failures && isHosts(edge)) return true;
  if (!traits.flows) return false;
  return endings.has(effect.op) || unreliable(edge, links);
}

/** Files that the host provides, not the image: another host may not have them, and then the attempt fails. */
function isHosts({ effect }: CompiledEdge): boolean {
  return effect?.resource.kind === 'file' && /^\/(proc|sys)\//.test(effect.resource.path);
}

/** What sources of flows report only sometimes, or never: what is not the task's own, and what has no path and no IP. */
function unreliable({ effect }: CompiledEdge, links: Links): boolean {
  if (effect?.resource.kind === 'net') {
    // Connecting a datagram socket sends nothing; libraries do it to ask for a route, on sockets of either family.
    if (effect.op === 'CONNECT' && effect.resource.protocol === 'udp') return true;
    // A socket without a peer (one that listens, one whose association is dissolved) has no flow.
    const { peer } = effect.resource;
    return (
      (peer.port === '0' || peer.port === '') && (effect.op !== 'CONNECT' || isUnspecified(peer.address))
    );
  }
  if (effect?.resource.kind !== 'file') return false;
  const { type, path } = effect.resource;
  // Anonymous inodes, netlink sockets.
  if (type !== 'u' && type !== 'p' && !path.startsWith('/')) return true;
  // A log that is a link to standard output is written to under either name.
  return isStdio(spaceOf(type), path) || (effect.op !== 'OPEN' && isStdio(spaceOf(type), links.follow(path)));
}
