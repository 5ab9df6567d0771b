// Paths of web services: found in memory however a language keeps texts, told apart by the answers, tried with the names
// that the sources have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ActionMark, Scenario, ScenarioTrace, Step } from '../../src/explore/index.ts';
import { routesIn, targetOf } from '../../src/explore/live-texts.ts';
import {
  answerOverHttp,
  knownRoutes,
  linksIn,
  namesInAnswers,
  parameterScenario,
  quotedNames,
  routeScenario,
  routesInSources,
} from '../../src/explore/routes.ts';
import { createMemory, PROT } from '../../src/machine/index.ts';

const HEAP = 0x7f00_0000_0000;
const RODATA = 0x40_0000;

/** Routes in memory whose writable part has this. */
function routes(
  fill: (put: (at: number, bytes: string | number[]) => void) => void,
  rodata = '',
): readonly string[] {
  const space = createMemory().createAddressSpace();
  space.map({ address: RODATA, length: 0x2000, prot: PROT.READ | PROT.WRITE });
  space.write(RODATA, Buffer.from(rodata));
  space.protect(RODATA, 0x2000, PROT.READ);
  space.map({ address: HEAP, length: 0x10_0000, prot: PROT.READ | PROT.WRITE });
  fill((at, bytes) =>
    space.write(HEAP + at, Uint8Array.from(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)),
  );
  return routesIn(space);
}

const counted = (pointer: number, length: number): number[] => {
  const words = new DataView(new ArrayBuffer(16));
  words.setBigUint64(0, BigInt(pointer), true);
  words.setUint32(8, length, true);
  return [...new Uint8Array(words.buffer)];
};

test('texts that a zero byte ends: C, Python, PHP', () => {
  assert.deepEqual(
    routes((put) => {
      put(0x100, '\0/notes\0');
      put(0x200, '\0/static/<path:filename>\0');
      put(0x1ffd, '\0/pages/that/two/pages/have\0');
    }),
    ['/notes', '/pages/that/two/pages/have', '/static/<path:filename>'],
  );
});

test('texts whose length stands before them: V8, Java', () => {
  assert.deepEqual(
    routes((put) => put(0x100, '\x09\0\0\0/api/list\x01\x02\x03')),
    ['/api/list'],
  );
  // what only looks like it
  assert.deepEqual(
    routes((put) => put(0x100, '\x63\0\0\0/api/list\x01\x02\x03')),
    [],
  );
});

test('pointers and lengths: Go, Rust, C++; methods before the path', () => {
  const rodata = 'xx/putPOST /items/{id}/get..';
  assert.deepEqual(
    routes((put) => {
      put(0x100, counted(RODATA + 2, 4));
      put(0x200, counted(RODATA + 6, 16));
      put(0x300, counted(RODATA + 22, 4));
      // not mapped, not text, not aligned, the length of something else
      put(0x400, counted(0x123456789, 4));
      put(0x500, counted(RODATA + 2, 4000));
      put(0x604, counted(RODATA + 7, 5));
      put(0x700, counted(RODATA, 5));
    }, rodata),
    ['/get', '/items/{id}', '/put'],
  );
});

test('what is no route is left out', () => {
  assert.deepEqual(
    routes((put) => {
      put(0x100, '\0/\0');
      put(0x110, '\0/a b\0');
      put(0x120, '\0a/b\0');
      put(0x130, '\0/x\x80y\0');
      put(0x140, `\0/${'a'.repeat(200)}\0`);
      put(0x240, '\0//\0\0/..\0');
      put(0x260, '\0/cpu/time:seconds\0');
    }),
    [],
  );
});

test('parameters of routes become what clients choose', () => {
  for (const [route, target] of [
    ['/item/<int:id>/edit', '/item/{token}/edit'],
    ['/item/{id}', '/item/{token}'],
    ['/files/{path...}', '/files/{token}'],
    ['/user/:name/posts', '/user/{token}/posts'],
    ['/any/*', '/any/{token}'],
    ['/{$}', '/'],
    ['/plain', '/plain'],
  ])
    assert.equal(targetOf(route), target, route);
});

/** What a service answers to each connection of a scenario. */
function answering(answer: (request: string) => string): (scenario: Scenario) => ScenarioTrace {
  return ({ name, actions }) => ({
    name,
    steps: [],
    chosen: 'qzkva',
    ended: false,
    instructions: 0,
    marks: [],
    answers: actions.flatMap((action) => ('payload' in action ? [answer(action.payload)] : [])),
  });
}

test('a path is known where it is answered otherwise than one that nobody knows', () => {
  const pages = new Set(['/a', '/api/info', '/with/{token}']);
  let clock = 0;
  const play = answering((request) => {
    const target = request.split(' ')[1];
    const date = `Date: ${clock++}\r\n`;
    return pages.has(target) ? `HTTP/1.1 200\r\n${date}\r\nyes` : `HTTP/1.1 404\r\n${date}\r\nno ${target}`;
  });
  const candidates = [
    ...Array.from({ length: 40 }, (_, i) => `/no${i}`),
    '/a',
    '/api/info',
    '/with/{token}',
    '/b',
  ];
  assert.deepEqual(knownRoutes(0, candidates, play), {
    routes: ['/a', '/api/info', '/with/{token}'],
    leftOut: 0,
  });
  // nothing was played any more: what was not looked at is said
  assert.deepEqual(
    knownRoutes(0, candidates, () => undefined),
    { routes: [], leftOut: candidates.length },
  );
  const many = Array.from({ length: 1000 }, (_, i) => `/r${i}`);
  const all = answering((request) => `HTTP/1.1 200\r\n\r\n${/ \/r\d/.test(request) ? 'yes' : 'no'}`);
  const { routes: some, leftOut } = knownRoutes(0, many, all);
  assert.ok(some.length > 10 && some.length < 1000);
  assert.equal(some.length + leftOut, 1000);
});

test('a path is known by what is done with files for it, whatever is answered', () => {
  const file = (path: string): Step => ({
    kind: 'effect',
    event: {
      sequence: 0,
      pid: 1,
      tid: 1,
      parentPid: 0,
      exe: '/s',
      syscall: 'open',
      args: [],
      result: -2,
      stack: [],
      stackCut: false,
      effect: { op: 'OPEN', access: 'r', resource: { kind: 'file', type: 'f', path } },
    },
  });
  const play = ({ name, actions }: Scenario): ScenarioTrace => {
    const [steps, marks]: [Step[], ActionMark[]] = [[], []];
    for (const action of actions) {
      if ('payload' in action) {
        const target = (action.payload ?? '').split(' ')[1].replaceAll('{token}', 'qzkva');
        // the first request of all opens a log; one place is elsewhere
        if (steps.length === 0) steps.push(file('/log'));
        steps.push(file(target.startsWith('/img') ? `/images${target}` : `/www${target}`));
      }
      marks.push({ steps: steps.length, instructions: 0 });
    }
    const answers = actions.flatMap((action) => ('payload' in action ? ['HTTP/1.1 404\r\n\r\n'] : []));
    return { name, steps, marks, answers, chosen: 'qzkva', ended: false, instructions: 0 };
  };
  assert.deepEqual(knownRoutes(0, ['/a', '/img', '/var/log', '/{token}.php'], play).routes, ['/img']);
});

test('who speaks HTTP', () => {
  for (const [answer, expected] of [
    ['HTTP/1.0 200 OK\r\n\r\n', 'HTTP/1.0 200 OK\r\n\r\n'],
    ['-ERR unknown command\r\n', undefined],
  ])
    assert.equal(
      answerOverHttp(
        0,
        answering(() => answer ?? ''),
      ),
      expected,
    );
});

test('answers lead to more', () => {
  const page = [
    'HTTP/1.1 302 Found',
    'Location: /login/?next=/home',
    'Content-Type: text/html',
    '',
    '<a href="list.html#top">, <a href=/docs/a?x=1&amp;y=2>, <form action=\'../save\'>',
    '<script src="//other.example/x.js"></script> <a href="mailto:a@b"> <img src="http://localhost/i.png">',
    '{"self": "/api/1", "all": ["/api", "no"], "text": "a/b"}',
  ].join('\r\n');
  assert.deepEqual(linksIn(page, '/site/page'), [
    '/login/',
    '/site/list.html',
    '/docs/a',
    '/save',
    '/i.png',
    '/api/1',
    '/api',
  ]);
  assert.deepEqual(linksIn('220 href="/x"', '/'), []);
});

test('paths that only answers tell are asked for, and what these lead to', () => {
  const pages = new Map([
    ['/', '<a href="/a/">'],
    ['/a/', '<a href="b">'],
    ['/a/b', 'the end'],
  ]);
  const play = answering((request) => {
    const page = pages.get(request.split(' ')[1]);
    return page === undefined ? 'HTTP/1.1 404\r\n\r\nno' : `HTTP/1.1 200\r\n\r\n${page}`;
  });
  assert.deepEqual(knownRoutes(0, ['/none'], play, answerOverHttp(0, play)), {
    routes: ['/a/', '/a/b'],
    leftOut: 0,
  });
});

test('paths that stand in sources', () => {
  const text = Buffer.from(
    `route("/a/<int:n>"), path('admin/', x), re("not a path/"), "text/html", "/else" "x"`,
  );
  const compiled = Buffer.from(
    '\xa7\x0d\x0d\x0a\0\0\0\0\xda\x06admin/z\x0duser/<int:n>/\xda\x05/heldX\xda\x03abc',
    'latin1',
  );
  assert.deepEqual(routesInSources([text, compiled]), [
    '/a/<int:n>',
    '/admin/',
    '/else',
    '/user/<int:n>/',
    '/held',
  ]);
});

test('names that answers ask for', () => {
  const json =
    'HTTP/1.1 422 No\r\nContent-Type: application/json\r\n\r\n{"detail":[{"loc":["body","price"]}]}';
  assert.deepEqual(namesInAnswers([json]), ['detail', 'loc', 'body', 'price']);
  const form = `HTTP/1.1 200 OK\r\n\r\n<input type="text" name="user"><input name=pass id="x">`;
  assert.deepEqual(namesInAnswers([form, '"no"']), ['user', 'pass']);
});

test('names between quotes, and after their length', () => {
  const source = `x = request.args.get("f"); y = form['user-name']; z = "not a name"; t = 'x' * 3 # "f" again`;
  assert.deepEqual(quotedNames([Buffer.from(source)]), ['f', 'user-name', 'x']);
  const compiled = Buffer.from(
    '\xa7\x0d\x0d\x0a\0\0\0\0\xda\x04args\xda\x03get\xda\x01fN)\x63never',
    'latin1',
  );
  assert.deepEqual(quotedNames([compiled]), ['args', 'get', 'f']);
});

test('the first sources have more names than one each before those of libraries', () => {
  const sources = Array.from({ length: 30 }, (_, i) =>
    Buffer.from(['a', 'b', 'c', 'd', 'e'].map((name) => `"${name}${i}"`).join(' ')),
  );
  const names = quotedNames([Buffer.from('nothing here'), ...sources]);
  assert.deepEqual(names.slice(0, 6), ['a0', 'b0', 'c0', 'd0', 'e0', 'a1']);
  assert.equal(names.length, 48);
  // what stands after a number in machine code, or in tables, is no name
  assert.deepEqual(quotedNames([Buffer.from('\x7fELF\x02\x01\x01\0\xda\x04args', 'latin1')]), []);
});

test('requests: lengths are those of their bodies under every environment', () => {
  const actions = [
    ...routeScenario(0, '/path').actions,
    ...parameterScenario(0, '/path', ['a', 'b']).actions,
  ];
  const payloads = actions.flatMap((action) => ('payload' in action ? [action.payload] : []));
  assert.ok(payloads.some((text) => text.startsWith('GET /path?a={token}&b={token} ')));
  assert.ok(payloads.some((text) => text.startsWith('PUT /path/{token} ')));
  assert.ok(payloads.some((text) => text.includes('"a":"{token}"')));
  for (const payload of payloads) {
    const [head, body] = payload.replaceAll('{token}', 'qzkva').split('\r\n\r\n');
    assert.equal(Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0), body.length);
  }
});
