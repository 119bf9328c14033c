// What is sent again, when, and what is not.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import net from 'node:net';
import test from 'node:test';
import {
  ConnectionFailedError,
  ConnectionLostError,
  DeadlineError,
  Oxide,
  RateLimitError,
  ServiceBusyError,
  ServiceUnavailableError,
  TaskCancelledError,
} from 'oxide-client';
import { pauseBefore } from './node_modules/oxide-client/dist/retries.js';
import { cut, hang, json, refuse, serve, stream, text } from './local-server.mjs';

const DONE = { task_id: 't', status: 'completed', result: 'Done.' };
const RATE_LIMITED = (seconds) =>
  refuse(429, 'RATE_LIMIT_EXCEEDED', 'Rate limit exceeded', {}, { 'Retry-After': seconds });
const BUSY = refuse(503, 'SERVICE_BUSY', 'Service busy', {}, { 'Retry-After': '1' });
const attempt = (error_kind) => ({ number: 1, service: 'first', error_kind });

test('retries', { concurrency: true }, async (t) => {
  const check = (name, body) => t.test(name, body);
  await Promise.all([
    check('a rate limit is waited for as long as it says', async (t) => {
      const { url, requests } = await serve(t, RATE_LIMITED('1'), json(200, DONE));
      const answer = await new Oxide(url).executeTask('Hello');
      assert.equal(answer.result, 'Done.');
      assert.equal(requests.length, 2);
      assert.ok(requests[1].at - requests[0].at >= 990, `${requests[1].at - requests[0].at} ms`);
      assert.deepEqual(requests[0].body, requests[1].body);
    }),

    check('a date does as well', async (t) => {
      const date = new Date(Date.now() + 2000).toUTCString();
      const { url, requests } = await serve(t, RATE_LIMITED(date), json(200, DONE));
      await new Oxide(url).executeTask('Hello');
      assert.ok(requests[1].at >= Date.parse(date));
    }),

    check('a longer pause than the ceiling is not waited for', async (t) => {
      const { url, requests } = await serve(t, RATE_LIMITED('61'));
      const error = await new Oxide(url).executeTask('Hello').catch((error) => error);
      assert.ok(error instanceof RateLimitError);
      assert.deepEqual([error.retryAfter, error.status, error.code], [61, 429, 'RATE_LIMIT_EXCEEDED']);
      assert.equal(requests.length, 1);
    }),

    check('nor one for which the call has no time', async (t) => {
      const { url, requests } = await serve(t, RATE_LIMITED('5'));
      await assert.rejects(new Oxide(url).executeTask('Hello', 'chat', { timeoutMs: 3000 }), RateLimitError);
      assert.equal(requests.length, 1);
    }),

    check('it ends after as many tries as are allowed', async (t) => {
      const { url, requests } = await serve(t, RATE_LIMITED('0'));
      await assert.rejects(new Oxide(url, { maxRetries: 2 }).metrics(), RateLimitError);
      assert.equal(requests.length, 3);
      await assert.rejects(new Oxide(url).metrics({ maxRetries: 0 }), RateLimitError);
      assert.equal(requests.length, 4);
    }),

    check('a task that nobody was asked for is sent again', async (t) => {
      const nobody = refuse(503, 'SERVICE_UNAVAILABLE', 'Service not available', { attempts: [] }, { 'Retry-After': '0' });
      const { url, requests } = await serve(t, BUSY, nobody, json(200, DONE));
      assert.equal((await new Oxide(url).executeTask('Hello')).result, 'Done.');
      assert.equal(requests.length, 3);
    }),

    check('so is one that every provider refused', async (t) => {
      const after = { 'Retry-After': '0' };
      const limited = refuse(429, 'PROVIDER_RATE_LIMITED', 'Limited', { attempts: [attempt('rate_limited')] }, after);
      const overloaded = refuse(529, 'PROVIDER_OVERLOADED', 'Overloaded', { attempts: [attempt('overloaded')] }, after);
      const { url, requests } = await serve(t, limited, overloaded, json(200, DONE));
      assert.equal((await new Oxide(url).executeTask('Hello')).result, 'Done.');
      assert.equal(requests.length, 3);
    }),

    check('so is one that a proxy did not get through', async (t) => {
      const { url } = await serve(t, text(503, 'Come back', 'text/plain', { 'Retry-After': '0' }), json(200, DONE));
      assert.equal((await new Oxide(url).executeTask('Hello')).result, 'Done.');
    }),

    check('so is a stream that has not begun', async (t) => {
      const { url } = await serve(t, RATE_LIMITED('0'), stream(`event: done\ndata: ${JSON.stringify(DONE)}\n\n`));
      const heard = [];
      for await (const event of new Oxide(url).streamTask('Hello')) heard.push(event.type);
      assert.deepEqual(heard, ['done']);
    }),

    check('a task that may have run is not', async (t) => {
      const after = { 'Retry-After': '0' };
      const cases = [
        [refuse(503, 'SERVICE_UNAVAILABLE', 'Service not available', { attempts: [attempt('timeout')] }, after), ServiceUnavailableError],
        [refuse(503, 'SERVICE_UNAVAILABLE', 'Database not available', {}, after), ServiceUnavailableError],
        [refuse(503, 'SERVICE_UNAVAILABLE', 'Service not available', { attempts: [] }), ServiceUnavailableError],
        [refuse(503, 'CANCELLED', 'Cancelled', { attempts: [] }, after), TaskCancelledError],
        [refuse(429, 'PROVIDER_RATE_LIMITED', 'Limited', { attempts: [attempt('quota')] }, after), RateLimitError],
        [cut, ConnectionLostError],
      ];
      for (const [answer, kind] of cases) {
        const { url, requests } = await serve(t, answer);
        await assert.rejects(new Oxide(url).executeTask('Hello'), kind);
        assert.equal(requests.length, 1, String(kind));
      }
    }),

    check('a stream that breaks off is not sent again', async (t) => {
      const begun = 'event: task\ndata: {}\n\nevent: delta\ndata: {"text": "Qu"}\n\n';
      const breaking = (response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write(begun, () => setTimeout(() => response.socket.destroy(), 50));
      };
      for (const answer of [stream(begun), breaking]) {
        const { url, requests } = await serve(t, answer);
        const heard = [];
        const reading = async () => {
          for await (const event of new Oxide(url).streamTask('Hello')) heard.push(event.type);
        };
        await assert.rejects(reading, ConnectionLostError);
        assert.deepEqual(heard, ['task', 'delta']);
        assert.equal(requests.length, 1);
      }
    }),

    check('what only reads is sent again whatever happened to it', async (t) => {
      const away = refuse(503, 'SERVICE_UNAVAILABLE', 'Database not available', {}, { 'Retry-After': '0' });
      const { url, requests } = await serve(t, cut, away, json(200, { total: 0, tasks: [] }));
      assert.equal((await new Oxide(url).history()).total, 0);
      assert.equal(requests.length, 3);
      const explaining = await serve(t, cut, json(200, { candidates: [] }));
      await new Oxide(explaining.url).explain('Hello');
      assert.equal(explaining.requests.length, 2);
    }),

    check('a connection that was never made is tried again, for a task too', async (t) => {
      const server = createServer((_, response) => response.end(JSON.stringify(DONE)));
      const probe = net.createServer();
      await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
      const { port } = probe.address();
      await new Promise((resolve) => probe.close(resolve));
      const client = new Oxide(`http://127.0.0.1:${port}`);
      await assert.rejects(client.executeTask('Hello', { maxRetries: 0 }), ConnectionFailedError);
      setTimeout(() => server.listen(port, '127.0.0.1'), 100);
      t.after(() => server.close());
      assert.equal((await client.executeTask('Hello')).result, 'Done.');
    }),

    check('a name that nobody has, likewise', async () => {
      const error = await new Oxide('http://oxide.invalid', { maxRetries: 0 }).metrics().catch((error) => error);
      assert.ok(error instanceof ConnectionFailedError, String(error));
      assert.match(error.message, /oxide\.invalid.*Check the name of the host/);
    }),

    check('the total time ends a call, its tries included', async (t) => {
      const { url, requests } = await serve(t, BUSY, hang);
      // The pause after the first try takes a second of it; on a slow machine the rest must last until the second try.
      await assert.rejects(new Oxide(url, { timeoutMs: 4000 }).executeTask('Hello'), DeadlineError);
      assert.equal(requests.length, 2);
    }),

    check('it ends a stream, too', async (t) => {
      const { url } = await serve(t, (response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('event: task\ndata: {}\n\n: ping\n\n');
      });
      const reading = async () => {
        for await (const event of new Oxide(url).streamTask('Hello', 'chat', { timeoutMs: 200 })) assert.equal(event.type, 'task');
      };
      await assert.rejects(reading, DeadlineError);
    }),

    check('an abort ends the call, or the pause before the next try, with its reason', async (t) => {
      for (const answer of [hang, RATE_LIMITED('30')]) {
        const { url } = await serve(t, answer);
        const controller = new AbortController();
        setTimeout(() => controller.abort(), 100);
        const call = new Oxide(url).executeTask('Hello', { signal: controller.signal });
        await assert.rejects(call, { name: 'AbortError' });
      }
      const { url, requests } = await serve(t, json(200, {}));
      await assert.rejects(new Oxide(url).metrics({ signal: AbortSignal.abort('no more') }), (reason) => reason === 'no more');
      assert.equal(requests.length, 0);
    }),
  ]);
});

test('pauses double, have a ceiling and a jitter, and are never shorter than asked for', () => {
  for (let round = 0; round < 200; round++) {
    assert.ok(between(pauseBefore(1, undefined), 250, 500));
    assert.ok(between(pauseBefore(3, undefined), 1000, 2000));
    assert.ok(between(pauseBefore(20, undefined), 4000, 8000));
    assert.ok(between(pauseBefore(1, 2), 2000, 2300));
  }
  assert.ok(new Set(Array.from({ length: 20 }, () => pauseBefore(1, 2))).size > 10);
});

const between = (value, least, most) => value >= least && value <= most;

test('busy is a kind of unavailable', async (t) => {
  const { url } = await serve(t, BUSY);
  const error = await new Oxide(url, { maxRetries: 0 }).startTask('Hello').catch((error) => error);
  assert.ok(error instanceof ServiceBusyError && error instanceof ServiceUnavailableError);
  assert.equal(error.name, 'ServiceBusyError');
});
