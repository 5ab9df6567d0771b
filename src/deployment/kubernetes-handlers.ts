// Probes and lifecycle hooks: what a kubelet starts in a container, and what it asks it.
import { type Fields, InputError, printable } from '../bytes/index.ts';
import type { EntryCommand, ProbeRequest } from './deployment.ts';
import type { NamedPort } from './kubernetes.ts';

export interface Handlers {
  readonly commands: readonly EntryCommand[];
  readonly requests: readonly ProbeRequest[];
}

export function handlersOf(fields: Fields, ports: readonly NamedPort[]): Handlers {
  const lifecycle = fields.field('lifecycle');
  const sources: readonly (readonly [string, Fields])[] = [
    ['post-start hook', lifecycle.field('postStart')],
    ['startup probe', fields.field('startupProbe')],
    ['readiness probe', fields.field('readinessProbe')],
    ['liveness probe', fields.field('livenessProbe')],
    ['pre-stop hook', lifecycle.field('preStop')],
  ];
  const commands: EntryCommand[] = [];
  const requests: ProbeRequest[] = [];
  for (const [reason, handler] of sources) {
    const exec = handler.field('exec');
    if (!exec.absent) {
      const argv = exec.field('command').items();
      if (argv.length === 0) throw new InputError('a handler without a command', exec.where);
      // a kubelet doesn't expand $(NAME) in handlers
      commands.push({ reason, argv: argv.map((item) => [item.text()]) });
    }
    for (const [field, kind] of [
      ['httpGet', 'http'],
      ['tcpSocket', 'tcp'],
      ['grpc', 'grpc'],
    ] as const) {
      const request = handler.field(field);
      if (!request.absent) requests.push(readRequest(request, kind, reason, ports));
    }
  }
  return { commands, requests };
}

function readRequest(
  fields: Fields,
  kind: ProbeRequest['kind'],
  reason: string,
  ports: readonly NamedPort[],
): ProbeRequest {
  const path = fields.field('path').textOr('/');
  return {
    reason,
    kind,
    port: portOf(fields.field('port'), ports),
    path: path.startsWith('/') ? path : `/${path}`,
    headers: fields
      .field('httpHeaders')
      .items()
      .map((item) => [item.field('name').text(), item.field('value').textOr('')] as const),
  };
}

function portOf(fields: Fields, ports: readonly NamedPort[]): number {
  if (!fields.isText) return fields.number();
  const text = fields.text();
  const named = ports.find(({ name }) => name === text);
  if (named !== undefined) return named.port;
  if (/^\d+$/.test(text)) return Number(text);
  throw new InputError(`the container has no port named ${printable(text)}`, fields.where);
}
