// What servers say to clients of theirs, as far as a client needs to hear it to go on: a name server that knows every
// name, and the first answers of protocols in which services talk to each other. They know protocols, never programs.
// Sources: RFC 1035 (DNS), RFC 9112 (HTTP), RESP, the memcached, FastCGI, PostgreSQL and MySQL protocols, RFC 8446 (TLS).
import { latin1, latin1Bytes } from '../bytes/index.ts';

/** What a name server knows. */
export interface Names {
  /** Dotted IPv4 address of a name. */
  addressOf(name: string): string;
  /** Name of a dotted IPv4 address. */
  nameOf(address: string): string;
}

const byte = (value: number): string => String.fromCharCode(value & 0xff);
const be16 = (value: number): string => byte(value >>> 8) + byte(value);
const be32 = (value: number): string => be16(value >>> 16) + be16(value);
const u16 = (text: string, at: number): number => (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);
const u32 = (text: string, at: number): number => u16(text, at) * 65_536 + u16(text, at + 2);

const TYPE = { A: 1, NS: 2, SOA: 6, PTR: 12, MX: 15, TXT: 16, SRV: 33 } as const;
const encoded = (name: string): string =>
  `${name
    .split('.')
    .map((label) => byte(label.length) + label)
    .join('')}\0`;

/** The answer to a query; undefined where it is none. `names` undefined: no name exists. */
export function answerDns(query: Uint8Array, names: Names | undefined): Uint8Array | undefined {
  const text = latin1(query);
  if (text.length < 17 || (text.charCodeAt(2) & 0xf8) !== 0 || u16(text, 4) !== 1) return undefined;
  const labels: string[] = [];
  let at = 12;
  for (let length = text.charCodeAt(at); length > 0; length = text.charCodeAt(at)) {
    if (length > 63 || at + 1 + length + 4 >= text.length) return undefined;
    labels.push(text.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = text.slice(12, at + 5);
  if (question.length < 5) return undefined;
  const data = names === undefined ? undefined : recordOf(labels, u16(text, at + 1), names);
  const answer =
    data === undefined ? '' : `\xc0\x0c${text.slice(at + 1, at + 5)}${be32(60)}${be16(data.length)}${data}`;
  // response, recursion desired as asked and available; no such name
  const flags = be16(0x8080 | ((text.charCodeAt(2) & 1) << 8) | (names === undefined ? 3 : 0));
  const counts = `\0\x01${be16(data === undefined ? 0 : 1)}\0\0\0\0`;
  return latin1Bytes(`${text.slice(0, 2)}${flags}${counts}${question}${answer}`);
}

function recordOf(labels: readonly string[], type: number, names: Names): string | undefined {
  const name = labels.join('.');
  switch (type) {
    case TYPE.A:
      return names
        .addressOf(name)
        .split('.')
        .map((part) => byte(Number(part)))
        .join('');
    case TYPE.PTR:
      return labels.length === 6 ? encoded(names.nameOf(labels.slice(0, 4).reverse().join('.'))) : undefined;
    case TYPE.NS:
      return encoded(`ns.${name}`);
    case TYPE.SOA:
      return `${encoded(`ns.${name}`)}${encoded(`admin.${name}`)}${[1, 3600, 600, 86_400, 60].map(be32).join('')}`;
    case TYPE.MX:
      return be16(10) + encoded(`mail.${name}`);
    case TYPE.TXT:
      return '\x0bv=spf1 -all';
    case TYPE.SRV:
      return be16(1) + be16(1) + be16(8443) + encoded(`server.${name}`);
    default:
      return undefined;
  }
}

/** What a server does next on a connection. */
export interface Reply {
  readonly bytes: Uint8Array;
  /** And then it sends no more. */
  readonly ends: boolean;
}

const says = (text: string, ends = false): Reply => ({ bytes: latin1Bytes(text), ends });

const mysql = (sequence: number, text: string): string =>
  byte(text.length) + byte(text.length >>> 8) + byte(text.length >>> 16) + byte(sequence) + text;
const MYSQL_OK = '\0\0\0\x02\0\0\0';

/** Servers that speak first, by port. */
const GREETINGS: Readonly<Record<number, string>> = {
  21: '220 ready\r\n',
  25: '220 mail.example ESMTP\r\n',
  587: '220 mail.example ESMTP\r\n',
  110: '+OK ready\r\n',
  143: '* OK ready\r\n',
  3306: mysql(
    0,
    `\x0a8.0.36\0${'\x01\0\0\0'}abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15${'\0'.repeat(10)}ijklmnopqrst\0mysql_native_password\0`,
  ),
};

/** What the server at a port says as soon as a client is there; undefined where clients speak first. */
export function greeting(port: number): Reply | undefined {
  const text = GREETINGS[port];
  return text === undefined ? undefined : says(text);
}

type Protocol = (heard: string, names: Names | undefined) => Reply | undefined;

/** By what a client's bytes look like; the first that knows them answers. */
const PROTOCOLS: readonly Protocol[] = [http, resp, memcached, fastcgi, postgres, tls, http2];

/**
 * The answer to what a client has sent since the last one; undefined: none yet, or nobody knows what that was.
 */
export function reply(port: number, bytes: Uint8Array, names: Names | undefined): Reply | undefined {
  const heard = latin1(bytes);
  if (port === 53) return dnsOverTcp(bytes, names);
  if (port === 3306)
    return heard.length < 4 + heard.charCodeAt(0)
      ? undefined
      : says(mysql(heard.charCodeAt(3) + 1, MYSQL_OK), heard.charCodeAt(4) === 1);
  if (GREETINGS[port] !== undefined) return lines(port, heard);
  for (const protocol of PROTOCOLS) {
    const answer = protocol(heard, names);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function dnsOverTcp(bytes: Uint8Array, names: Names | undefined): Reply | undefined {
  if (bytes.length < 2 || bytes.length < 2 + bytes[0] * 256 + bytes[1]) return undefined;
  const answer = answerDns(bytes.subarray(2), names);
  return answer === undefined ? undefined : says(be16(answer.length) + latin1(answer));
}

/** A line each gets a line that says yes. */
function lines(port: number, heard: string): Reply | undefined {
  if (!heard.endsWith('\n')) return undefined;
  const quits = /^quit\r?\n/im.test(heard);
  const yes: Readonly<Record<number, string>> = { 110: '+OK\r\n', 143: `${heard.split(' ')[0]} OK done\r\n` };
  if (/^data\r?\n$/i.test(heard)) return says('354 go on\r\n');
  return says(yes[port] ?? (quits ? '221 bye\r\n' : '250 ok\r\n'), quits);
}

const TAG = '"1"';

function http(heard: string): Reply | undefined {
  const [, method, version] = /^([A-Z]+) \S+ HTTP\/1\.([01])\r\n/.exec(heard) ?? [];
  const end = heard.indexOf('\r\n\r\n');
  if (method === undefined || end < 0) return undefined;
  const head = heard.slice(0, end + 2);
  const body = heard.slice(end + 4);
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (length !== undefined && body.length < Number(length)) return undefined;
  if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head) && !body.endsWith('0\r\n\r\n')) return undefined;
  const ends = version === '0' || /\r\nconnection: *close\r\n/i.test(head);
  const common = `ETag: ${TAG}\r\nCache-Control: public, max-age=3600\r\nConnection: ${ends ? 'close' : 'keep-alive'}\r\n`;
  // those who keep copies ask whether theirs is still good
  if (head.toLowerCase().includes(`\r\nif-none-match: ${TAG}\r\n`))
    return says(`HTTP/1.1 304 Not Modified\r\n${common}\r\n`, ends);
  const content = method === 'HEAD' ? '' : 'ok\n';
  return says(
    `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n${common}\r\n${content}`,
    ends,
  );
}

const RESP: Readonly<Record<string, string>> = {
  PING: '+PONG\r\n',
  GET: '$-1\r\n',
  INFO: '$2\r\n\r\n\r\n',
  HELLO: '-ERR unknown command\r\n',
  EXISTS: ':0\r\n',
};
function resp(heard: string): Reply | undefined {
  if (!/^\*\d+\r\n\$\d+\r\n/.test(heard) || !heard.endsWith('\r\n')) return undefined;
  const commands = [...heard.matchAll(/(?:^|\r\n)\*\d+\r\n\$\d+\r\n(\w+)/g)];
  return says(commands.map(([, word]) => RESP[word.toUpperCase()] ?? '+OK\r\n').join(''));
}

function memcached(heard: string): Reply | undefined {
  if (/^gets? [^\r\n]+\r\n$/.test(heard)) return says('END\r\n');
  if (/^(?:set|add|replace) \S+ \d+ \d+ \d+\r\n[\s\S]*\r\n$/.test(heard)) return says('STORED\r\n');
  return /^version\r\n$/.test(heard) ? says('VERSION 1.6.18\r\n') : undefined;
}

/** Records of 8 bytes and their content; a request is over with an empty record of its body. */
function fastcgi(heard: string): Reply | undefined {
  if (!heard.startsWith('\x01\x01\0')) return undefined;
  const id = heard.slice(2, 4);
  const record = (type: number, content: string): string =>
    `\x01${byte(type)}${id}${be16(content.length)}\0\0${content}`;
  for (let at = 0; at + 8 <= heard.length; ) {
    const length = u16(heard, at + 4);
    if (heard.charCodeAt(at + 1) === 5 && length === 0)
      return says(
        record(6, 'Content-Type: text/plain\r\n\r\nok\n') + record(6, '') + record(3, '\0'.repeat(8)),
        true,
      );
    at += 8 + length + heard.charCodeAt(at + 6);
  }
  return undefined;
}

const POSTGRES_SSL = 80_877_103;
const POSTGRES_GSS = 80_877_104;
const POSTGRES_3 = 196_608;
function postgres(heard: string): Reply | undefined {
  if (heard.length < 5) return undefined;
  const ready = 'Z\0\0\0\x05I';
  if (u32(heard, 0) === heard.length && heard.length >= 8) {
    const version = u32(heard, 4);
    if (version === POSTGRES_SSL || version === POSTGRES_GSS) return says('N');
    if (version === POSTGRES_3)
      return says(
        `R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.6\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x01${ready}`,
      );
  }
  if (u32(heard, 1) + 1 > heard.length) return undefined;
  if (heard[0] === 'Q') return says(`C\0\0\0\x0dSELECT 0\0${ready}`);
  return heard[0] === 'X' && heard.length === 5 ? says('', true) : undefined;
}

/** Nobody here has a certificate. */
function tls(heard: string): Reply | undefined {
  const isHello = heard.startsWith('\x16\x03') && heard.charCodeAt(2) <= 4;
  return isHello ? says('\x15\x03\x03\0\x02\x02\x28', true) : undefined;
}

function http2(heard: string): Reply | undefined {
  return heard.startsWith('PRI * HTTP/2.0\r\n') ? says('\0\0\0\x04\0\0\0\0\0') : undefined;
}
