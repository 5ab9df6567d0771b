// What a server does for clients that speak TLS, and for nobody else, is in the model.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { layer, program } from '../../examples/echo/host-files.ts';
import { openImage, writeOciLayout } from '../../src/image/index.ts';
import { hasTool } from '../linux/guest.ts';
import { effectsOf, policyOfImage } from './service.ts';

const OPENSSL = '/usr/bin/openssl';

test('a server of files over TLS', { skip: hasTool('openssl') ? false : 'needs openssl' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'effigy-https-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const how = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      '/CN=t',
    ];
    execFileSync(OPENSSL, ['req', ...how, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const path = join(folder, 'image');
    await writeOciLayout(path, {
      layers: [
        {
          entries: layer([
            ...['/tmp', '/proc', '/dev', '/etc'].map((at) => ({ kind: 'dir', path: at }) as const),
            ...program(OPENSSL, '/bin/openssl'),
            { kind: 'file', path: '/key.pem', bytes: readFileSync(key) },
            { kind: 'file', path: '/cert.pem', bytes: readFileSync(cert) },
            { kind: 'file', path: '/srv/page', bytes: 'hello\n' },
            { kind: 'file', path: '/srv/other', bytes: 'hello, too\n' },
          ]),
        },
      ],
      config: {
        entrypoint: [
          '/bin/openssl',
          's_server',
          '-WWW',
          '-port',
          '4433',
          '-key',
          '/key.pem',
          '-cert',
          '/cert.pem',
        ],
        env: ['PATH=/bin'],
        workingDir: '/srv',
      },
    });
    const image = await openImage(path);
    try {
      const effects = [...effectsOf(policyOfImage(image))].join('\n');
      assert.match(effects, /^OPEN r \/srv\/(\*|page|other)$/m, effects);
    } finally {
      image.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
