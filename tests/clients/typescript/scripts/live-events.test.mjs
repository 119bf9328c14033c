// How live events are connected, over a WebSocket that does as the test says.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ForbiddenError, Oxide, OxideError, UnauthorizedError } from 'oxide-client';
import { json, serve } from './local-server.mjs';

/** Each connection is opened, does what is next in `deeds`, and keeps what it is told. */
function scripted(...deeds) {
  const made = [];
  class Scripted {
    said = [];
    #listeners = {};

    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      made.push(this);
      const deed = deeds[made.length - 1];
      setTimeout(() => {
        this.tell('open', {});
        deed?.(this);
      });
    }

    addEventListener(type, listener) {
      this.#listeners[type] = listener;
    }

    tell(type, event) {
      this.#listeners[type]?.(event);
    }

    hear(message) {
      this.tell('message', { data: JSON.stringify(message) });
    }

    end(code, reason = '') {
      this.tell('close', { code, reason });
    }

    send(data) {
      this.said.push({ at: Date.now(), ...JSON.parse(data) });
    }

    close() {}
  }
  return { WebSocket: Scripted, made };
}

const whole = (socket) => socket.hear({ type: 'snapshot', data: {} });
const url = 'http://oxide.example';

async function hear(events, most = Infinity) {
  const heard = [];
  for await (const event of events) if (heard.push(event) >= most) break;
  return heard;
}

test('the address is that of Oxide, and the token a subprotocol', async () => {
  const { WebSocket, made } = scripted(whole);
  await hear(new Oxide('https://oxide.example/', { token: 'ox-1', WebSocket }).events(), 2);
  assert.equal(made[0].url, 'wss://oxide.example/ws');
  assert.deepEqual(made[0].protocols, ['oxide', 'bearer.ox-1']);
});

test('what is not to be heard is said at once', async () => {
  const { WebSocket, made } = scripted(whole);
  await hear(new Oxide(url, { WebSocket }).events({ topics: ['tasks'], tasks: ['a'] }), 2);
  const said = made[0].said.map(({ at, ...message }) => message);
  assert.deepEqual(said, [
    { type: 'unsubscribe', topics: ['services', 'metrics'] },
    { type: 'subscribe', task_id: 'a' },
  ]);
});

test('a hundred tasks are followed no faster than Oxide takes it', async () => {
  const { WebSocket, made } = scripted();
  const events = new Oxide(url, { WebSocket }).events({ tasks: Array.from({ length: 100 }, (_, place) => `task-${place}`) });
  setTimeout(() => events.close(), 1500);
  await hear(events);
  const { said } = made[0];
  assert.equal(said.length, 100);
  assert.ok(said[50].at - said[49].at > 1000);
});

test('events and messages of later versions are passed on, an answered ping is not', async () => {
  const { WebSocket } = scripted((socket) => {
    socket.hear({ type: 'pong' });
    socket.hear({ type: 'mood', colour: 'blue' });
  });
  assert.deepEqual((await hear(new Oxide(url, { WebSocket }).events(), 2))[1], { type: 'mood', colour: 'blue' });
});

test('a refusal that no new try would mend is thrown, with what Oxide said', async () => {
  const cases = [
    [4401, 'UNAUTHORIZED', UnauthorizedError],
    [4403, 'FORBIDDEN', ForbiddenError],
    [1008, 'RATE_LIMIT_EXCEEDED', OxideError],
  ];
  for (const [code, name, kind] of cases) {
    const { WebSocket, made } = scripted((socket) => {
      socket.hear({ type: 'error', code: name, detail: 'In detail.' });
      socket.end(code);
    });
    await assert.rejects(hear(new Oxide(url, { WebSocket }).events()), (error) => {
      return error instanceof kind && error.code === name && error.detail === 'In detail.';
    });
    assert.equal(made.length, 1);
  }
});

test('pauses grow until a snapshot has come', async () => {
  const { WebSocket } = scripted(
    (socket) => socket.end(1012, 'service restart'),
    (socket) => socket.end(1013),
    (socket) => {
      whole(socket);
      socket.end(1006);
    },
  );
  const heard = await hear(new Oxide(url, { WebSocket }).events({ firstPauseMs: 20, longestPauseMs: 5000 }), 7);
  assert.deepEqual(
    heard.map((event) => event.type),
    ['connected', 'disconnected', 'connected', 'disconnected', 'connected', 'snapshot', 'disconnected'],
  );
  assert.deepEqual([heard[1].code, heard[1].reason], [1012, 'service restart']);
  assert.deepEqual([heard[0].attempt, heard[2].attempt, heard[4].attempt], [1, 2, 3]);
  assert.ok(heard[3].retryInMs >= 20 && heard[6].retryInMs <= 20);
});

test('the next token is shown before the first one ends, and one that has ended is renewed', async (t) => {
  let number = 0;
  const server = await serve(t, (response) => {
    number += 1;
    const pair = { access_token: `access-${number}`, token_type: 'bearer', expires_in: 30.5, refresh_token: 'r' };
    json(200, pair)(response);
  });
  const { WebSocket, made } = scripted(whole, (socket) => {
    whole(socket);
    setTimeout(() => socket.end(1012), 1200);
  });
  const client = new Oxide(server.url, { WebSocket });
  await client.login('admin', 'secret');
  setTimeout(() => made[0].end(4401), 100);
  const heard = await hear(client.events(), 6);
  assert.deepEqual(
    heard.map((event) => event.type),
    ['connected', 'snapshot', 'disconnected', 'connected', 'snapshot', 'disconnected'],
  );
  assert.equal(heard[2].retryInMs, 0);
  assert.deepEqual(
    made.map((socket) => socket.protocols[1]),
    ['bearer.access-1', 'bearer.access-2'],
  );
  assert.deepEqual([made[1].said[0].type, made[1].said[0].token], ['auth', 'access-3']);
});

test('one loop alone reads it, and none once it is closed', async () => {
  const { WebSocket, made } = scripted(whole);
  const events = new Oxide(url, { WebSocket }).events();
  await hear(events, 1);
  await assert.rejects(hear(events), { code: 'IN_USE' });
  const closed = new Oxide(url, { WebSocket }).events();
  closed.close();
  assert.deepEqual(await hear(closed), []);
  assert.equal(made.length, 1);
});
