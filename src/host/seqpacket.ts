// A server on a unix socket of type SOCK_SEQPACKET, which Node does not have. A few lines of Python or Perl, whichever is
// there, hold the socket and pass each packet on, framed: a letter, the length in four bytes (big-endian), the packet.
//
//   L listening · C connected · P packet · T a packet that was cut short · D disconnected
//
// One client at a time, as SysFlow's processor has it; the next one waits. The socket is for this user only. The helper
// ends when its standard input does, so it never outlives us.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { lstatSync, unlinkSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { InputError } from '../bytes/index.ts';
import { hostError } from './access.ts';

export interface PacketSink {
  /** The socket is there: clients may connect. */
  listening(): void;
  connected(): void;
  /** Valid during the call. */
  packet(bytes: Uint8Array): void;
  /** A packet of more than a mebibyte; the rest of it is lost. */
  truncated(): void;
  disconnected(): void;
}

export interface PacketOptions {
  /** The server ends. */
  readonly signal: AbortSignal;
  /** Helpers to try, in order; default: python3, perl. */
  readonly helpers?: readonly PacketHelper[] | undefined;
}

export type PacketHelper = 'python3' | 'perl';

const python = `
import os, select, socket, struct, sys
path, out = sys.argv[1], sys.stdout.buffer
def put(kind, data=b''): out.write(kind + struct.pack('>I', len(data)) + data)
os.umask(0o077)
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try: server.bind(path)
except OSError as error: sys.exit('cannot listen: ' + str(error.strerror))
server.listen(1)
put(b'L'); out.flush()
client = None
while True:
    ready = select.select([0, client or server], [], [])[0]
    if 0 in ready and not os.read(0, 4096): break
    if client is None:
        if server in ready:
            client = server.accept()[0]
            client.setblocking(False)
            put(b'C')
    elif client in ready:
        for _ in range(1024):
            try: data, _a, flags, _b = client.recvmsg(1 << 20)
            except BlockingIOError: break
            except OSError: data, flags = b'', 0
            if not data:
                client.close(); client = None; put(b'D'); break
            put(b'T' if flags & socket.MSG_TRUNC else b'P', data)
    out.flush()
`;

const perl = `
use strict; use Socket;
my $path = shift; my ($client, $out) = (undef, '');
sub put { $out .= $_[0] . pack('N', length $_[1]) . $_[1] }
sub flush { while (length $out) { my $n = syswrite(STDOUT, $out); exit 1 unless defined $n; substr($out, 0, $n) = '' } }
umask 077;
socket(my $server, AF_UNIX, SOCK_SEQPACKET, 0) or die "cannot listen: $!\\n";
bind($server, pack_sockaddr_un($path)) && listen($server, 1) or die "cannot listen: $!\\n";
binmode STDOUT; put('L', ''); flush();
while (1) {
  my $set = ''; my $from = defined $client ? $client : $server;
  vec($set, 0, 1) = 1; vec($set, fileno($from), 1) = 1;
  select($set, undef, undef, undef) > 0 or next;
  if (vec($set, 0, 1)) { sysread(STDIN, my $rest, 4096) or last }
  next unless vec($set, fileno($from), 1);
  if (!defined $client) { accept($client, $server) or next; put('C', '') }
  else {
    for (1 .. 1024) {
      my $data; my $got = recv($client, $data, 1 << 20, MSG_DONTWAIT);
      last if !defined $got && ($!{EAGAIN} || $!{EINTR});
      if (!defined $got || !length $data) { close $client; $client = undef; put('D', ''); last }
      put(length $data == 1 << 20 ? 'T' : 'P', $data);
    }
  }
  flush();
}
`;

const commands: Readonly<Record<PacketHelper, (path: string) => readonly string[]>> = {
  python3: (path) => ['-c', python, path],
  perl: (path) => ['-MErrno', '-e', perl, path],
};

/** Serves until the signal. A socket that is left over at the path is replaced; InputError where anything else is there. */
export async function servePackets(path: string, sink: PacketSink, options: PacketOptions): Promise<void> {
  makeRoom(path);
  const helpers = options.helpers ?? ['python3', 'perl'];
  for (const helper of helpers) {
    if (await serveWith(helper, path, sink, options.signal)) {
      removeSocket(path);
      return;
    }
  }
  throw new InputError(
    'a socket of this type needs Python or Perl, and neither is here',
    path,
    'install python3 or perl, or let the collector write files and use --follow',
  );
}

function makeRoom(path: string): void {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw hostError(error, path);
  }
  if (!isSocket) throw new InputError('exists and is no socket', path, 'name a path that does not exist');
  unlinkSync(path);
}

function removeSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // Gone already.
  }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** False where there is no such helper. */
function serveWith(
  helper: PacketHelper,
  path: string,
  sink: PacketSink,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child: Child = spawn(helper, commands[helper](path), { stdio: ['pipe', 'pipe', 'pipe'] });
    const frames = new Frames(sink);
    let said = '';
    let failed: unknown;
    const stop = (): void => {
      child.stdin.end();
    };
    // Ctrl-C reaches the helper too, and may end it before its input does.
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4096) said += text;
    });
    child.stdout.on('data', (piece: Buffer) => {
      if (failed !== undefined) return;
      try {
        frames.push(piece);
      } catch (error) {
        failed = error;
        stop();
      }
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', stop);
      if (error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
    child.on('close', (status) => {
      signal.removeEventListener('abort', stop);
      if (failed !== undefined) reject(failed);
      else if (signal.aborted) resolve(true);
      else
        reject(new InputError(`the socket's helper ended: ${said.trim() || `status ${status}`}`, path, ''));
    });
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
}

/** Takes frames apart. */
class Frames {
  private readonly sink: PacketSink;
  private rest: Buffer = Buffer.alloc(0);

  constructor(sink: PacketSink) {
    this.sink = sink;
  }

  push(piece: Buffer): void {
    const bytes = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    let at = 0;
    while (at + 5 <= bytes.length) {
      const end = at + 5 + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      this.frame(bytes[at], bytes.subarray(at + 5, end));
      at = end;
    }
    this.rest = Buffer.from(bytes.subarray(at));
  }

  private frame(kind: number, data: Uint8Array): void {
    const { sink } = this;
    if (kind === 0x50) sink.packet(data);
    else if (kind === 0x43) sink.connected();
    else if (kind === 0x44) sink.disconnected();
    else if (kind === 0x54) sink.truncated();
    else if (kind === 0x4c) sink.listening();
  }
}
