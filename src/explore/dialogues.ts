// First messages of protocols that many programs speak, where a single line of text does not get far: several messages on
// one connection, or a datagram of a form that only a real client writes. They know protocols, never programs (and stand
// in, like all probes, until symbolic input finds such messages by itself).
import { type Action, namesAccount, type Payload, type Scenario } from './scenario.ts';

/** A connection to what the service began to listen at meanwhile. */
const OPENED = Symbol('opened');
/** A file's bytes on that connection, and its end. */
const FILE = Symbol('file');

/** A name and the messages of one connection, in order. */
export type Dialogue = readonly [name: string, messages: readonly (Payload | typeof OPENED | typeof FILE)[]];

const crlf = (...lines: readonly string[]): readonly string[] => lines.map((line) => `${line}\r\n`);

const byte = (value: number): string => String.fromCharCode(value & 0xff);
const be16 = (value: number): string => byte(value >>> 8) + byte(value);
const be32 = (value: number): string => be16(value >>> 16) + be16(value);
/** As long as the token of every environment. */
const sizeOf = (payload: Payload): number => payload.replaceAll('{token}', 'token').length;

// DNS (RFC 1035): header, question
const label = (text: Payload): string => byte(sizeOf(text)) + text;
function dnsQuery(name: readonly Payload[], type: number, id: number): Payload {
  // recursion desired, one question; class IN
  return `${be16(id)}\x01\0\0\x01\0\0\0\0\0\0${name.map(label).join('')}\0${be16(type)}\0\x01`;
}
const TYPES = { A: 1, NS: 2, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, ANY: 255 } as const;
const DNS: readonly (readonly [string, Payload])[] = [
  ...Object.entries(TYPES).map(
    ([type, number], i) => [`dns ${type}`, dnsQuery(['{token}', 'example'], number, 0x1234 + i)] as const,
  ),
  ['dns A of localhost', dnsQuery(['localhost'], TYPES.A, 0x2001)],
  ['dns PTR of loopback', dnsQuery(['1', '0', '0', '127', 'in-addr', 'arpa'], TYPES.PTR, 0x2002)],
  // with an OPT record, as resolvers send them
  [
    'dns with extensions',
    `${dnsQuery(['{token}', 'com'], TYPES.A, 0x2003).replace('\0\0\0\0\0\0', '\0\0\0\0\0\x01')}\0\0\x29\x04\xd0\0\0\0\0\0\0`,
  ],
];

// SNMP (RFC 3416) version 2c in BER: type, length, value
const ber = (type: number, body: string): string => {
  const { length } = body;
  return byte(type) + (length < 128 ? byte(length) : `\x82${be16(length)}`) + body;
};
/** Below 1.3.6.1.2.1; parts under 128. */
const objectIn = (...parts: readonly number[]): string =>
  ber(0x30, ber(0x06, `\x2b\x06\x01\x02\x01${parts.map(byte).join('')}`) + ber(0x05, ''));
const integer = (value: number): string => ber(0x02, byte(value));
const snmp = (type: number, repetitions: number, objects: readonly string[]): string =>
  ber(
    0x30,
    integer(1) +
      ber(0x04, 'public') +
      ber(type, integer(9) + integer(0) + integer(repetitions) + ber(0x30, objects.join(''))),
  );
/** system, interfaces, at, ip, icmp, tcp, udp, snmp, host, ifMIB, ipv6 */
const SUBTREES = [1, 2, 3, 4, 5, 6, 7, 11, 25, 31, 55];

// RADIUS (RFC 2865): code, identifier, length, authenticator, attributes
const radius = (code: number, attributes: string): string =>
  `${byte(code)}\x07${be16(20 + attributes.length)}${'a'.repeat(16)}${attributes}`;
const attribute = (type: number, value: string): string => byte(type) + byte(2 + value.length) + value;
const NAS = attribute(4, '\x7f\0\0\x01') + attribute(5, be32(1));

/** Datagrams, one each. */
export const DATAGRAMS: readonly (readonly [string, Payload])[] = [
  ...DNS,
  ['ntp client', `\x23\0\x06\xec${'\0'.repeat(44)}`],
  ['syslog', '<34>1 2003-10-11T22:14:15.003Z host app - ID47 - {token}'],
  ['syslog, old', '<13>Oct 11 22:14:15 host {token}: hello'],
  ['tftp read', '\0\x01{token}\0octet\0'],
  ['tftp write', '\0\x02{token}\0octet\0'],
  ['snmp get', snmp(0xa0, 0, [objectIn(1, 1, 0)])],
  ['snmp next', snmp(0xa1, 0, [objectIn(1)])],
  // a few of each, then more of each
  [
    'snmp bulk',
    snmp(
      0xa5,
      5,
      SUBTREES.map((part) => objectIn(part)),
    ),
  ],
  [
    'snmp long bulk',
    snmp(
      0xa5,
      60,
      SUBTREES.slice(1).map((part) => objectIn(part)),
    ),
  ],
  ['snmp set', snmp(0xa3, 0, [objectIn(1, 4, 0)])],
  ['radius access', radius(1, attribute(1, 'probe') + attribute(2, 'p'.repeat(16)) + NAS)],
  ['radius challenge', radius(1, attribute(1, 'probe') + attribute(3, `\x01${'c'.repeat(16)}`) + NAS)],
  ['radius accounting', radius(4, attribute(1, 'probe') + attribute(40, be32(1)) + attribute(44, '1') + NAS)],
  ['stun binding', `\0\x01\0\0\x21\x12\xa4\x42${'t'.repeat(12)}`],
  [
    'sip options',
    'OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP localhost;branch=z9hG4bK1\r\nFrom: <sip:a@localhost>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: 1@localhost\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n',
  ],
];

// MQTT (3.1.1): fixed header, length, body
const text16 = (text: Payload): string => be16(sizeOf(text)) + text;
const mqtt = (type: number, body: Payload): Payload => byte(type) + byte(sizeOf(body)) + body;
const MQTT = [
  mqtt(0x10, `${text16('MQTT')}\x04\x02\0\x3c${text16('{token}')}`),
  mqtt(0x82, `\0\x01${text16('#')}\x01`),
  mqtt(0x31, `${text16('t/{token}')}hello`),
  mqtt(0x32, `${text16('t/{token}')}\0\x02hello`),
  mqtt(0xc0, ''),
  mqtt(0xa2, `\0\x03${text16('#')}`),
];

// PostgreSQL: messages with their length
const pgStart = (body: Payload): Payload => be32(sizeOf(body) + 4) + body;
const pg = (type: string, body: Payload): Payload => type + be32(sizeOf(body) + 4) + body;
const PG_USER = '\0\x03\0\0user\0postgres\0database\0postgres\0\0';

// MySQL: the client's answer to the greeting
const MYSQL = `\x85\xa6\x0f\0\0\0\0\x01\x21${'\0'.repeat(23)}root\0\0mysql_native_password\0`;

// TLS 1.2 client hello without extensions
const HELLO_BODY = `\x03\x03${'r'.repeat(32)}\0\0\x04\xc0\x2f\0\x9c\x01\0`;
const HELLO = `\x01\0${be16(HELLO_BODY.length)}${HELLO_BODY}`;

// FastCGI: a request of role responder
const fcgi = (type: number, body: string): string => `\x01${byte(type)}\0\x01${be16(body.length)}\0\0${body}`;
const pair = (name: string, value: Payload): string => byte(name.length) + byte(sizeOf(value)) + name + value;

// Requests to be passed on: HTTP's absolute form and CONNECT (RFC 9110 section 9.3.6, RFC 9112 section 3.2.2), SOCKS 4a
// and 5 (RFC 1928)
const ELSEWHERE = '{token}.example';
const request = (first: Payload, host: Payload): Payload => `${first} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

// Bodies that are longer than what servers keep in memory, and files in forms (RFC 7578)
const FORM = 'application/x-www-form-urlencoded';
const LONG_BODY = `x=${'1'.repeat(20_000)}`;
const posted = (type: string, body: string): Payload =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const BOUNDARY = 'effigy-boundary';
const upload = (content: string): string =>
  [
    `--${BOUNDARY}`,
    'Content-Disposition: form-data; name="file"; filename="hello.txt"',
    'Content-Type: text/plain',
    '',
    content,
    `--${BOUNDARY}--`,
    '',
  ].join('\r\n');

const PROXY: readonly Dialogue[] = [
  ['http to another host', [request(`GET http://${ELSEWHERE}/{token}`, ELSEWHERE)]],
  ['http to another address', [request('GET http://{host}:{port}/', '{host}:{port}')]],
  ['http connect', [request(`CONNECT ${ELSEWHERE}:{port}`, `${ELSEWHERE}:{port}`), 'hello {token}\n']],
  ['http connect, https', [request('CONNECT {host}:443', '{host}:443'), '\x16\x03\x01\0\x05hello']],
  ['socks 5', ['\x05\x01\0', `\x05\x01\0\x03${label(ELSEWHERE)}{port bytes}`, 'hello {token}\n']],
  ['socks 5, address', ['\x05\x01\0', '\x05\x01\0\x01{host bytes}{port bytes}', 'hello {token}\n']],
  ['socks 4', ['\x04\x01{port bytes}{host bytes}{token}\0', 'hello {token}\n']],
  ['socks 4a', [`\x04\x01{port bytes}\0\0\0\x01{token}\0${ELSEWHERE}\0`, 'hello {token}\n']],
];

const FTP: Dialogue[1] = [
  ...crlf('SYST', 'FEAT', 'PWD', 'TYPE I', 'CWD {token}', 'SIZE {token}', 'EPSV'),
  OPENED,
  ...crlf('LIST', 'PASV'),
  OPENED,
  ...crlf('RETR {token}', 'EPSV'),
  OPENED,
  ...crlf('NLST', 'STOR {token}'),
  FILE,
  ...crlf('QUIT'),
];

// With an account that the container has (FTP, POP3, IMAP4, SMTP's AUTH), and with a wrong password
const MAIL = 'Subject: {token}\r\n\r\nhello\r\n';
const ACCOUNTS: readonly Dialogue[] = [
  ['ftp, as a user', [...crlf('USER {user}', 'PASS {password}'), ...FTP]],
  [
    'ftp, files of a user',
    [
      ...crlf('USER {user}', 'PASS {password}', 'PASV'),
      OPENED,
      ...crlf('STOR {token}'),
      FILE,
      ...crlf('MKD {token}d', 'RNFR {token}', 'RNTO {token}2', 'DELE {token}2', 'RMD {token}d', 'QUIT'),
    ],
  ],
  ['ftp, as a user, refused', crlf('USER {user}', 'PASS {token}', 'QUIT')],
  ['pop3, as a user', crlf('USER {user}', 'PASS {password}', 'STAT', 'LIST', 'RETR 1', 'DELE 1', 'QUIT')],
  ['pop3, as a user, refused', crlf('USER {user}', 'PASS {token}', 'QUIT')],
  [
    'imap, as a user',
    [
      ...crlf('a LOGIN {user} {password}', 'b LIST "" *', 'c SELECT INBOX'),
      `d APPEND INBOX {${sizeOf(MAIL)}}\r\n`,
      `${MAIL}\r\n`,
      ...crlf('e FETCH 1 BODY[]', 'f STORE 1 +FLAGS (\\Deleted)', 'g EXPUNGE'),
      ...crlf('h CREATE {token}', 'i SUBSCRIBE {token}', 'j DELETE {token}', 'k CLOSE', 'l LOGOUT'),
    ],
  ],
  ['imap, as a user, refused', crlf('a LOGIN {user} {token}', 'b LOGOUT')],
  ['imap, sasl', crlf('a AUTHENTICATE PLAIN', '{login}', 'b SELECT INBOX', 'c LOGOUT')],
  [
    'smtp, as a user',
    [
      ...crlf('EHLO localhost', 'AUTH PLAIN {login}', 'MAIL FROM:<{user}@localhost>'),
      ...crlf('RCPT TO:<{user}@localhost>', 'DATA'),
      `${MAIL}.\r\n`,
      ...crlf('QUIT'),
    ],
  ],
];

/** On one stream connection each. */
export const DIALOGUES: readonly Dialogue[] = [
  ['dns over a stream', [...DNS.slice(-3), DNS[0]].map(([, query]) => be16(sizeOf(query)) + query)],
  ['mqtt', [...MQTT, mqtt(0xe0, '')]],
  ['mqtt, lost', MQTT],
  ['ftp', [...crlf('USER anonymous', 'PASS {token}@'), ...FTP]],
  ['ftp, refused', crlf('USER {token}', 'PASS {token}', 'QUIT')],
  [
    'smtp',
    [
      ...crlf('EHLO localhost', 'MAIL FROM:<{token}@localhost>', 'RCPT TO:<root@localhost>', 'DATA'),
      'Subject: {token}\r\n\r\nhello\r\n.\r\n',
      ...crlf('VRFY {token}', 'RSET', 'QUIT'),
    ],
  ],
  ...ACCOUNTS,
  ['pop3', crlf('CAPA', 'USER {token}', 'PASS {token}', 'STAT', 'QUIT')],
  ['imap', crlf('a CAPABILITY', 'b LOGIN {token} {token}', 'c LIST "" *', 'd LOGOUT')],
  [
    'irc',
    crlf('NICK {token}', 'USER {token} 0 * :{token}', 'JOIN #{token}', 'PRIVMSG #{token} :hello', 'QUIT'),
  ],
  ['ssh', ['SSH-2.0-{token}\r\n', `\0\0\0\x0c\x0a\x14${'\0'.repeat(10)}`]],
  ['tls', [`\x16\x03\x01${be16(HELLO.length)}${HELLO}`, '\x15\x03\x03\0\x02\x01\0']],
  [
    'postgresql',
    [pgStart('\x04\xd2\x16\x2f'), pgStart(PG_USER), pg('p', '{token}\0'), pg('Q', 'select 1\0'), pg('X', '')],
  ],
  ['postgresql, cancel', [pgStart(`\x04\xd2\x16\x2e${'\0\0\0\x01'}${'\0\0\0\x02'}`)]],
  ['mysql', [`${byte(MYSQL.length)}\0\0\x01${MYSQL}`, '\x09\0\0\0\x03select 1', '\x01\0\0\0\x01']],
  ['amqp', ['AMQP\0\0\x09\x01']],
  ['ldap', ['0\x0c\x02\x01\x01`\x07\x02\x01\x03\x04\0\x80\0', '0\x05\x02\x01\x02B\0']],
  [
    'fastcgi',
    [
      fcgi(1, '\0\x01\0\0\0\0\0\0') +
        fcgi(
          4,
          pair('REQUEST_METHOD', 'GET') +
            pair('SCRIPT_NAME', '/index.php') +
            pair('SCRIPT_FILENAME', '/index.php') +
            pair('REQUEST_URI', '/index.php'),
        ) +
        fcgi(4, '') +
        fcgi(5, ''),
    ],
  ],
  [
    'http, several on one connection',
    Array.from(
      { length: 3 },
      (_, i) => `GET /${i === 1 ? '{token}' : ''} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    ),
  ],
  [
    'http, pipelined',
    ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /{token} HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ],
  ...PROXY,
  [
    'http upgrade',
    [
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      '\x81\x85\0\0\0\0hello',
    ],
  ],
  ['http, long bodies', [posted(FORM, LONG_BODY), posted('application/octet-stream', LONG_BODY)]],
  [
    'http, a file in a form',
    [
      posted(`multipart/form-data; boundary=${BOUNDARY}`, upload('hello\n')),
      posted(`multipart/form-data; boundary=${BOUNDARY}`, upload(LONG_BODY)),
    ],
  ],
  [
    'http expect',
    ['POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n', 'hello'],
  ],
];

/** Whether somebody who has an account says it. */
export const needsAccount = ([, messages]: Dialogue): boolean =>
  messages.some((message) => typeof message === 'string' && namesAccount(message));

function actionsOf(message: Dialogue[1][number], i: number, opened: number): Action[] {
  if (message === OPENED) return [{ do: 'connect-opened', id: `opened ${i}` }];
  if (message !== FILE) return [{ do: 'send', id: 'a', payload: message }];
  const id = `opened ${opened}`;
  return [
    { do: 'send', id, payload: 'hello {token}\n' },
    { do: 'close', id },
  ];
}

/** The messages on one connection, each after what the service made of the one before. */
export function dialogueScenario(listener: number, [name, messages]: Dialogue): Scenario {
  return {
    name,
    actions: [
      { do: 'connect', listener, id: 'a' },
      ...messages.flatMap((message, i): Action[] => [
        ...actionsOf(message, i, messages.lastIndexOf(OPENED, i)),
        { do: 'wait', ms: 20 },
      ]),
      { do: 'wait', ms: 1000 },
      { do: 'close', id: 'a' },
      { do: 'wait', ms: 1000 },
    ],
  };
}

/** A datagram, and time for what the service asks others about it. */
export function datagramDialogue(listener: number, [name, payload]: readonly [string, Payload]): Scenario {
  return {
    name,
    actions: [
      { do: 'datagram', listener, payload },
      { do: 'wait', ms: 5000 },
      { do: 'datagram', listener, payload },
      { do: 'wait', ms: 1000 },
    ],
  };
}
