// Clients within the container may be the only ones that a service does anything for, and what it does for them may be
// to turn to whomever they name.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasTool } from '../linux/guest.ts';
import { effectsOf, policyOfSource } from './service.ts';

/** A proxy for local clients: `CONNECT ADDRESS:PORT`, and SOCKS 5 with an address. */
const SOURCE = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void look(const char *path) { close(open(path, O_RDONLY)); }
static void pass(struct sockaddr_in *to, const char *path) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  to->sin_family = AF_INET;
  if (connect(s, (void *)to, sizeof *to) == 0) look(path);
  close(s);
}
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(3128)}, from, to = {0};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    socklen_t size = sizeof from;
    char b[2000];
    int c = accept(s, (void *)&from, &size), n;
    if (from.sin_addr.s_addr != htonl(INADDR_LOOPBACK)) {
      write(c, "HTTP/1.1 403 Forbidden\\r\\n\\r\\n", 26);
      close(c);
      continue;
    }
    n = read(c, b, sizeof b - 1);
    if (n > 0) {
      b[n] = 0;
      char *port;
      if (!strncmp(b, "CONNECT ", 8) && (port = strchr(b, ':'))) {
        *port = 0;
        to.sin_port = htons(atoi(port + 1));
        if (inet_aton(b + 8, &to.sin_addr)) pass(&to, "/connected");
      } else if (b[0] == 5) {
        write(c, "\\5\\0", 2);
        if (read(c, b, sizeof b) >= 10 && b[3] == 1) {
          memcpy(&to.sin_addr, b + 4, 4);
          memcpy(&to.sin_port, b + 8, 2);
          pass(&to, "/socks");
        }
      } else
        write(c, "HTTP/1.1 400 Bad Request\\r\\n\\r\\n", 28);
    }
    close(c);
  }
}
`;

test('a proxy for clients within', { skip: hasTool('gcc') ? false : 'needs gcc' }, () => {
  const effects = effectsOf(policyOfSource(SOURCE));
  const all = [...effects].join('\n');
  for (const path of ['/connected', '/socks']) assert.ok(effects.has(`OPEN r ${path}`), all);
  // whom they name is theirs to say
  assert.match(all, /^CONNECT tcp \*:\[0-9\]\+ <-> \*:\[0-9\]\+$/m);
});
