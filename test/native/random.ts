// Seeded random values for instruction instances: mostly edges, since that is where instructions differ.

export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0 || 1;
  }

  /** 32 random bits (mulberry32). */
  bits(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit: number): number {
    return this.bits() % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  wide(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }

  /** 64 bits: zero, one, all ones, around powers of two and sign bits, or noise. */
  value(): bigint {
    switch (this.below(8)) {
      case 0:
        return BigInt(this.below(3));
      case 1:
        return BigInt.asUintN(64, -BigInt(this.below(3)));
      case 2:
        return BigInt.asUintN(64, (1n << BigInt(this.below(64))) + BigInt(this.below(3) - 1));
      case 3:
        return BigInt.asUintN(
          64,
          this.pick([0x7fn, 0x80n, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 1n << 63n, (1n << 63n) - 1n]),
        );
      case 4:
        return BigInt(this.below(256));
      default:
        return this.wide();
    }
  }
}

/** Seed of this run: EFFIGY_SEED, or always the same. */
export function runSeed(): number {
  return Number(process.env['EFFIGY_SEED'] ?? 20260);
}

/** Instances for each form: EFFIGY_DIFF, or `quick`. */
export function instancesPerForm(quick: number): number {
  return Number(process.env['EFFIGY_DIFF'] ?? quick);
}
