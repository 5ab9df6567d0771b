// /proc/net: sockets and interfaces of the container (Documentation/networking/proc_net_tcp.rst, net/*/proc.c).
import { AF, bytesOfIp, SOCK } from './abi-socket.ts';
import type { OpenFile } from './file.ts';
import type { Kernel } from './kernel.ts';
import { isAny } from './net.ts';
import { interfacesOf } from './net-interfaces.ts';
import { COUNTER_FILES } from './procfs-net-counters.ts';
import type { InetSocket } from './socket-inet.ts';
import { TcpSocket } from './socket-tcp.ts';
import { UdpSocket } from './socket-udp.ts';
import { UnixSocket } from './socket-unix.ts';

/** Address words in the processor's byte order, in hexadecimal; IPv4 in an IPv6 table is mapped. */
function hexAddress(address: string, v6: boolean): string {
  let bytes = bytesOfIp(isAny(address) ? (v6 ? '::' : '0.0.0.0') : address);
  if (v6 && bytes.length === 4) bytes = bytesOfIp(`::ffff:${address}`);
  let out = '';
  for (let i = 0; i < bytes.length; i += 4)
    for (let k = 3; k >= 0; k--) out += bytes[i + k].toString(16).padStart(2, '0').toUpperCase();
  return out;
}
const hexPort = (port: number): string => port.toString(16).padStart(4, '0').toUpperCase();

/** Every open description of the container, once, in order of processes and descriptors. */
function openFiles(kernel: Kernel): Set<OpenFile> {
  const out = new Set<OpenFile>();
  for (const process of kernel.processes.values())
    for (const slot of process.files.slots) if (slot !== undefined) out.add(slot.file);
  return out;
}

function inetTable(kernel: Kernel, v6: boolean, which: (file: OpenFile) => file is InetSocket): string {
  const width = v6 ? 38 : 13;
  const head = v6
    ? '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
    : '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const rows: string[] = [];
  for (const file of openFiles(kernel)) {
    if (!which(file) || (file.domain === AF.INET6) !== v6 || file.local === undefined) continue;
    const end = (address: string, port: number): string =>
      `${hexAddress(address, v6)}:${hexPort(port)}`.padEnd(width);
    const state = file instanceof TcpSocket ? file.state : file.peer === undefined ? 7 : 1;
    const any = v6 ? '::' : '0.0.0.0';
    const queue = file instanceof TcpSocket && file.listening ? file.waitingConnections : file.available;
    const hex8 = (n: number): string => n.toString(16).padStart(8, '0').toUpperCase();
    rows.push(
      `${String(rows.length).padStart(4)}: ${end(file.local.address, file.local.port)} ${end(file.peer?.address ?? any, file.peer?.port ?? 0)} ` +
        `${state.toString(16).padStart(2, '0').toUpperCase()} ${hex8(0)}:${hex8(queue)} 00:${hex8(0)} ${hex8(0)} ${String(file.uid).padStart(5)}        0 ${file.ino} 1 0000000000000000 100 0 0 10 0`,
    );
  }
  return `${[head.padEnd(149), ...rows.map((row) => row.padEnd(149))].join('\n')}\n`;
}

const isTcp = (file: OpenFile): file is InetSocket => file instanceof TcpSocket;
const isUdp = (file: OpenFile): file is InetSocket => file instanceof UdpSocket;

function unix(kernel: Kernel): string {
  const rows: string[] = ['Num       RefCount Protocol Flags    Type St Inode Path'];
  for (const file of openFiles(kernel)) {
    if (!(file instanceof UnixSocket)) continue;
    const flags = file.listening ? '00010000' : '00000000';
    const type = String(file.kind === SOCK.SEQPACKET ? 5 : file.kind).padStart(4, '0');
    const state = file.peerAddress() === undefined ? '01' : '03';
    const name =
      file.path === '' ? '' : ` ${file.path.startsWith('\0') ? `@${file.path.slice(1)}` : file.path}`;
    rows.push(
      `0000000000000000: 00000002 00000000 ${flags} ${type} ${state} ${String(file.ino).padStart(5)}${name}`,
    );
  }
  return `${rows.join('\n')}\n`;
}

function dev(kernel: Kernel): string {
  const head = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
  ];
  const rows = interfacesOf(kernel).map(
    ({ name }) =>
      `${name.padStart(6)}:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0`,
  );
  return `${[...head, ...rows].join('\n')}\n`;
}

function route(kernel: Kernel): string {
  const { address, gateway } = kernel.environment;
  const own = bytesOfIp(address);
  const network = hexAddress(`${own[0]}.${own[1]}.0.0`, false);
  const outside = [`eth0\t00000000\t${hexAddress(gateway, false)}\t0003\t0\t0\t0\t00000000\t0\t0\t0`];
  const rows = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
    ...(kernel.net.outside === 'unreachable' ? [] : outside),
    `eth0\t${network}\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0`,
  ];
  return `${rows.map((row) => row.padEnd(127)).join('\n')}\n`;
}

function count(kernel: Kernel, which: (file: OpenFile) => boolean): number {
  return [...openFiles(kernel)].filter(which).length;
}

function sockstat(kernel: Kernel): string {
  const tcp = count(kernel, isTcp);
  const udp = count(kernel, isUdp);
  return `sockets: used ${tcp + udp + count(kernel, (file) => file instanceof UnixSocket)}\nTCP: inuse ${tcp} orphan 0 tw 0 alloc ${tcp} mem 0\nUDP: inuse ${udp} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n`;
}

/** By file name. */
export const NETWORK_FILES: Readonly<Record<string, (kernel: Kernel) => string>> = {
  tcp: (kernel) => inetTable(kernel, false, isTcp),
  tcp6: (kernel) => inetTable(kernel, true, isTcp),
  udp: (kernel) => inetTable(kernel, false, isUdp),
  udp6: (kernel) => inetTable(kernel, true, isUdp),
  unix,
  dev,
  route,
  sockstat,
  sockstat6: () =>
    'TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n',
  if_inet6: () => '00000000000000000000000000000001 01 80 10 80       lo\n',
  ipv6_route: () =>
    '00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo\n',
  arp: () => 'IP address       HW type     Flags       HW address            Mask     Device\n',
  dev_mcast: () => '',
  igmp: () => 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n',
  raw: () =>
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n',
  netlink: () => 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n',
  packet: () => 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n',
  protocols: () =>
    'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re sp bi br ha uh gp em\n',
  wireless: () =>
    'Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n',
  fib_trie: () => 'Main:\nLocal:\n',
  anycast6: () => '',
  igmp6: () =>
    [
      '1    lo              ff020000000000000000000000000001     1 0000000C 0',
      '1    lo              ff010000000000000000000000000001     1 00000008 0',
      '',
    ].join('\n'),
  rt_cache: () =>
    `${'Iface\tDestination\tGateway \tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst'.padEnd(127)}\n`,
  udplite: () =>
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n',
  icmp: () =>
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops             \n',
  ptype: () =>
    'Type Device      Function\n0800          ip_rcv\n0806          arp_rcv\n86dd          ipv6_rcv\n',
  psched: () => '000003e8 00000040 000f4240 3b9aca00\n',
  ...COUNTER_FILES,
};
