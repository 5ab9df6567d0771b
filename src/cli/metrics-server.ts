// `--metrics [HOST:]PORT`: Prometheus' text over HTTP, on this machine only unless a host is named.
import { createServer } from 'node:http';
import { InputError } from '../bytes/index.ts';

export interface MetricsServer {
  readonly port: number;
  close(): void;
}

/** `text` is asked for each scrape. InputError where the address cannot be had. */
export function serveMetrics(address: string, text: () => string): Promise<MetricsServer> {
  const at = address.lastIndexOf(':');
  const host = at < 0 ? '127.0.0.1' : address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = /^\d{1,5}$/.test(address.slice(at + 1)) ? Number(address.slice(at + 1)) : -1;
  if (port < 0 || port > 65_535)
    throw new InputError('not a port', `--metrics ${address}`, 'PORT, or HOST:PORT');
  const server = createServer((request, response) => {
    const known = request.url === '/metrics' || request.url === '/';
    response.writeHead(known ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(known ? text() : 'metrics are at /metrics\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new InputError(
          `cannot listen: ${error.code ?? error.message}`,
          `--metrics ${address}`,
          'name another port',
        ),
      ),
    );
    server.listen(port, host, () => {
      const given = server.address();
      resolve({
        port: typeof given === 'object' && given !== null ? given.port : port,
        close: () => {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}
