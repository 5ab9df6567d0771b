// Processor exceptions of guest code become signals (arch/x86/kernel/traps.c, mm/fault.c).
import type { EngineStop } from '../machine/index.ts';
import { BUS, FPE, ILL_ILLOPN, SEGV, SI, SIG, type SignalInfo, TRAP_BRKPT } from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import { forceSignal } from './signals.ts';
import { growStack } from './stack-growth.ts';
import type { Task } from './task.ts';

type Fault = Exclude<EngineStop, { readonly kind: 'syscall' | 'budget' | 'pause' }>;

export function raiseFault(kernel: Kernel, task: Task, stop: Fault): void {
  if (stop.kind === 'unsupported') {
    kernel.cutHere(task, {
      kind: 'instruction',
      what: `${stop.code} (${stop.text})`,
      consequence: 'the task gets SIGILL',
    });
    forceSignal(kernel, task, SIG.ILL, { code: ILL_ILLOPN, address: stop.address });
    return;
  }
  if (stop.fault === 'page' && growStack(task, stop.address)) return;
  if (stop.fault === 'memory') {
    kernel.cutHere(task, { kind: 'budget', what: 'guest memory', consequence: 'the process is killed' });
  }
  const [signal, info] = signalOf(task, stop);
  forceSignal(kernel, task, signal, info);
}

function signalOf(
  task: Task,
  stop: Exclude<Fault, { readonly kind: 'unsupported' }>,
): readonly [number, SignalInfo] {
  const { address } = stop;
  const { rip } = task.registers;
  switch (stop.fault) {
    case 'page':
      return [
        SIG.SEGV,
        { code: task.process.space.find(address) === undefined ? SEGV.MAPERR : SEGV.ACCERR, address },
      ];
    case 'bus':
      return [SIG.BUS, { code: BUS.ADRERR, address }];
    case 'align':
      return [SIG.BUS, { code: BUS.ADRALN, address }];
    case 'divide':
      return [SIG.FPE, { code: FPE.INTDIV, address: rip }];
    case 'float':
      return [SIG.FPE, { code: FPE.FLTINV, address: rip }];
    case 'illegal':
      return [SIG.ILL, { code: ILL_ILLOPN, address: rip }];
    case 'breakpoint':
      return [SIG.TRAP, { code: SI.KERNEL, address: rip }];
    case 'debug':
      return [SIG.TRAP, { code: TRAP_BRKPT, address: rip }];
    case 'overflow':
    case 'general':
      return [SIG.SEGV, { code: SI.KERNEL, address: 0 }];
    case 'memory':
      return [SIG.KILL, { code: SI.KERNEL }];
  }
}
