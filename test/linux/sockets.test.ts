import { AF, IP, IPPROTO, IPV6, MSG, SHUT, SO, SOCK, SOL, TCP } from '../../src/linux/abi-socket.ts';
import { scriptTests } from './run-scripts.ts';
import { define } from './script.ts';

define('AF_', AF);
define('SOCK_', SOCK);
define('SOL_', SOL);
define('SO_', SO);
define('TCP_', TCP);
define('IP_', IP);
define('IPV6_', IPV6);
define('IPPROTO_', IPPROTO);
define('MSG_', MSG);
define('SHUT_', SHUT);

scriptTests('sockets');
