// Small servers for tests of symbolic inputs: C programs around what one message does, and their models.
import type { TestContext } from 'node:test';
import { printEffect } from '../../src/effect/index.ts';
import {
  type ClientInput,
  DEFAULT_BUDGETS,
  ENVIRONMENTS,
  type Environment,
  type Launch,
  plainLaunch,
} from '../../src/explore/index.ts';
import { createMachine, type MountSpec } from '../../src/linux/index.ts';
import { modelImage } from '../../src/model/index.ts';
import type { Policy } from '../../src/policy/index.ts';
import { plainImage } from '../image/plain.ts';
import { addProgram, compile, hasTool, treeBuilder } from '../linux/guest.ts';

/** Reads one message of each connection; `body` has it as `buf` (a text, too) of `n` bytes, and `fd` to answer. */
export const server = (body: string): string => `
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <ctype.h>
#include <arpa/inet.h>
#include <sys/random.h>
#include <time.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
static void handle(char *buf, int n, int fd) { ${body} }
int main(void) {
  struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7000) };
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(s, (void *)&a, sizeof a) || listen(s, 5)) return 1;
  for (;;) {
    static char buf[4096];
    int fd = accept(s, 0, 0);
    int n = read(fd, buf, sizeof buf - 1);
    if (n > 0) { buf[n] = 0; handle(buf, n, fd); }
    close(fd);
  }
}
`;

const SPEC = { path: '/program', argv: ['/program'], env: [], cwd: '/', user: '' } as const;

export interface Modelled {
  readonly policy: Policy;
  /** Printed, each once, in order. */
  readonly effects: readonly string[];
  /** Those with provenance `explored`. */
  readonly explored: readonly string[];
}

export interface ModelledOptions {
  /** Runs of the search. */
  readonly runs: number;
  readonly directories?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** Runs a whole program instead of a body. */
  readonly program?: string;
  readonly flags?: readonly string[];
  readonly inputs?: readonly ClientInput[];
  /** Environments that are compared; with one alone, patterns come from expressions only. */
  readonly environments?: number;
  readonly mounts?: readonly MountSpec[];
  /** Variables whose values nobody knows; each environment has another text in the place of `?`. */
  readonly unknown?: readonly string[];
}

function launched(environment: Environment, { mounts = [], unknown = [] }: ModelledOptions): Launch {
  const value = `${environment.token}-unknown`;
  const env = unknown.map((entry) => entry.replace('?', value));
  return {
    ...plainLaunch({ ...SPEC, env }, environment),
    mounts,
    unknown: unknown.length === 0 ? [] : [value],
  };
}

/** The model of a server; undefined, and the test skipped, without a compiler. */
export function modelled(t: TestContext, body: string, options: ModelledOptions): Modelled | undefined {
  if (!hasTool('gcc')) {
    t.skip('needs gcc');
    return undefined;
  }
  const builder = treeBuilder();
  const { runs, directories = [], files = {}, flags = ['-O2', '-static'] } = options;
  addProgram(builder, compile(options.program ?? server(body), { flags }), '/program');
  for (const path of directories) builder.addDir(path);
  for (const [path, text] of Object.entries(files)) builder.addFile(path, new TextEncoder().encode(text));
  const { policy } = modelImage(plainImage(builder.build(), { entrypoint: ['/program'] }), {
    launches: ENVIRONMENTS.slice(0, options.environments ?? 2).map((environment) =>
      launched(environment, options),
    ),
    budgets: DEFAULT_BUDGETS,
    probes: true,
    symbolic: runs,
    inputs: options.inputs,
    stopSignal: 15,
    record: {},
    version: 'test',
    machine: createMachine({ engine: 'fast' }),
  });
  const edges = policy.automata.flatMap((automaton) => automaton.edges);
  const printed = (of: typeof edges): readonly string[] =>
    [...new Set(of.flatMap(({ effect }) => (effect === undefined ? [] : [printEffect(effect)])))].sort();
  return {
    policy,
    effects: printed(edges),
    explored: printed(edges.filter(({ provenance }) => provenance === 'explored')),
  };
}
