// Messages of well-known protocols: lengths that they state are those of what follows, under every environment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DATAGRAMS,
  DIALOGUES,
  datagramDialogue,
  dialogueScenario,
  encodePayload,
} from '../../src/explore/index.ts';

const bytesOf = (payload: string | symbol): Uint8Array =>
  encodePayload(typeof payload === 'string' ? payload : '', 'qzkva', undefined);
const messages = (name: string): readonly Uint8Array[] => {
  const found = DIALOGUES.find(([each]) => each === name);
  assert.ok(found !== undefined, name);
  return found[1].map(bytesOf);
};
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Reads a question; the byte after it. */
function endOfQuestion(bytes: Uint8Array): number {
  let at = 12;
  while (bytes[at] !== 0) at += 1 + bytes[at];
  return at + 5;
}

test('queries of DNS are whole', () => {
  const queries = DATAGRAMS.filter(([name]) => name.startsWith('dns ')).map(([, payload]) =>
    bytesOf(payload),
  );
  assert.ok(queries.length > 8);
  for (const query of queries) {
    assert.equal(view(query).getUint16(4), 1, 'one question');
    const extension = view(query).getUint16(10) * 11;
    assert.equal(endOfQuestion(query) + extension, query.length);
  }
  for (const query of messages('dns over a stream')) assert.equal(view(query).getUint16(0), query.length - 2);
});

test('lengths of MQTT, PostgreSQL, FastCGI, TLS and LDAP', () => {
  for (const packet of messages('mqtt')) assert.equal(packet[1], packet.length - 2);
  for (const packet of messages('postgresql').slice(0, 2))
    assert.equal(view(packet).getUint32(0), packet.length);
  for (const packet of messages('postgresql').slice(2))
    assert.equal(view(packet).getUint32(1), packet.length - 1);
  const [request] = messages('fastcgi');
  let at = 0;
  while (at < request.length) at += 8 + view(request).getUint16(at + 4);
  assert.equal(at, request.length);
  const [hello] = messages('tls');
  assert.equal(view(hello).getUint16(3), hello.length - 5);
  assert.equal(view(hello).getUint16(7), hello.length - 9);
  for (const packet of messages('ldap')) assert.equal(packet[1], packet.length - 2);
  for (const packet of messages('mysql')) assert.equal(packet[0], packet.length - 4);
});

test('names are different, and every scenario ends what it began', () => {
  const names = [...DIALOGUES, ...DATAGRAMS].map(([name]) => name);
  assert.equal(new Set(names).size, names.length);
  for (const dialogue of DIALOGUES) {
    const { actions } = dialogueScenario(3, dialogue);
    assert.deepEqual(actions[0], { do: 'connect', listener: 3, id: 'a' });
    const said = actions.filter((action) => action.do === 'send' || action.do === 'connect-opened');
    assert.equal(said.length, dialogue[1].length);
    assert.ok(actions.some((action) => action.do === 'close'));
  }
  assert.equal(
    datagramDialogue(1, DATAGRAMS[0]).actions.filter(({ do: what }) => what === 'datagram').length,
    2,
  );
});
