import { AF, SOCK } from '../../src/linux/abi-socket.ts';
import { EPOLL } from '../../src/linux/epoll.ts';
import { scriptTests } from './run-scripts.ts';
import { define } from './script.ts';

define('AF_', AF);
define('SOCK_', SOCK);
define('EPOLL', EPOLL);
define('EPOLL_CTL_', { ADD: EPOLL.CTL_ADD, DEL: EPOLL.CTL_DEL, MOD: EPOLL.CTL_MOD });

scriptTests('poll');
