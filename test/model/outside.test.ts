// Those that a service turns to do not answer, refuse, can't be reached: what it does then is in the model.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasTool } from '../linux/guest.ts';
import { effectsOf, policyOfSource } from './service.ts';

/** For each client, asks one of three servers after the other by UDP, with a timeout, beginning anywhere. */
const SOURCE = `
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
static const char *servers[] = {"192.0.2.1", "198.51.100.2", "203.0.113.3"};
static void look(const char *path) { close(open(path, O_RDONLY)); }
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(7000)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    char b[100];
    int c = accept(s, 0, 0);
    unsigned first = 0;
    if (read(c, b, sizeof b) > 0) {
      getrandom(&first, 1, 0);
      for (unsigned i = 0; i < 3; i++) {
        struct sockaddr_in to = {AF_INET, htons(53)};
        struct timeval t = {2, 0};
        int u = socket(AF_INET, SOCK_DGRAM, 0);
        inet_aton(servers[(first + i) % 3], &to.sin_addr);
        setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
        if (connect(u, (void *)&to, sizeof to) < 0) look("/unreachable");
        else if (send(u, "?", 1, 0) == 1 && recv(u, b, sizeof b, 0) < 0)
          look(errno == ECONNREFUSED ? "/refused" : "/timeout");
        close(u);
      }
      look("/nobody");
    }
    close(c);
  }
}
`;

test('a service that asks others', { skip: hasTool('gcc') ? false : 'needs gcc' }, () => {
  const effects = effectsOf(policyOfSource(SOURCE));
  for (const path of ['/unreachable', '/refused', '/timeout', '/nobody'])
    assert.ok(effects.has(`OPEN r ${path}`), [...effects].join('\n'));
  // which of the servers comes first is the environment's, and so is the port
  for (const local of ['*', '0.0.0.0'])
    assert.ok(effects.has(`CONNECT udp ${local}:[0-9]+ <-> *:53`), [...effects].join('\n'));
});
