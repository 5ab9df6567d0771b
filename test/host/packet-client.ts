// A client of a SOCK_SEQPACKET socket, for tests: Python or Perl sends what it is given, packet by packet.
import { spawn } from 'node:child_process';

const python = `
import socket, struct, sys
data = sys.stdin.buffer.read()
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
at = 0
while at < len(data):
    size = struct.unpack_from('>I', data, at)[0]
    client.send(data[at + 4:at + 4 + size])
    at += 4 + size
client.close()
`;

const perl = `
use strict; use Socket; binmode STDIN; local $/; my $data = <STDIN>;
socket(my $client, AF_UNIX, SOCK_SEQPACKET, 0) or die;
connect($client, pack_sockaddr_un($ARGV[0])) or die "connect: $!";
while (length $data) { my $n = unpack('N', $data); send($client, substr($data, 4, $n), 0) or die; $data = substr($data, 4 + $n) }
close $client;
`;

/** Undefined where all was sent, else what went wrong. */
export async function sendPackets(path: string, packets: readonly Uint8Array[]): Promise<string | undefined> {
  const framed = Buffer.concat(
    packets.flatMap((packet) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(packet.length);
      return [size, packet];
    }),
  );
  const first = await run('python3', ['-c', python, path], framed);
  return first === 'missing' ? run('perl', ['-e', perl, path], framed) : first;
}

function run(command: string, args: readonly string[], input: Uint8Array): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += String(text);
    });
    child.on('error', () => resolve('missing'));
    child.on('close', (status) => resolve(status === 0 ? undefined : said));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
