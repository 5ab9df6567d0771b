// XSAVE, XSAVEC and XRSTOR (Intel SDM vol. 1, chapter 13) for x87, SSE and AVX state. The area:
//
//      0 legacy region as of FXSAVE    512 header: XSTATE_BV u64, XCOMP_BV u64, 48 bytes of zeros
//    576 upper halves of YMM, in the compacted format too
//
// x87 and SSE count as in use always, AVX where some upper half is not zero; the processor may know better.
import { toAddress } from './canonical.ts';
import { stateComponents, XSAVE_AVX, xsaveSize } from './cpuid.ts';
import { GuestFault } from './fault.ts';
import type { Helper, HelperEnvironment } from './helpers.ts';
import { LAYOUT, RegisterFile } from './registers.ts';
import type { PagedSpace } from './space.ts';
import { checkMxcsr } from './x87-environment.ts';
import { X87State } from './x87-state.ts';

const X87 = 1;
const SSE = 2;
const AVX = 4;
const COMPACTED = 1n << 63n;

/** What of the legacy region belongs to which component: from, to. */
const X87_PARTS = [
  [0, 24],
  [32, 160],
] as const;
const MXCSR_PART = [24, 32] as const;
const XMM_PART = [160, 416] as const;

function areaAt(address: bigint): number {
  if (address % 64n !== 0n) throw new GuestFault('general');
  return toAddress(address, 576);
}

function upperHalves(cpu: RegisterFile): Uint8Array {
  return new Uint8Array(cpu.buffer, cpu.offset + LAYOUT.ymmHigh, 256);
}

const xsave: Helper = (cpu, memory, at, requested, compacted, environment) => {
  const address = areaAt(at);
  const components = Number(requested & 7n) & stateComponents(environment.features);
  memory.checkWrite(address, xsaveSize(environment.features));
  const inUse = X87 | SSE | (cpu.ymmHigh.some((word) => word !== 0n) ? AVX : 0);
  const written = compacted === 1n ? components & inUse : components;
  const image = cpu.fxsave();
  const put = ([from, to]: readonly [number, number]): void =>
    memory.write(address + from, image.subarray(from, to));
  if (written & X87) for (const part of X87_PARTS) put(part);
  if (components & SSE || (components & AVX && compacted === 0n)) put(MXCSR_PART);
  if (written & SSE) put(XMM_PART);
  if (written & AVX) memory.write(address + XSAVE_AVX, upperHalves(cpu).slice());
  if (compacted === 1n) {
    memory.write64(address + 512, BigInt(written));
    memory.write64(address + 520, COMPACTED | BigInt(components));
  } else {
    const before = memory.read64(address + 512);
    memory.write64(address + 512, (before & ~BigInt(components)) | BigInt(components & inUse));
  }
  return 0n;
};

interface Area {
  readonly legacy: Uint8Array;
  /** Components that the area has; the others are to be as they are initially. */
  readonly present: number;
  readonly compacted: boolean;
}

/** Reads the area's head and checks what the processor checks. */
function readArea(memory: PagedSpace, address: number, environment: HelperEnvironment): Area {
  const legacy = memory.read(address, 576);
  const header = new DataView(legacy.buffer, legacy.byteOffset + 512, 64);
  const [present, format] = [header.getBigUint64(0, true), header.getBigUint64(8, true)];
  const known = BigInt(stateComponents(environment.features));
  const compacted = (format & COMPACTED) !== 0n;
  const reserved = legacy.subarray(512 + 16, 512 + (compacted ? 64 : 24)).some((byte) => byte !== 0);
  const allowed = compacted ? format & ~COMPACTED : known;
  const bad = (present & ~allowed) !== 0n || (allowed & ~known) !== 0n || (!compacted && format !== 0n);
  if (reserved || bad) throw new GuestFault('general');
  return { legacy, present: Number(present), compacted };
}

const xrstor: Helper = (cpu, memory, at, requested, _c, environment) => {
  const address = areaAt(at);
  const components = Number(requested & 7n) & stateComponents(environment.features);
  const { legacy, present, compacted } = readArea(memory, address, environment);
  const loaded = components & present;
  const upper = loaded & AVX ? memory.read(address + XSAVE_AVX, 256) : new Uint8Array(256);
  const control = new DataView(legacy.buffer, legacy.byteOffset + 24, 4).getUint32(0, true);
  const mxcsr = compacted ? loaded & SSE : components & (SSE | AVX);
  if (mxcsr) checkMxcsr(control);
  const image = cpu.fxsave();
  const initial = new RegisterFile().fxsave();
  const take = (component: number, [from, to]: readonly [number, number]): void => {
    if (components & component) image.set((loaded & component ? legacy : initial).subarray(from, to), from);
  };
  for (const part of X87_PARTS) take(X87, part);
  take(SSE, XMM_PART);
  if (mxcsr) image.set(legacy.subarray(24, 28), 24);
  else if (compacted && components & SSE) image.set(initial.subarray(24, 28), 24);
  cpu.fxrstor(image);
  new X87State(cpu).setControl(cpu.fcw);
  if (components & AVX) upperHalves(cpu).set(upper);
  return 0n;
};

export const xsaveHelpers: Readonly<Record<string, Helper>> = { xsave, xrstor };
