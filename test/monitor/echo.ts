// The service of most tests: a shell script that starts a server, which reads its port, accepts, reads and answers. And
// healthy telemetry of it.
import type { Observation } from '../../src/telemetry/index.ts';
import { container, event, flow, policyOf, process } from './kit.ts';

export const ECHO = policyOf(`
automaton sh /usr/bin/dash /entry.sh
serve 8
0 > 1 OPEN r /etc/ld.so.cache
1 > 1 MMAP r /etc/ld.so.cache
1 > 2 CLOSE /etc/ld.so.cache
2 > 3 OPEN r /entry.sh
3 > 3 READ /entry.sh
3 > 4 CLONE process child 6 syscall clone
4 > 5 READ /entry.sh
5 ~ 8
8 > 8 EXIT 0
6 > 7 EXEC /srv/echo /etc/echo.conf -> echo

automaton echo /srv/echo /etc/echo.conf
serve 5 6 7 8
0 > 1 OPEN r /etc/echo.conf
1 > 2 READ /etc/echo.conf
2 > 3 CLOSE /etc/echo.conf
3 > 4 BIND tcp 0.0.0.0:8080 <-> 0.0.0.0:0
4 ~ 5
5 > 6 ACCEPT tcp 0.0.0.0:8080 <-> *:[0-9]+
6 > 6 READ tcp 0.0.0.0:8080 <-> *:[0-9]+
6 > 7 WRITE tcp 0.0.0.0:8080 <-> *:[0-9]+
7 > 6 READ tcp 0.0.0.0:8080 <-> *:[0-9]+
7 > 8 OPEN wca /var/log/echo.log
8 > 8 WRITE /var/log/echo.log
8 > 7 CLOSE /var/log/echo.log
6 > 5 CLOSE tcp 0.0.0.0:8080 <-> *:[0-9]+
7 > 5 CLOSE tcp 0.0.0.0:8080 <-> *:[0-9]+
`);

export const CLIENT = 'tcp 172.17.0.4:8080 <-> 172.17.0.1:57514';

/** Everything before the entrypoint runs. */
export const prelude: readonly Observation[] = [
  container(),
  process(0, 1, { exe: '/usr/bin/runc', args: 'init', entry: true, again: true }),
  flow(0.1, 0.1, 1, 'CLOSE unix:/tmp/pty/pty.sock'),
  event(0.2, 1, 'EXIT 0', { tid: 2 }),
  process(1, 1, { exe: '/usr/bin/dash', args: '/entry.sh', entry: true }),
  event(1, 1, 'EXEC /usr/bin/dash /entry.sh'),
];

/** From the entrypoint to a server that waits for clients: shell is process 1, server 10. */
export const boot: readonly Observation[] = [
  ...prelude,
  flow(2, 3, 1, 'OPEN+MMAP+CLOSE r /etc/ld.so.cache'),
  flow(3.5, 4, 1, 'OPEN+READ+CLOSE r /entry.sh'),
  event(5, 1, 'CLONE', { ret: 7 }),
  process(5.1, 10, { parent: 1, exe: '/usr/bin/dash', args: '/entry.sh' }),
  event(5.1, 10, 'CLONE', { ret: 0 }),
  process(6, 10, { parent: 1, exe: '/srv/echo', args: '/etc/echo.conf' }),
  event(6, 10, 'EXEC /srv/echo /etc/echo.conf'),
  flow(7, 8, 10, 'OPEN+READ+CLOSE r /etc/echo.conf'),
];

/** One client, then another. */
export const serve: readonly Observation[] = [
  flow(110, 111, 10, 'OPEN+WRITE+CLOSE wca /var/log/echo.log'),
  flow(100, 120, 10, `ACCEPT+READ+WRITE+CLOSE ${CLIENT}`),
  flow(200, 210, 10, `ACCEPT+READ+CLOSE ${CLIENT}`),
];

/** Standard output and the script stay open until the end. */
export const end: readonly Observation[] = [
  flow(4, 1000, 1, 'READ /entry.sh', { cut: true }),
  flow(7.5, 1001, 10, 'WRITE /dev/pts/0', { cut: true, fd: 1 }),
  event(1000, 10, 'EXIT 139', { ret: 139 }),
  event(1002, 1, 'EXIT 35584', { ret: 35584 }),
];

export const healthy: readonly Observation[] = [...boot, ...serve, ...end];

/** The server is made to run a shell command. */
export const exploit: readonly Observation[] = [
  event(300, 10, 'CLONE', { ret: 7 }),
  process(300.1, 20, { parent: 10, exe: '/srv/echo', args: '/etc/echo.conf' }),
  event(300.1, 20, 'CLONE', { ret: 0 }),
  process(301, 20, { parent: 10, exe: '/bin/sh', args: '-c id' }),
  event(301, 20, 'EXEC /bin/sh -c id'),
  flow(302, 303, 20, 'OPEN+READ+CLOSE r /lib64/libc.so.6'),
  flow(304, 305, 20, 'OPEN+CLOSE rw /dev/tty'),
  event(310, 20, 'CLONE', { ret: 8 }),
  process(310.1, 21, { parent: 20, exe: '/bin/sh', args: '-c id' }),
  event(310.1, 21, 'CLONE', { ret: 0 }),
  process(311, 21, { parent: 20, exe: '/usr/bin/id' }),
  event(311, 21, 'EXEC /usr/bin/id'),
  flow(312, 313, 21, 'OPEN+READ+CLOSE r /etc/passwd'),
  flow(290, 400, 20, `READ ${CLIENT}`, { cut: true }),
  event(320, 21, 'EXIT 0'),
  event(330, 20, 'EXIT 0'),
];
