// Pictures of effect graphs: Graphviz (WebAssembly build) lays them out.
import { Graphviz } from '@hpcc-js/wasm-graphviz';
import type { Policy } from '../policy/index.ts';
import { DOT_DEFAULTS, type DotOptions, policyToDot } from './dot.ts';

/** An SVG document of the policy's effect graph. */
export async function policyToSvg(policy: Policy, options: DotOptions = DOT_DEFAULTS): Promise<string> {
  const graphviz = await Graphviz.load();
  return graphviz.dot(policyToDot(policy, options), 'svg');
}
