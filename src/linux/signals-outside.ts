// Signals from the host: what `docker stop` and its like do to a container.
import { SI, SIG, SIGNAL_COUNT } from './abi-signal.ts';
import type { Kernel } from './kernel.ts';
import { sendSignal } from './signals.ts';

/** Sends a signal to a process of the container as its runtime would. False where there is no such process. */
export function sendFromOutside(kernel: Kernel, pid: number, signal: number): boolean {
  const process = kernel.processes.get(pid);
  if (process === undefined || process.exitStatus !== undefined) return false;
  sendSignal(kernel, process, signal, { code: SI.USER, pid: 0, uid: 0 }, { outside: true });
  return true;
}

/** The number of `SIGTERM`, `TERM` or `15`; undefined where there is no such signal. */
export function signalNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const value = Number(text);
    return value >= 1 && value <= SIGNAL_COUNT ? value : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RT(MIN\+|MAX-)(\d{1,2})$/.exec(name);
  if (realtime !== null) {
    const value = realtime[1] === 'MIN+' ? 34 + Number(realtime[2]) : 64 - Number(realtime[2]);
    return value >= 34 && value <= 64 ? value : undefined;
  }
  return (SIG as Readonly<Record<string, number>>)[name];
}
