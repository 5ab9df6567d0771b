// What a service does for somebody who is logged in is in the model, although nobody can know the password.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasTool } from '../linux/guest.ts';
import { effectsOf, policyOfSource } from './service.ts';

/** FTP, as far as logging in goes, by crypt(3) and the shadow file. */
const SOURCE = `
#include <arpa/inet.h>
#include <crypt.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static int right(const char *user, const char *password) {
  char line[500];
  int found = 0;
  FILE *f = fopen("/etc/shadow", "r");
  while (f && fgets(line, sizeof line, f)) {
    char *hash = strchr(line, ':'), *end = hash ? strchr(hash + 1, ':') : 0;
    if (!end) continue;
    *hash++ = *end = 0;
    const char *made = strcmp(line, user) ? 0 : crypt(password, hash);
    found |= made && !strcmp(made, hash);
  }
  if (f) fclose(f);
  return found;
}
static void talk(int c) {
  char user[100] = "", path[200], b[500];
  int n, logged = 0;
  write(c, "220 ready\\r\\n", 11);
  while ((n = read(c, b, sizeof b - 1)) > 0) {
    b[n] = 0;
    b[strcspn(b, "\\r\\n")] = 0;
    if (!strncmp(b, "USER ", 5)) snprintf(user, sizeof user, "%s", b + 5);
    else if (!strncmp(b, "PASS ", 5)) {
      logged = right(user, b + 5);
      snprintf(path, sizeof path, logged ? "/home/%s/in" : "/refused", user);
      close(open(path, O_RDONLY));
    } else if (!strcmp(b, "PWD") && logged) close(open("/inside", O_RDONLY));
    write(c, logged ? "230 in\\r\\n" : "331 well\\r\\n", logged ? 8 : 10);
  }
}
int main(void) {
  struct sockaddr_in a = {AF_INET, htons(21)};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  bind(s, (void *)&a, sizeof a);
  listen(s, 64);
  for (;;) {
    int c = accept(s, 0, 0);
    talk(c);
    close(c);
  }
}
`;

const modelOf = (shadow: string): string => {
  const options = { files: { '/etc/shadow': shadow }, libraries: ['-lcrypt'] };
  return [...effectsOf(policyOfSource(SOURCE, options))].join('\n');
};
const skip = hasTool('gcc') ? false : 'needs gcc';
/** Of a password that is nowhere. */
const hash =
  '$6$abcdefgh$KBNzAcRJTZwO1h0fHNLGbDWeUF5wOfr3AlXJmN3QHbYyCXWkRUmiU6gfFBl8JV3HVT1iVYQ3yVEJnBA8WsQUX1';

test('those who have an account log in', { skip }, () => {
  const effects = modelOf(`root:*:19000:0:99999:7:::\njoe:${hash}:19000:0:99999:7:::\n`);
  for (const path of ['/home/joe/in', '/inside', '/refused'])
    assert.match(effects, new RegExp(`^OPEN r ${path}$`, 'm'), effects);
});

test('nobody logs in where all accounts are locked', { skip }, () => {
  const effects = modelOf('root:*:19000:0:99999:7:::\njoe:!:19000:0:99999:7:::\n');
  assert.match(effects, /^OPEN r \/refused$/m);
  assert.doesNotMatch(effects, /inside|home/);
});
