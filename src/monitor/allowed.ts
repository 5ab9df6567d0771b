// Amendments at work: which of them covers what would be a finding, and how often each did.
import type { Effect } from '../effect/index.ts';
import { type Allowance, type Amendment, covers, endOf, type Policy } from '../policy/index.ts';
import { repositoryOf } from './binding.ts';
import type { FindingKind } from './finding.ts';

/** An amendment and what became of it. */
export interface AmendmentUse {
  readonly amendment: Amendment;
  /** Name of the policy that has it; '' for one that was given to the monitor. */
  readonly policy: string;
  /** Would-be findings that it covered. */
  readonly covered: number;
  /** Findings that it would have covered, had it not expired. */
  readonly expired: number;
}

/** What an amendment must allow at least, for findings of a kind. */
const needs: Readonly<Record<FindingKind, Allowance>> = {
  'foreign-program': 'effect',
  'foreign-effect': 'effect',
  'wrong-resource': 'effect',
  'identity-change': 'effect',
  'unknown-task': 'effect',
  'wrong-phase': 'phase',
  'out-of-order': 'order',
};

export const allowanceFor = (kind: FindingKind): Allowance => needs[kind];

interface Row extends AmendmentUse {
  covered: number;
  expired: number;
  /** Epoch ms. */
  readonly end: number;
  readonly only: Policy | undefined;
}

/** What would be found. */
export interface Candidate {
  readonly kind: FindingKind;
  readonly effect: Effect;
  readonly image: string;
  readonly policy: Policy | undefined;
  /** Who did it, or made what did it. */
  readonly programs: readonly string[];
  readonly automata: readonly string[];
  /** Epoch ns. */
  readonly time: bigint;
}

const keyOf = ({ policy, amendment }: Row): string => JSON.stringify([policy, amendment]);

type Policies = readonly { readonly name: string; readonly policy: Policy }[];

function rowsOf(amendments: readonly Amendment[], policies: Policies): Row[] {
  const row = (amendment: Amendment, policy: string, only: Policy | undefined): Row => ({
    amendment,
    policy,
    only,
    covered: 0,
    expired: 0,
    end: endOf(amendment),
  });
  return [
    ...amendments.map((amendment) => row(amendment, '', undefined)),
    ...policies.flatMap(({ name, policy }) =>
      (policy.amendments ?? []).map((amendment) => row(amendment, name, policy)),
    ),
  ];
}

export class Allowed {
  private rows: Row[];

  constructor(amendments: readonly Amendment[], policies: Policies) {
    this.rows = rowsOf(amendments, policies);
  }

  /** Others than before; of those that stay, so do the counts. */
  reload(amendments: readonly Amendment[], policies: Policies): void {
    const { state } = this;
    this.rows = rowsOf(amendments, policies);
    this.restore(state);
  }

  /** What a snapshot has of it: counts by amendment. */
  get state(): readonly { readonly key: string; readonly covered: number; readonly expired: number }[] {
    return this.rows.map((row) => ({ key: keyOf(row), covered: row.covered, expired: row.expired }));
  }

  /** Of amendments that are no more, nothing is taken over. */
  restore(state: Allowed['state']): void {
    for (const row of this.rows) {
      const before = state.find(({ key }) => key === keyOf(row));
      row.covered = before?.covered ?? 0;
      row.expired = before?.expired ?? 0;
    }
  }

  get uses(): readonly AmendmentUse[] {
    return this.rows.map(({ amendment, policy, covered, expired }) => ({
      amendment,
      policy,
      covered,
      expired,
    }));
  }

  /** Whether an amendment covers it; counted where one does. */
  take({ kind, effect, image, policy, programs, automata, time }: Candidate): boolean {
    if (this.rows.length === 0) return false;
    const repository = repositoryOf(image);
    for (const row of this.rows) {
      if (row.only !== undefined && row.only !== policy) continue;
      // A policy's own are for its image already, whatever the container calls it.
      const whose = row.only === undefined ? repository : undefined;
      const found = programs.some((program) =>
        covers(row.amendment, { image: whose, program, automata, needs: needs[kind], effect }),
      );
      if (!found) continue;
      if (Number(time / 1_000_000n) < row.end) {
        row.covered++;
        return true;
      }
      row.expired++;
    }
    return false;
  }
}
