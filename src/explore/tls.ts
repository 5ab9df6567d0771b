// A client of TLS 1.3 and 1.2 (RFC 8446, RFC 5246 with RFC 5288 and RFC 8422) whose keys follow from a text: AES-128-GCM
// and X25519, which nearly every server has, no certificate of its own, and trust in anybody's. Not spoken:
// HelloRetryRequest, other suites, earlier versions, resumption, updates of keys; the conversation stands still then.
import { encodeText, joined } from '../bytes/index.ts';
import { hmacSha256, openGcm, sealGcm, sha256Of, x25519 } from '../host/index.ts';

const HANDSHAKE = 22;
const CHANGE = 20;
const ALERT = 21;
const DATA = 23;

const HELLO = 2;
const CERTIFICATE = 11;
const KEY_EXCHANGE = 12;
const CERTIFICATE_REQUEST = 13;
const HELLO_DONE = 14;
const CLIENT_KEY = 16;
const FINISHED = 20;

const VERSION_12 = [3, 3];
/** TLS_AES_128_GCM_SHA256; for 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, and with RSA. */
const SUITES = [0x13, 0x01, 0xc0, 0x2b, 0xc0, 0x2f];
const GROUP = [0, 0x1d];
/** P-256, which keys of certificates may be on. */
const CERTIFIED = [0, 0x17];

interface Direction {
  readonly key: Uint8Array;
  /** 12 bytes; in version 1.2 the first 4 of a nonce, of which the record has the others. */
  readonly iv: Uint8Array;
  /** The secret that they come from. */
  readonly secret: Uint8Array;
  sequence: number;
}

const NONE = new Uint8Array(0);
const ZEROS = new Uint8Array(32);
/** The content of a record, at most. */
const MAX_RECORD = 16_384;

export class TlsSession {
  /** Whether data may be sent. */
  ready = false;
  /** The server says what this client does not understand: it says nothing more. */
  stopped = false;
  private readonly random: Uint8Array;
  private readonly session: Uint8Array;
  private readonly keys: ReturnType<typeof x25519>;
  private unread: Uint8Array = NONE;
  /** How much of what the server said was looked at. */
  private taken = 0;
  /** Messages of the handshake that are not whole yet. */
  private messages: Uint8Array = NONE;
  private transcript: Uint8Array = NONE;
  private master: Uint8Array = ZEROS;
  /** Of the server's hello in version 1.2; undefined in 1.3. */
  private serverRandom: Uint8Array | undefined;
  /** What both sides know after the exchange of keys of version 1.2. */
  private shared: Uint8Array | undefined;
  /** The server's direction, before it says that it uses it. */
  private awaited: Direction | undefined;
  private sends: Direction | undefined;
  private takes: Direction | undefined;
  /** Context of the server's request for a certificate. */
  private request: Uint8Array | undefined;
  private readonly data: Uint8Array[] = [];

  constructor(seed: string) {
    const part = (what: string): Uint8Array => sha256Of(encodeText(`${what} ${seed}`));
    this.random = part('random');
    this.session = part('session');
    this.keys = x25519(part('key'));
  }

  /** What it says first. */
  hello(): Uint8Array {
    const extensions = [
      extension(0, list16(bytes(0, list16(encodeText('localhost'))))),
      extension(10, list16(bytes(GROUP, CERTIFIED))),
      extension(11, list8(bytes(0))),
      extension(13, list16(bytes([4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1, 8, 7]))),
      extension(43, list8(bytes([3, 4], VERSION_12))),
      extension(45, list8(bytes(1))),
      extension(51, list16(bytes(GROUP, list16(this.keys.publicKey)))),
    ];
    const body = bytes(
      VERSION_12,
      this.random,
      list8(this.session),
      list16(bytes(SUITES)),
      list8(bytes(0)),
      list16(bytes(...extensions)),
    );
    const message = bytes(1, 0, list16(body));
    this.transcript = message;
    return record(HANDSHAKE, message);
  }

  /** Takes what is new in all that the server said so far; returns what is to be said now. */
  take(all: Uint8Array): Uint8Array {
    this.unread = bytes(this.unread, all.subarray(this.taken));
    this.taken = all.length;
    const out: Uint8Array[] = [];
    while (!this.stopped && this.unread.length >= 5) {
      const length = u16(this.unread, 3);
      if (this.unread.length < 5 + length) break;
      const head = this.unread.subarray(0, 5);
      const body = this.unread.subarray(5, 5 + length);
      this.unread = this.unread.subarray(5 + length);
      const answer = this.record(head, body);
      if (answer !== undefined) out.push(answer);
    }
    return bytes(...out);
  }

  /** Data in records. Nothing before the handshake is over. */
  send(data: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    for (let at = 0; at < data.length; at += MAX_RECORD)
      out.push(this.seal(DATA, data.subarray(at, at + MAX_RECORD)));
    return this.ready ? bytes(...out) : NONE;
  }

  /** The end of its data. */
  end(): Uint8Array {
    return this.ready ? this.seal(ALERT, bytes(1, 0)) : NONE;
  }

  /** All data that the server sent. */
  received(): Uint8Array {
    return bytes(...this.data);
  }

  private record(head: Uint8Array, body: Uint8Array): Uint8Array | undefined {
    const [type] = head;
    if (type === CHANGE) {
      this.takes ??= this.awaited;
      return undefined;
    }
    if (type === HANDSHAKE && this.takes === undefined) return this.handshake(body);
    const opened = this.takes === undefined ? undefined : this.open(this.takes, head, body);
    if (opened === undefined) {
      this.stopped = true;
      return undefined;
    }
    if (opened.type === HANDSHAKE) return this.handshake(opened.content);
    if (opened.type === DATA) this.data.push(opened.content);
    return undefined;
  }

  private open(
    way: Direction,
    head: Uint8Array,
    body: Uint8Array,
  ): { readonly type: number; readonly content: Uint8Array } | undefined {
    if (this.serverRandom !== undefined) {
      const nonce = bytes(way.iv, body.subarray(0, 8));
      const about = bytes(
        counted(way.sequence++),
        head[0],
        VERSION_12,
        u16Bytes(Math.max(0, body.length - 24)),
      );
      const content = openGcm(way.key, nonce, about, body.subarray(8));
      return content === undefined ? undefined : { type: head[0], content };
    }
    const plain = head[0] === DATA ? openGcm(way.key, nonceOf(way), head, body) : undefined;
    if (plain === undefined) return undefined;
    const end = plain.findLastIndex((byte) => byte !== 0);
    return { type: plain[end] ?? 0, content: plain.subarray(0, Math.max(0, end)) };
  }

  private handshake(body: Uint8Array): Uint8Array | undefined {
    this.messages = bytes(this.messages, body);
    let out: Uint8Array | undefined;
    while (this.messages.length >= 4) {
      const length = this.messages[1] * 65_536 + u16(this.messages, 2);
      if (this.messages.length < 4 + length) break;
      const message = this.messages.subarray(0, 4 + length);
      this.messages = this.messages.subarray(4 + length);
      // tickets and the like
      if (this.ready) continue;
      this.transcript = bytes(this.transcript, message);
      const [type] = message;
      if (type === HELLO) this.agree(message.subarray(4));
      else if (type === KEY_EXCHANGE) this.exchange(message.subarray(4));
      else if (type === CERTIFICATE_REQUEST) this.request = message.subarray(5, 5 + message[4]);
      else if (type === HELLO_DONE) out = this.finish12();
      else if (type === FINISHED) out = this.finish();
      if (this.stopped) break;
    }
    return out;
  }

  /** ServerHello: from here on all is encrypted. */
  private agree(body: Uint8Array): void {
    const suite = 35 + body[34];
    if (body[suite] === 0xc0) {
      this.serverRandom = body.slice(2, 34);
      return;
    }
    const peer = keyShareOf(body);
    const shared = peer === undefined ? undefined : this.keys.shared(peer);
    if (shared === undefined) {
      this.stopped = true;
      return;
    }
    const early = hmacSha256(ZEROS, ZEROS);
    const secret = hmacSha256(expand(early, 'derived', sha256Of(), 32), shared);
    this.master = hmacSha256(expand(secret, 'derived', sha256Of(), 32), ZEROS);
    const now = sha256Of(this.transcript);
    this.sends = direction(expand(secret, 'c hs traffic', now, 32));
    this.takes = direction(expand(secret, 's hs traffic', now, 32));
  }

  /** The server's Finished: ours, after an empty certificate where it wants one. */
  private finish(): Uint8Array | undefined {
    if (this.sends === undefined) return undefined;
    const now = sha256Of(this.transcript);
    const out: Uint8Array[] = [record(CHANGE, bytes(1))];
    const say = (type: number, content: Uint8Array): void => {
      const message = bytes(type, 0, list16(content));
      this.transcript = bytes(this.transcript, message);
      out.push(this.seal(HANDSHAKE, message));
    };
    if (this.request !== undefined) say(CERTIFICATE, bytes(list8(this.request), 0, list16(NONE)));
    const key = expand(this.sends.secret, 'finished', NONE, 32);
    say(FINISHED, hmacSha256(key, sha256Of(this.transcript)));
    this.sends = direction(expand(this.master, 'c ap traffic', now, 32));
    this.takes = direction(expand(this.master, 's ap traffic', now, 32));
    this.ready = true;
    return bytes(...out);
  }

  /** ServerKeyExchange of version 1.2: a named curve and the server's public key, signed. */
  private exchange(body: Uint8Array): void {
    const known = body[0] === 3 && body[1] === GROUP[0] && body[2] === GROUP[1] && body[3] === 32;
    this.shared = known ? this.keys.shared(body.slice(4, 36)) : undefined;
  }

  /** ServerHelloDone of version 1.2: our key, and all that follows is encrypted. Data may follow at once. */
  private finish12(): Uint8Array | undefined {
    const { shared, serverRandom, request } = this;
    if (shared === undefined || serverRandom === undefined) {
      this.stopped = true;
      return undefined;
    }
    const out: Uint8Array[] = [];
    const message = (type: number, content: Uint8Array): Uint8Array => {
      const whole = bytes(type, 0, list16(content));
      this.transcript = bytes(this.transcript, whole);
      return whole;
    };
    if (request !== undefined) out.push(record(HANDSHAKE, message(CERTIFICATE, bytes([0, 0, 0]))));
    out.push(record(HANDSHAKE, message(CLIENT_KEY, list8(this.keys.publicKey))));
    const master = derive(shared, 'master secret', bytes(this.random, serverRandom), 48);
    const block = derive(master, 'key expansion', bytes(serverRandom, this.random), 40);
    const way = (key: number, iv: number): Direction => ({
      key: block.slice(key, key + 16),
      iv: block.slice(iv, iv + 4),
      secret: master,
      sequence: 0,
    });
    this.sends = way(0, 32);
    this.awaited = way(16, 36);
    const proof = derive(master, 'client finished', sha256Of(this.transcript), 12);
    out.push(record(CHANGE, bytes(1)), this.seal(HANDSHAKE, message(FINISHED, proof)));
    this.ready = true;
    return bytes(...out);
  }

  private seal(type: number, content: Uint8Array): Uint8Array {
    if (this.sends === undefined) return NONE;
    if (this.serverRandom !== undefined) {
      const number = counted(this.sends.sequence++);
      const about = bytes(number, type, VERSION_12, u16Bytes(content.length));
      const sealed = sealGcm(this.sends.key, bytes(this.sends.iv, number), about, content);
      return bytes(type, VERSION_12, list16(bytes(number, sealed)));
    }
    const head = bytes(DATA, VERSION_12, u16Bytes(content.length + 17));
    return bytes(head, sealGcm(this.sends.key, nonceOf(this.sends), head, bytes(content, type)));
  }
}

/** The server's public key: of the extension in its hello; undefined where it asks for another hello. */
function keyShareOf(body: Uint8Array): Uint8Array | undefined {
  let at = 34 + 1 + body[34] + 3;
  const end = Math.min(body.length, at + 2 + u16(body, at));
  for (at += 2; at + 4 <= end; at += 4 + u16(body, at + 2))
    if (u16(body, at) === 51 && u16(body, at + 2) === 36) return body.slice(at + 8, at + 40);
  return undefined;
}

const record = (type: number, content: Uint8Array): Uint8Array => bytes(type, VERSION_12, list16(content));
const extension = (type: number, content: Uint8Array): Uint8Array => bytes(u16Bytes(type), list16(content));

/** HKDF-Expand-Label (RFC 8446 section 7.1), of one block. */
function expand(secret: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array {
  const info = bytes(u16Bytes(length), list8(encodeText(`tls13 ${label}`)), list8(context), 1);
  return hmacSha256(secret, info).slice(0, length);
}

/** The pseudorandom function of version 1.2 (RFC 5246 section 5), with SHA-256. */
function derive(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const whole = bytes(encodeText(label), seed);
  let out: Uint8Array = NONE;
  for (let a = hmacSha256(secret, whole); out.length < length; a = hmacSha256(secret, a))
    out = bytes(out, hmacSha256(secret, bytes(a, whole)));
  return out.slice(0, length);
}

/** 8 bytes, the highest first. */
function counted(value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setUint32(4, value);
  return out;
}

function direction(secret: Uint8Array): Direction {
  return { key: expand(secret, 'key', NONE, 16), iv: expand(secret, 'iv', NONE, 12), secret, sequence: 0 };
}

/** For the next record. */
function nonceOf(way: Direction): Uint8Array {
  const nonce = way.iv.slice();
  for (let i = 0, n = way.sequence++; n > 0; i++, n = Math.floor(n / 256)) nonce[11 - i] ^= n & 0xff;
  return nonce;
}

const u16 = (from: Uint8Array, at: number): number => from[at] * 256 + from[at + 1];
const u16Bytes = (value: number): readonly number[] => [value >>> 8, value & 0xff];
/** With its length before it, in one byte or two. */
const list8 = (content: Uint8Array): Uint8Array => bytes(content.length, content);
const list16 = (content: Uint8Array): Uint8Array => bytes(u16Bytes(content.length), content);

function bytes(...parts: readonly (number | readonly number[] | Uint8Array)[]): Uint8Array {
  return joined(
    parts.map((part) =>
      part instanceof Uint8Array ? part : Uint8Array.from(typeof part === 'number' ? [part] : part),
    ),
  );
}
