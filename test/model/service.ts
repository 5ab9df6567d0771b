// Services of tests: a C program alone in an image, and the effects of its model as text.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plainContainer } from '../../src/deployment/index.ts';
import { printEffect } from '../../src/effect/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../../src/explore/index.ts';
import { type Image, treeBuilder } from '../../src/image/index.ts';
import { createMachine } from '../../src/linux/index.ts';
import { modelImage } from '../../src/model/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import { plainImage } from '../image/plain.ts';

export interface SourceOptions {
  /** Contents by path, of files that the image has beside it. */
  readonly files?: { readonly [path: string]: string };
  /** Libraries to link with: `-lcrypt`. */
  readonly libraries?: readonly string[];
}

/** The model of an image that has this program, statically linked, as its entrypoint. */
export function policyOfSource(source: string, { files = {}, libraries = [] }: SourceOptions = {}): Policy {
  const folder = mkdtempSync(join(tmpdir(), 'effigy-service-'));
  try {
    const binary = join(folder, 'service');
    writeFileSync(`${binary}.c`, source);
    execFileSync('gcc', ['-O1', '-static', '-w', '-pthread', '-o', binary, `${binary}.c`, ...libraries]);
    const builder = treeBuilder().addFile('/service', readFileSync(binary), { mode: 0o755 });
    for (const [path, text] of Object.entries(files))
      builder.addFile(path, new TextEncoder().encode(text), { mode: 0o644 });
    const tree = builder.build();
    return policyOfImage(plainImage(tree, { entrypoint: ['/service'] }, ['service']));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The model of an image as it is. */
export const policyOfImage = (image: Image): Policy =>
  modelImage(image, {
    launches: ENVIRONMENTS.map((environment) => launchOf(image, plainContainer('', ''), environment)),
    budgets: DEFAULT_BUDGETS,
    probes: true,
    stopSignal: 15,
    record: {},
    version: 'test',
    machine: createMachine({ engine: 'fast' }),
  }).policy;

export const effectsOf = ({ automata }: Policy): ReadonlySet<string> =>
  new Set(
    automata.flatMap(({ edges }) => edges.flatMap(({ effect }) => (effect ? [printEffect(effect)] : []))),
  );
