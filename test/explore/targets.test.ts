import assert from 'node:assert/strict';
import test from 'node:test';
import { requestTargets } from '../../src/explore/targets.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const FILES = new Set(['/usr/share/www', '/etc/types', '/var/log']);
const targetsOf = (...contents: string[]): readonly string[] =>
  requestTargets(contents.map(text), (path) => FILES.has(path));

test('paths of a configuration that are no files', () => {
  assert.deepEqual(
    targetsOf(
      `server { root /usr/share/www; include /etc/types;
  # location /comment
  location /up { proxy_pass http://127.0.0.1:9999; }
  location ^~ "/images/" { }
  location = /50x.html { internal; }
}`,
      'ScriptAlias /cgi-bin/ /var/log\nurl=/api/v1\n; path /no\n// path /neither\n',
    ),
    ['/up', '/images/', '/cgi-bin/', '/api/v1', '/50x.html'],
  );
  assert.deepEqual(
    targetsOf(
      'location ~ \\.php$ { }\n<FilesMatch "\\.(?:cgi|pl|py|sh)$">\n# \\.no$\nphp_fastcgi *.php\nhandle "*.jsp"\n',
    ),
    ['/{token}.php', '/{token}.cgi', '/{token}.pl', '/{token}.py'],
  );
  // a certificate has slashes, but no paths
  const certificate = `-----BEGIN CERTIFICATE-----\nMIID\n/wQEAwIBBjAPBgNVHRMBAf8EBTAD\n-----END CERTIFICATE-----\n`;
  assert.deepEqual(targetsOf(`${certificate}url=/up\n${certificate}`), ['/up']);
  assert.deepEqual(targetsOf('\x7fELF\0 /bin/sh /x', ''), []);
  assert.deepEqual(targetsOf(Array.from({ length: 99 }, (_, i) => `/p/${i}`).join('\n'), '/q/'), [
    '/p/0',
    '/q/',
    '/p/1',
    '/p/2',
    '/p/3',
  ]);
  assert.equal(targetsOf(Array.from({ length: 99 }, (_, i) => `/p${i}/`).join('\n')).length, 32);
});
