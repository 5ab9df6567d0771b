// Other policies while the monitor runs. What is the same goes on undisturbed; containers whose policy is another, or
// that have one now, are watched as if the monitor came just then: their processes may be anywhere in the automata of
// their programs. What waits for its order under a policy that is gone is let go.
import type { Amendment } from '../policy/index.ts';
import { bind } from './binding.ts';
import { CompiledPolicy } from './compiled.ts';
import type { Core } from './core.ts';
import type { NamedPolicy } from './monitor.ts';
import type { Origins } from './origins.ts';
import { isRuntime, isUnnamed } from './runtime.ts';
import type { Container, Process } from './tables.ts';

/** How many policies are new, or other than before. */
export function reload(
  core: Core,
  origins: Origins,
  policies: readonly NamedPolicy[],
  amendments: readonly Amendment[],
): number {
  let changed = 0;
  core.policies = policies.map(({ name, policy }) => {
    const before = core.policies.find((each) => each.name === name);
    if (before !== undefined && JSON.stringify(before.policy) === JSON.stringify(policy)) return before;
    changed++;
    return new CompiledPolicy(policy, name);
  });
  core.allowed.reload(amendments, core.policies);
  const affected = new Set<Container>();
  for (const container of core.containers.values()) {
    const { info } = container;
    if (container.open || info === undefined) continue;
    const binding = bind(info, core.policies, core.assignments);
    const policy = binding.kind === 'bound' || binding.kind === 'other-image' ? binding.policy : undefined;
    if (policy === container.policy) continue;
    container.policy = policy;
    container.view = undefined;
    container.whyNot = binding.kind === 'none' ? binding.why : '';
    affected.add(container);
    core.see(container);
  }
  for (const process of core.processes.all())
    if (process.container !== undefined && affected.has(process.container)) again(core, origins, process);
  return changed;
}

function again(core: Core, origins: Origins, process: Process): void {
  const last = process.segments.at(-1);
  for (const segment of process.segments) if (segment.kind === 'watched') segment.stale = true;
  for (const task of new Set([process.main, ...process.tasks.values(), ...process.alive])) {
    task.set = undefined;
    task.openLetters.length = task.openUntil.length = task.openCount = 0;
    task.open = -1;
    task.openFirst = Number.POSITIVE_INFINITY;
    task.servedSince = Number.POSITIVE_INFINITY;
  }
  process.alive.clear();
  process.history.clear();
  process.spawned.process.clear();
  process.spawned.thread.clear();
  process.segments = [];
  if (process.container?.policy === undefined || process.exited !== undefined) return;
  const { exe, args } = process;
  // A process that nothing explained stays what it was found to be.
  if (last?.kind === 'foreign') process.segments = [last];
  else if (last?.kind === 'prelude' || isRuntime(exe, args) || isUnnamed(exe))
    process.segments = [{ since: Number.NEGATIVE_INFINITY, kind: 'prelude' }];
  else origins.midLife(process, core.now, exe, args);
}
