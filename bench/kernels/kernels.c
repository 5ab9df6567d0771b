// Small programs to measure an engine with: kernels NAME ITERATIONS prints a checksum.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char text[65536];
static uint32_t table[256];

static void fill(void) {
  uint32_t x = 12345;
  for (size_t i = 0; i < sizeof text; i++) {
    x = x * 1103515245 + 12345;
    text[i] = (x >> 16) % 7 == 0 ? ' ' : 'a' + (x >> 20) % 26;
  }
  text[sizeof text - 1] = 0;
}

static uint64_t fnv(void) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < sizeof text; i++) h = (h ^ text[i]) * 0x100000001b3;
  return h;
}

static uint64_t mix(void) {
  uint64_t a = 1, b = 2, c = 3;
  for (int i = 0; i < 20000; i++) {
    a -= c; a ^= (c << 4) | (c >> 60); c += b;
    b -= a; b ^= (a << 6) | (a >> 58); a += c;
    c -= b; c ^= (b << 8) | (b >> 56); b += a;
  }
  return a ^ b ^ c;
}

__attribute__((noinline)) static size_t length(const unsigned char *s) {
  const unsigned char *p = s;
  while (*p) p++;
  return (size_t)(p - s);
}

static uint64_t words(void) {
  uint64_t n = 0;
  int inside = 0;
  for (const unsigned char *p = text; *p; p++) {
    int space = *p == ' ' || *p == '\n' || *p == '\t';
    if (!space && !inside) n++;
    inside = !space;
  }
  return n;
}

static void makeTable(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
}

static uint64_t crc(void) {
  uint32_t c = ~0u;
  for (size_t i = 0; i < sizeof text; i++) c = table[(c ^ text[i]) & 255] ^ (c >> 8);
  return c;
}

__attribute__((noinline)) static uint64_t fib(int n) { return n < 2 ? (uint64_t)n : fib(n - 1) + fib(n - 2); }

static int order(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return a < b ? -1 : a > b;
}

static uint64_t sort(void) {
  static uint32_t values[4096];
  uint32_t x = 1;
  for (int i = 0; i < 4096; i++) values[i] = x = x * 1664525 + 1013904223;
  for (int gap = 2048; gap > 0; gap /= 2)
    for (int i = gap; i < 4096; i++) {
      uint32_t v = values[i];
      int k = i;
      for (; k >= gap && order(&values[k - gap], &v) > 0; k -= gap) values[k] = values[k - gap];
      values[k] = v;
    }
  return values[1000];
}

enum { PUSH, ADD, SUB, JNZ, DUP, POP, HALT };

static uint64_t vm(void) {
  // sum of the numbers below 3000
  static const int code[] = {PUSH, 0, PUSH, 3000, DUP, 2, ADD, DUP, 1, PUSH, 1, SUB, DUP, 0, JNZ, 4, POP, HALT};
  int64_t stack[16];
  int sp = 0;
  uint64_t sum = 0;
  for (int pc = 0;;) {
    switch (code[pc++]) {
      case PUSH: stack[sp++] = code[pc++]; break;
      case ADD: sum += (uint64_t)stack[--sp]; break;
      case SUB: sp--; stack[sp - 1] -= stack[sp]; if (sp > 2) { stack[1] = stack[sp - 1]; sp = 2; } break;
      case DUP: { int at = code[pc++]; stack[sp] = stack[at == 0 || at == 2 ? 1 : 1]; sp++; break; }
      case JNZ: if (stack[--sp]) pc = code[pc]; else pc++; break;
      case POP: sp--; break;
      default: return sum;
    }
  }
}

static uint32_t rotl(uint32_t x, int n) { return (x << n) | (x >> (32 - n)); }

static uint64_t sha1(void) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (size_t at = 0; at + 64 <= sizeof text; at += 64) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++) {
      uint32_t v;
      memcpy(&v, text + at + 4 * i, 4);
      w[i] = __builtin_bswap32(v);
    }
    for (int i = 16; i < 80; i++) w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f, k;
      if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
      else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
      else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
      else f = b ^ c ^ d, k = 0xca62c1d6;
      uint32_t t = rotl(a, 5) + f + e + k + w[i];
      e = d; d = c; c = rotl(b, 30); b = a; a = t;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
  }
  return h[0];
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  long n = atol(argv[2]);
  const char *name = argv[1];
  uint64_t sum = 0;
  fill();
  makeTable();
  for (long i = 0; i < n; i++) {
    text[i & 1023] ^= 1;
    if (!strcmp(name, "fnv")) sum += fnv();
    else if (!strcmp(name, "mix")) sum += mix();
    else if (!strcmp(name, "strlen")) sum += length(text);
    else if (!strcmp(name, "words")) sum += words();
    else if (!strcmp(name, "crc")) sum += crc();
    else if (!strcmp(name, "fib")) sum += fib(20);
    else if (!strcmp(name, "sort")) sum += sort();
    else if (!strcmp(name, "vm")) sum += vm();
    else if (!strcmp(name, "sha")) sum += sha1();
    else return 2;
  }
  printf("%s %016llx\n", name, (unsigned long long)sum);
  return 0;
}
