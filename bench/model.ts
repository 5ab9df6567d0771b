// How long the example image takes from archive to policy.
import { join } from 'node:path';
import { buildEchoImage } from '../examples/echo/image.ts';
import { plainContainer } from '../src/deployment/index.ts';
import { DEFAULT_BUDGETS, ENVIRONMENTS, launchOf } from '../src/explore/index.ts';
import { openImage } from '../src/image/index.ts';
import { createMachine } from '../src/linux/index.ts';
import { modelImage } from '../src/model/index.ts';
import type { BenchRow } from './sysflow.ts';

/** Model time of examples/echo under one environment and under all of them, and instructions/s over all of it. */
export async function benchModel(scratch: string): Promise<BenchRow[]> {
  const built = await buildEchoImage(join(scratch, 'echo'));
  const rows: BenchRow[] = [];
  for (const count of [1, ENVIRONMENTS.length]) {
    const image = await openImage(built.path);
    const started = process.hrtime.bigint();
    const { policy } = modelImage(image, {
      launches: ENVIRONMENTS.slice(0, count).map((environment) =>
        launchOf(image, plainContainer('echo', ''), environment),
      ),
      budgets: DEFAULT_BUDGETS,
      probes: true,
      stopSignal: 15,
      record: {},
      version: 'bench',
      machine: createMachine({ engine: 'fast' }),
    });
    image.close();
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    rows.push({ name: `echo image to policy, ${count} environment(s)`, value: seconds, unit: 's' });
    rows.push({
      name: '  instructions of it',
      value: policy.coverage.instructions / seconds,
      unit: 'instructions/s',
    });
  }
  return rows;
}
