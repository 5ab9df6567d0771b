// The client of TLS against OpenSSL, as Node has it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer, type TlsOptions } from 'node:tls';
import { decodeText, encodeText } from '../../src/bytes/index.ts';
import { TlsSession } from '../../src/explore/tls.ts';
import { hasTool } from '../linux/guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'effigy-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function certificate(kind: readonly string[]): TlsOptions {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const how = ['req', '-x509', '-newkey', ...kind, '-nodes', '-days', '30', '-subj', '/CN=localhost'];
  execFileSync('openssl', [...how, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

interface Talk {
  readonly heard: string;
  readonly ready: boolean;
}

/** Says `text` to a server that answers in capitals, once the handshake is over. */
function talk(options: TlsOptions, text: string): Promise<Talk> {
  return new Promise((resolve, reject) => {
    const server = createServer(options, (socket) => {
      let all = '';
      socket.on('data', (data) => {
        all += data.toString('latin1');
        if (all.endsWith('.')) socket.end(all.toUpperCase());
      });
      socket.on('error', () => undefined);
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return;
      const client = new TlsSession('a seed');
      const socket = connect(address.port, '127.0.0.1');
      const say = (bytes: Uint8Array): void => {
        if (bytes.length > 0) socket.write(bytes);
      };
      let asked = false;
      let heard: Uint8Array = new Uint8Array(0);
      socket.on('connect', () => say(client.hello()));
      socket.on('data', (data) => {
        heard = Buffer.concat([heard, data]);
        say(client.take(heard));
        if (client.stopped) socket.destroy();
        if (!client.ready || asked) return;
        asked = true;
        say(client.send(encodeText(text)));
      });
      socket.on('error', reject);
      socket.on('close', () => {
        server.close();
        resolve({ heard: decodeText(client.received()), ready: client.ready });
      });
    });
  });
}

const skip = hasTool('openssl') ? false : 'needs openssl';
for (const [name, kind] of [
  ['RSA', ['rsa:2048']],
  ['ECDSA', ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']],
] as const)
  test(`a conversation with a server that has a key of ${name}`, { skip }, async () => {
    const text = `${'hello '.repeat(9_000)}.`;
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { ...certificate(kind), maxVersion };
      assert.equal((await talk(options, 'hello.')).heard, 'HELLO.', maxVersion);
      assert.equal((await talk(options, text)).heard, text.toUpperCase());
      // a certificate is asked for, and none is given
      const asking = { ...options, requestCert: true, rejectUnauthorized: false };
      assert.equal((await talk(asking, 'hello.')).heard, 'HELLO.');
    }
  });

test('a server of an earlier version is left alone, and one that has no such keys', { skip }, async () => {
  const own = certificate(['rsa:2048']);
  for (const options of [
    { ...own, ciphers: 'AES256-SHA', maxVersion: 'TLSv1.2' as const },
    { ...own, ecdhCurve: 'P-256' },
  ]) {
    const { heard, ready } = await talk(options, 'hello.');
    assert.deepEqual([heard, ready], ['', false]);
  }
});

test('the same seed says the same hello; nothing that a server says is trusted to be whole', () => {
  assert.deepEqual(new TlsSession('a').hello(), new TlsSession('a').hello());
  assert.notDeepEqual(new TlsSession('a').hello(), new TlsSession('b').hello());
  const client = new TlsSession('a');
  const hello = Uint8Array.of(22, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3);
  for (const i of hello.keys()) assert.equal(client.take(hello.subarray(0, i + 1)).length, 0);
  const more = new Uint8Array(70_000).fill(23);
  more.set(hello);
  assert.equal(client.take(more).length, 0);
  assert.deepEqual([client.ready, client.send(encodeText('x')).length, client.end().length], [false, 0, 0]);
});
