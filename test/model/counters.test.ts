// Names that a service counts are classes in its policy, numbers that stay as they are do not become any.
import assert from 'node:assert/strict';
import test from 'node:test';
import { hasTool } from '../linux/guest.ts';
import { effectsOf, policyOfSource } from './service.ts';

const skip = hasTool('gcc') ? false : 'gcc is not installed';

const SOURCE = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static void make(const char *format, int n) {
  char path[64], part[80];
  snprintf(path, 64, format, n, n);
  snprintf(part, 80, "%s.part", path);
  close(open(part, O_WRONLY | O_CREAT, 0600));
  rename(part, path);
}
int main(void) {
  mkdir("/v2", 0755);
  close(open("/v2/log4", O_WRONLY | O_CREAT, 0600));
  close(open("/v2/log9", O_WRONLY | O_CREAT, 0600));
  make("/v2/base%d", 1);
  int s = socket(AF_INET, SOCK_STREAM, 0), n = 0;
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7070)};
  bind(s, (void *)&a, sizeof a);
  listen(s, 5);
  for (;;) {
    int c = accept(s, 0, 0);
    char text[512];
    if (c < 0) continue;
    if (read(c, text, 512) > 0) make("/v2/up-%07d.%d.bin", ++n);
    close(c);
  }
}`;

test('what is counted is any number', { skip }, () => {
  const effects = [...effectsOf(policyOfSource(SOURCE))].filter((text) => /^(?!CLOSE).*\/v2/.test(text));
  assert.deepEqual(effects.sort(), [
    'MKDIR /v2',
    'OPEN wc /v2/base1.part',
    'OPEN wc /v2/log4',
    'OPEN wc /v2/log9',
    'OPEN wc /v2/up-[0-9]+.[0-9]+.bin.part',
    'RENAME /v2/base1.part -> /v2/base1',
    'RENAME /v2/up-[0-9]+.[0-9]+.bin.part -> /v2/up-[0-9]+.[0-9]+.bin',
  ]);
});
