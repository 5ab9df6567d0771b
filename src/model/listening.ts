// Where clients can come: what every boot listens at.
import type { Explorer } from '../explore/index.ts';
import type { Listener } from '../linux/index.ts';

export interface Listening {
  /** In what every boot has at the same index, which is how scenarios name it. */
  readonly index: number;
  readonly stream: boolean;
  /** The earlier listener on the same port, of another address: IPv6 beside IPv4. What it serves is tried there. */
  readonly twinOf: number | undefined;
  /** A unix socket: for neighbours in the container. */
  readonly isInner: boolean;
}

/** What clients outside reach, and what only neighbours do; all are the former where nothing else listens. */
export function reachedFirst(
  listeners: readonly Listening[],
): readonly [outer: readonly Listening[], inner: readonly Listening[]] {
  const outer = listeners.filter(({ isInner }) => !isInner);
  return outer.length === 0 ? [listeners, []] : [outer, listeners.filter(({ isInner }) => isInner)];
}

/** Scenarios name listeners by index: what every boot has at the same one. */
export function listeningOf(explorers: readonly Explorer[]): Listening[] {
  const { listeners } = explorers[0].boot;
  return listeners.flatMap((listener, index): Listening[] =>
    explorers.every(({ boot }) => boot.listeners[index]?.protocol === listener.protocol)
      ? [
          {
            index,
            stream: listener.stream,
            twinOf: twinOf(listeners, index),
            isInner: listener.protocol === 'unix',
          },
        ]
      : [],
  );
}

function twinOf(listeners: readonly Listener[], index: number): number | undefined {
  const { protocol, port } = listeners[index];
  const earlier = listeners.findIndex((other) => other.protocol === protocol && other.port === port);
  return port === 0 || earlier === index ? undefined : earlier;
}
