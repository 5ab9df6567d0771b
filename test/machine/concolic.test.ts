// The concolic engine beside the reference: the same output in as many instructions; and what it says of inputs is true
// of the inputs that there are: conditions of branches, and expressions of what the program writes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Expressions } from '../../src/expr/index.ts';
import { createKernel, type Kernel, type Machine } from '../../src/linux/index.ts';
import {
  type Constraint,
  createConcolicEngine,
  createFastEngine,
  createMemory,
  createReferenceEngine,
  PagedSpace,
  Shadows,
} from '../../src/machine/index.ts';
import { addProgram, compile, environment, hasTool, treeBuilder } from '../linux/guest.ts';

const PROGRAM = `
#include <emmintrin.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
typedef uint64_t u64; typedef uint32_t u32; typedef uint16_t u16; typedef uint8_t u8;
static u64 out[4096]; static int n;
static void put(u64 v) { if (n < 4096) out[n++] = v; }
#define ALL(T, S, tag) static __attribute__((noinline)) void tag(T a, T b) { \\
  put((T)(a + b)); put((T)(a - b)); put((T)(a * b)); put((T)((S)a / 7)); put((T)(a / 5)); put((T)(a % 11)); \\
  if (b) { put((T)(a / b)); put((T)(a % b)); put((T)((S)a % ((S)b == -1 ? 3 : (S)b))); } \\
  put((T)(a & b)); put((T)(a | b)); put((T)(a ^ b)); put((T)~a); put((T)-a); \\
  put((T)(a << 3)); put((T)(a >> 2)); put((T)((S)a >> 3)); put((T)(a << (b & 7))); put((T)((S)a >> (b & 7))); \\
  put(a < b); put(a <= b); put((S)a < (S)b); put((S)a <= (S)b); put(a == b); put((S)(a - b) < 0); \\
  put(a > b ? a : b); put((S)a > (S)b ? a : (T)(b + 1)); put((T)(a << 5 | a >> (8 * sizeof a - 5))); \\
  T sum; put(__builtin_add_overflow((S)a, (S)b, (S *)&sum)); put(sum); put(__builtin_mul_overflow(a, b, &sum)); put(sum); }
ALL(u8, int8_t, ops8) ALL(u16, int16_t, ops16) ALL(u32, int32_t, ops32) ALL(u64, int64_t, ops64)
static __attribute__((noinline)) void wide(u64 a, u64 b) {
  unsigned __int128 p = (unsigned __int128)a * b + a; put(p); put(p >> 64); p -= (unsigned __int128)b << 64 | 77; put(p); put(p >> 64);
  __int128 q = (__int128)(int64_t)a * (int64_t)b; put(q >> 64); put(p >> (b & 31)); put(p << (b & 31));
  put(__builtin_bswap64(a)); put(__builtin_bswap32(b)); put(__builtin_popcountll(a)); put(__builtin_parity((u8)a));
  put(a ? __builtin_ctzll(a & 0xff) : 9); put(b ? __builtin_clzll(b | 1) : 9);
  u8 high = a >> 8; put(high * 3); put((u16)a + high);
  u64 x = a; for (int i = 0; i < 10; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; } put(x);
  u32 crc = ~0u; for (int i = 0; i < 8; i++) { crc ^= (u8)(b >> 8 * i); for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320 & -(crc & 1)); } put(crc);
}
static __attribute__((noinline)) void vectors(const u8 *p) {
  __m128i a = _mm_loadu_si128((void *)p), b = _mm_loadu_si128((void *)(p + 17)), r[40]; int k = 0;
  r[k++] = _mm_add_epi8(a, b); r[k++] = _mm_sub_epi16(a, b); r[k++] = _mm_add_epi32(a, b); r[k++] = _mm_sub_epi64(a, b);
  r[k++] = _mm_adds_epu8(a, b); r[k++] = _mm_subs_epu16(a, b); r[k++] = _mm_min_epu8(a, b); r[k++] = _mm_max_epi16(a, b);
  r[k++] = _mm_cmpeq_epi8(a, b); r[k++] = _mm_cmpgt_epi8(a, b); r[k++] = _mm_cmpgt_epi32(a, b); r[k++] = _mm_avg_epu8(a, b);
  r[k++] = _mm_unpacklo_epi8(a, b); r[k++] = _mm_unpackhi_epi16(a, b); r[k++] = _mm_unpacklo_epi64(a, b); r[k++] = _mm_packus_epi16(a, b);
  r[k++] = _mm_packs_epi32(a, b); r[k++] = _mm_shuffle_epi32(a, 0x1b); r[k++] = _mm_shufflelo_epi16(a, 0x72); r[k++] = _mm_shufflehi_epi16(b, 0x39);
  r[k++] = _mm_slli_si128(a, 3); r[k++] = _mm_srli_si128(b, 5); r[k++] = _mm_slli_epi16(a, 3); r[k++] = _mm_srai_epi32(b, 7); r[k++] = _mm_srl_epi64(a, _mm_cvtsi32_si128(p[3] & 31));
  r[k++] = _mm_mullo_epi16(a, b); r[k++] = _mm_mulhi_epi16(a, b); r[k++] = _mm_mul_epu32(a, b); r[k++] = _mm_and_si128(a, b); r[k++] = _mm_andnot_si128(a, b);
  r[k++] = _mm_sad_epu8(a, b); r[k++] = _mm_castpd_si128(_mm_shuffle_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(b), 1));
  put(_mm_movemask_epi8(a)); put(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b))); put(_mm_cvtsi128_si64(b)); put(_mm_extract_epi16(a, 5));
  for (int i = 0; i < k; i++) { u64 w[2]; memcpy(w, &r[i], 16); put(w[0]); put(w[1]); }
}
static int order(const void *a, const void *b) { return *(u8 *)a - *(u8 *)b; }
static __attribute__((noinline)) void strings(const char *p) {
  char a[80], b[80]; memcpy(a, p, 64); a[64] = 0; memcpy(b, p + 20, 30); b[30] = 0;
  put(strlen(a)); put(strcmp(a, b)); put(strncmp(a, "abcd", 3)); put(strcasecmp(a, b)); put(memcmp(a, p, 64)); put(memcmp(a, b, 20));
  put(strchr(a, 'k') - a); put(strrchr(a, 'e') - a); put((char *)memchr(a, 'q', 64) - a); put(strcspn(a, "xyz")); put(strspn(a, "abcdefg")); put(strstr(a, "no") - a);
  put(atoi(a + 40)); put(strtoul(b + 5, 0, 16));
  for (int i = 0; i < 20; i++) b[i] = a[i] >= 'a' && a[i] <= 'z' ? a[i] - 32 : a[i];
  qsort(b, 16, 1, order); for (int i = 0; i < 4; i++) { u64 w; memcpy(&w, b + 8 * i, 8); put(w); }
  static const u16 table[16] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 }; put(table[a[3] & 15]); put(table[(a[4] >> 2) & 15] * table[a[5] & 7]);
  switch (a[6] & 15) { case 1: put(11); break; case 4: put(44); break; case 7: put(77); break; case 9: put(99); break; case 12: put(12); break; default: put(0); }
  char text[64]; snprintf(text, sizeof text, "%d %x %s", a[7], p[8], b + 2); for (int i = 0; i < 4; i++) { u64 w; memcpy(&w, text + 8 * i, 8); put(w); }
  __asm__ volatile("lock xaddl %0, %1" : "+r"(((u32 *)b)[0]), "+m"(((u32 *)b)[1])); put(((u64 *)b)[0]);
}
int main(void) {
  char buf[128] = { 0 }; int fd = open("/input", O_RDONLY); read(fd, buf, 64);
  u64 a, b; memcpy(&a, buf, 8); memcpy(&b, buf + 11, 8);
  ops8(a, b); ops16(a, b); ops32(a, b); ops64(a, b); wide(a, b); vectors((u8 *)buf); strings(buf);
  write(1, out, 8 * n); return 0;
}
`;

const INPUT = Uint8Array.from(
  'abcdefgh-ijklmno 99 zyx\x80\xff\0\x01 cafe Qq no 1234 end.\n'.padEnd(64, '#'),
  (c) => c.charCodeAt(0),
);

interface Ran {
  readonly output: string;
  readonly executed: number;
  readonly stop: string;
}

/** `read`: told of what the program reads; `written`: of what it writes. */
function run(
  path: string,
  machine: Machine,
  input: Uint8Array,
  hooks: {
    read?: (space: PagedSpace, at: number, size: number) => void;
    written?: (space: PagedSpace, at: number, size: number) => void;
  } = {},
): Ran {
  let output = '';
  const spaceOf = (space: unknown): PagedSpace => {
    assert.ok(space instanceof PagedSpace);
    return space;
  };
  const kernel: Kernel = createKernel({
    environment,
    machine,
    tree: addProgram(treeBuilder(), path, '/program').addFile('/input', input).build(),
    hooks: {
      onEffect() {},
      onCut() {},
      onOutput: (_stream, bytes) => {
        output += Buffer.from(bytes).toString('hex');
      },
      onSyscallEntry: (task, row, args) => {
        if (row.name === 'write')
          hooks.written?.(spaceOf(task.process.space), Number(args[1]), Number(args[2]));
      },
      onSyscall: (task, row, args, result) => {
        if (row.name === 'read' && result === 64)
          hooks.read?.(spaceOf(task.process.space), Number(args[1]), 64);
      },
    },
  });
  kernel.spawnInit({ path: '/program', argv: ['/program'], env: [], cwd: '/', user: '' } as never);
  const stop = kernel.run({ maxInstructions: 100_000_000 });
  return { output, executed: machine.engine.executed, stop: JSON.stringify(stop) };
}

for (const [how, flags] of [
  ['optimized', ['-O2', '-static']],
  ['plain', ['-O0', '-static']],
] as const)
  test(`values are those of the reference, and expressions say what they are: ${how}`, (t: TestContext) => {
    if (!hasTool('gcc')) return t.skip('needs gcc');
    const path = compile(PROGRAM, { flags: [...flags, '-w'] });
    for (const input of [INPUT, INPUT.map((byte, i) => (byte * 37 + i * 11) & 0xff), new Uint8Array(64)]) {
      const plain = run(path, { engine: createReferenceEngine(), memory: createMemory() }, input);
      assert.ok(plain.output.length > 3000, `${plain.output.length} ${plain.stop}`);
      for (const fast of [createFastEngine(), createReferenceEngine()]) {
        const x = new Expressions();
        const memory = createMemory();
        memory.pool.shadows = new Shadows();
        const engine = createConcolicEngine({ fast });
        const constraints: Constraint[] = [];
        const losses = new Map<string, number>();
        engine.begin(x, {
          onConstraint: (constraint) => constraints.push(constraint),
          byVariable: () => undefined,
          onLoss: (what) => losses.set(what, (losses.get(what) ?? 0) + 1),
        });
        const value = { get: (variable: number): bigint => BigInt(input[variable]) };
        let compared = 0;
        const ran = run(path, { engine, memory }, input, {
          read: (space, at, size) =>
            space.setShadow(
              at,
              Int32Array.from({ length: size }, (_, i) => x.variable(8, `b${i}`)),
            ),
          written: (space, at, size) => {
            const bytes = space.read(at, size);
            space.shadow(at, size)?.forEach((e, i) => {
              if (e === 0) return;
              compared++;
              assert.equal(x.evaluate(e, value), BigInt(bytes[i]), `byte ${i} of the output: ${x.text(e)}`);
            });
          },
        });
        assert.deepEqual(ran, plain);
        assert.ok(compared > 1000, `${compared} bytes of the output depend on the input`);
        assert.ok(constraints.length > 50, `${constraints.length} decisions`);
        for (const { expression, value: seen, at, kind } of constraints)
          assert.equal(
            x.evaluate(expression, value),
            seen,
            `${kind} at 0x${at.toString(16)}: ${x.text(expression)}`,
          );
        assert.ok(engine.stepped < engine.executed, 'the fast engine runs what depends on no input');
        assert.deepEqual([...losses.keys()].sort(), LOST, 'what has no expression is known');
      }
    }
  });

/** Operations of these programs that lose shadows. */
const LOST = ['i64x2.sad_u8'];
