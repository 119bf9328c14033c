// Staying logged in, against a server whose tokens end when the test says so.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Oxide, UnauthorizedError } from 'oxide-client';
import { json, refuse, serve } from './local-server.mjs';

const REFUSED = refuse(401, 'UNAUTHORIZED', 'Authentication failed');

/** Knows one token at a time, and each refresh token once. */
async function guarded(t, expires_in = 600) {
  let number = 0;
  let valid = '';
  const issue = (response) => {
    valid = `access-${++number}`;
    json(200, { access_token: valid, token_type: 'bearer', expires_in, refresh_token: `refresh-${number}` })(response);
  };
  const server = await serve(t, (response, request) => {
    const { body } = server.requests.at(-1);
    if (request.url === '/auth/login') return issue(response);
    if (request.url === '/auth/refresh') {
      return body.refresh_token === `refresh-${number}` ? issue(response) : REFUSED(response);
    }
    return (request.headers.authorization === `Bearer ${valid}` ? json(200, { ok: true }) : REFUSED)(response);
  });
  const refreshes = () => server.requests.filter((request) => request.url === '/auth/refresh').length;
  return { ...server, refreshes, expire: () => (valid = '') };
}

test('a token that is refused is renewed, and the call sent again', async (t) => {
  const server = await guarded(t);
  const oxide = new Oxide(server.url);
  await oxide.login('admin', 'secret');
  server.expire();
  assert.deepEqual(await oxide.executeTask('Hello'), { ok: true });
  assert.equal(server.refreshes(), 1);
});

test('many calls at once renew it once', async (t) => {
  const server = await guarded(t);
  const oxide = new Oxide(server.url);
  await oxide.login('admin', 'secret');
  server.expire();
  await Promise.all(Array.from({ length: 10 }, () => oxide.metrics()));
  assert.equal(server.refreshes(), 1);
});

test('a token that is about to end is renewed before the call', async (t) => {
  const server = await guarded(t, 10);
  const oxide = new Oxide(server.url);
  await oxide.login('admin', 'secret');
  await oxide.metrics();
  assert.equal(server.refreshes(), 1);
  assert.ok(server.requests.every((request) => request.url.startsWith('/auth') || request.headers.authorization === 'Bearer access-2'));
});

test('without a login a refusal is the answer', async (t) => {
  const server = await guarded(t);
  await assert.rejects(new Oxide(server.url, { token: 'old' }).metrics(), UnauthorizedError);
  await assert.rejects(new Oxide(server.url).refresh(), UnauthorizedError);
  assert.equal(server.requests.length, 1);
});

test('a login that has ended elsewhere is told, and not asked for again', async (t) => {
  const server = await serve(
    t,
    json(200, { access_token: 'a', token_type: 'bearer', expires_in: 600, refresh_token: 'r' }),
    REFUSED,
  );
  const oxide = new Oxide(server.url);
  await oxide.login('admin', 'secret');
  await assert.rejects(oxide.metrics(), UnauthorizedError);
  await assert.rejects(oxide.metrics(), UnauthorizedError);
  assert.deepEqual(
    server.requests.map((request) => request.url.split('/')[1]),
    ['auth', 'api', 'auth', 'api'],
  );
});
