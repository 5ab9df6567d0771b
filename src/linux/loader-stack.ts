// The stack that a new program finds (System V x86-64 psABI 3.4.1; create_elf_tables in fs/binfmt_elf.c), from the top:
//
//   8 zero bytes | program name (AT_EXECFN) | environment strings | argument strings | "x86_64" | 16 random bytes
//   | padding to 16 | auxiliary vector | 0 | environment pointers | 0 | argument pointers | argc   <- rsp
import { encodeText } from '../bytes/index.ts';
import { type AddressSpace, PAGE_SIZE, PROT } from '../machine/index.ts';

/** a_type */
export const AT = {
  NULL: 0,
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  PLATFORM: 15,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  HWCAP2: 26,
  EXECFN: 31,
} as const;

/** CPUID 1 EDX of the x86-64 baseline: nothing beyond SSE2. */
export const BASELINE_HWCAP = 0x078b_fbffn;

export interface StackRequest {
  readonly space: AddressSpace;
  /** End of the stack, exclusive. */
  readonly top: number;
  /** Bytes to map; grows on demand beyond. */
  readonly size: number;
  readonly executable: boolean;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly execfn: string;
  /** 16 bytes for AT_RANDOM. */
  readonly random: Uint8Array;
  /** Entries beside EXECFN, RANDOM, PLATFORM. */
  readonly auxv: readonly (readonly [number, bigint])[];
}

export interface BuiltStack {
  readonly sp: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
  readonly auxv: number;
  readonly auxvLength: number;
}

/** Maps and fills the stack. Argument sizes must have been checked. */
export function buildStack(request: StackRequest): BuiltStack {
  const { space, top } = request;
  const start = top - Math.ceil(request.size / PAGE_SIZE) * PAGE_SIZE;
  const prot = PROT.READ | PROT.WRITE | (request.executable ? PROT.EXEC : 0);
  space.map({ address: start, length: top - start, prot, name: '[stack]' });
  let at = top - 8;
  const put = (bytes: Uint8Array): number => {
    at -= bytes.length;
    space.write(at, bytes);
    return at;
  };
  const execfn = put(withNul(request.execfn));
  const environment = putAll(request.envp, put);
  const args = putAll(request.argv, put);
  const envEnd = execfn;
  const envStart = environment.start ?? envEnd;
  const argStart = args.start ?? envStart;
  const platform = put(withNul('x86_64'));
  at -= at % 16;
  const random = put(request.random);
  at -= at % 16;
  const auxv = [
    ...request.auxv,
    [AT.RANDOM, BigInt(random)],
    [AT.EXECFN, BigInt(execfn)],
    [AT.PLATFORM, BigInt(platform)],
    [AT.NULL, 0n],
  ] as const;
  const words = [
    BigInt(args.addresses.length),
    ...args.addresses,
    0n,
    ...environment.addresses,
    0n,
    ...auxv.flatMap(([type, value]) => [BigInt(type), value]),
  ];
  const sp = Math.floor((at - words.length * 8) / 16) * 16;
  space.write(sp, new Uint8Array(BigUint64Array.from(words).buffer));
  const auxvLength = auxv.length * 16;
  return {
    sp,
    argStart,
    argEnd: envStart,
    envStart,
    envEnd,
    auxv: sp + words.length * 8 - auxvLength,
    auxvLength,
  };
}

function withNul(text: string): Uint8Array {
  const bytes = encodeText(text);
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}

/** Writes texts so that the first lies lowest; their addresses in order. */
function putAll(
  texts: readonly string[],
  put: (bytes: Uint8Array) => number,
): { readonly addresses: bigint[]; readonly start: number | undefined } {
  const addresses: bigint[] = [];
  for (let i = texts.length - 1; i >= 0; i--) addresses.unshift(BigInt(put(withNul(texts[i]))));
  return { addresses, start: addresses.length === 0 ? undefined : Number(addresses[0]) };
}
