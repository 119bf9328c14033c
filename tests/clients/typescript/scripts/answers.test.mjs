// Answers as they are, from Oxide, from later versions of it, and from others.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as client from 'oxide-client';
import { json, refuse, serve, stream, text } from './local-server.mjs';

const { Oxide, OxideError, UnexpectedAnswerError } = client;

const CODES = {
  VALIDATION_ERROR: [400, 'ValidationError'],
  CONFIG_INVALID: [400, 'ConfigInvalidError'],
  UNAUTHORIZED: [401, 'UnauthorizedError'],
  FORBIDDEN: [403, 'ForbiddenError'],
  NOT_FOUND: [404, 'NotFoundError'],
  MODEL_NOT_FOUND: [404, 'NotFoundError'],
  METHOD_NOT_ALLOWED: [405, 'MethodNotAllowedError'],
  PAYLOAD_TOO_LARGE: [413, 'PayloadTooLargeError'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'UnsupportedMediaTypeError'],
  RATE_LIMIT_EXCEEDED: [429, 'RateLimitError'],
  INTERNAL_ERROR: [500, 'InternalError'],
  PROVIDER_ERROR: [502, 'ProviderError'],
  PROVIDER_RATE_LIMITED: [429, 'ProviderRateLimitError'],
  PROVIDER_OVERLOADED: [529, 'ProviderOverloadedError'],
  INVALID_API_KEY: [502, 'InvalidApiKeyError'],
  SERVICE_UNAVAILABLE: [503, 'ServiceUnavailableError'],
  SERVICE_BUSY: [503, 'ServiceBusyError'],
  TIMEOUT: [504, 'TaskTimeoutError'],
  INTERRUPTED: [500, 'TaskInterruptedError'],
  CANCELLED: [503, 'TaskCancelledError'],
};

test('every code has its class', async (t) => {
  for (const [code, [status, name]] of Object.entries(CODES)) {
    const { url } = await serve(t, refuse(status, code, 'In short', { task_id: 'a', attempts: [{ number: 1 }] }));
    const error = await new Oxide(url, { maxRetries: 0 }).executeTask('Hello').catch((error) => error);
    assert.ok(error instanceof client[name] && error instanceof OxideError && error instanceof Error, code);
    assert.deepEqual([error.name, error.code, error.status], [name, code, status]);
    assert.deepEqual([error.message, error.detail], ['In short: In detail.', 'In detail.']);
    assert.deepEqual([error.taskId, error.attempts], ['a', [{ number: 1 }]]);
  }
});

test('a code of a later version is an OxideError with that code', async (t) => {
  const { url } = await serve(t, refuse(418, 'TEAPOT', 'Teapot'));
  const error = await new Oxide(url).metrics().catch((error) => error);
  assert.deepEqual([error.name, error.code, error.attempts], ['OxideError', 'TEAPOT', []]);
});

test('an error that is not of Oxide says who sent what', async (t) => {
  const cases = [
    [401, 'UnauthorizedError'],
    [403, 'ForbiddenError'],
    [413, 'PayloadTooLargeError'],
    [502, 'UnexpectedAnswerError'],
    [504, 'UnexpectedAnswerError'],
  ];
  for (const [status, name] of cases) {
    const { url } = await serve(t, text(status, '<h1>nginx</h1>'));
    const error = await new Oxide(url).metrics().catch((error) => error);
    assert.deepEqual([error.name, error.code, error.status], [name, '', status]);
    assert.match(error.message, new RegExp(`^${url}.* answered ${status}.*<h1>nginx</h1>.*Check the address`));
  }
});

test('an answer that is no JSON, or no stream, is not of Oxide', async (t) => {
  const { url } = await serve(t, text(200, '<h1>Welcome to nginx!</h1>'));
  await assert.rejects(new Oxide(url).metrics(), UnexpectedAnswerError);
  await assert.rejects(new Oxide(url).streamTask('Hello').next(), UnexpectedAnswerError);
});

test('fields and events of later versions do no harm', async (t) => {
  const { url } = await serve(t, json(200, { result: 'Done.', mood: { colour: 'blue' } }));
  assert.deepEqual(await new Oxide(url).executeTask('Hello'), { result: 'Done.', mood: { colour: 'blue' } });
  const later = 'event: mood\ndata: blue\n\nevent: delta\ndata: {"text": "x", "mood": 1}\n\nevent: done\ndata: {"mood": 2}\n\n';
  const streaming = await serve(t, stream(later));
  const heard = [];
  for await (const event of new Oxide(streaming.url).streamTask('Hello')) heard.push(event);
  assert.deepEqual(heard, [
    { type: 'delta', data: { text: 'x', mood: 1 } },
    { type: 'done', data: { mood: 2 } },
  ]);
});

test('an error in a stream is told, and then thrown', async (t) => {
  const body = { error: 'Provider error', detail: 'It broke.', code: 'PROVIDER_ERROR', task_id: 'a', attempts: [] };
  const { url } = await serve(t, stream(`event: task\ndata: {}\n\nevent: error\ndata: ${JSON.stringify(body)}\n\n`));
  const heard = [];
  const reading = async () => {
    for await (const event of new Oxide(url).streamTask('Hello')) heard.push(event.type);
  };
  await assert.rejects(reading, (error) => error instanceof client.ProviderError && error.taskId === 'a');
  assert.deepEqual(heard, ['task', 'error']);
});

test('a failed task that was waited for is thrown as its error', async (t) => {
  const running = { task_id: 'a', status: 'running' };
  const failed = { task_id: 'a', status: 'failed', error_code: 'INTERRUPTED', error_detail: 'Send it again.', attempts: [] };
  const { url } = await serve(t, json(200, running), json(200, failed));
  await assert.rejects(new Oxide(url).waitForTask('a'), (error) => {
    return error instanceof client.TaskInterruptedError && error.detail === 'Send it again.' && error.taskId === 'a';
  });
});

test('waiting for a task has a time, and can be called off', async (t) => {
  const { url } = await serve(t, json(200, { task_id: 'a', status: 'running' }));
  await assert.rejects(new Oxide(url).waitForTask('a', { timeoutMs: 200 }), client.DeadlineError);
  await assert.rejects(new Oxide(url).waitForTask('a', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
});

test('what goes to Oxide has its names, what stays here does not go', async (t) => {
  const { url, requests } = await serve(t, json(200, {}));
  const oxide = new Oxide(`${url}/`, { token: 'ox-1', headers: { 'X-Own': 'yes' } });
  const { signal } = new AbortController();
  await oxide.executeTask('Hello');
  await oxide.executeTask('Hello', 'chat', { max_tokens: 5, signal, timeoutMs: 5000, maxRetries: 1 });
  await oxide.executeTask('Hello', { task_type: 'analysis', service: 'echo', signal });
  await oxide.executeTask([{ role: 'user', content: 'Hello' }], null);
  await oxide.history({ limit: 5, search: 'a&b', created_after: new Date(0), service: undefined });
  await oxide.services.details('a/b c');
  assert.deepEqual(
    requests.slice(0, 4).map((request) => request.body),
    [
      { prompt: 'Hello', task_type: 'general' },
      { prompt: 'Hello', task_type: 'chat', max_tokens: 5 },
      { prompt: 'Hello', task_type: 'analysis', service: 'echo' },
      { messages: [{ role: 'user', content: 'Hello' }], task_type: null },
    ],
  );
  assert.deepEqual(
    requests.slice(3).map((request) => request.url),
    [
      '/api/tasks/execute/',
      '/api/tasks/history/?limit=5&search=a%26b&created_after=1970-01-01T00%3A00%3A00.000Z',
      '/api/services/a%2Fb%20c/',
    ],
  );
  for (const { headers } of requests) assert.deepEqual([headers.authorization, headers['x-own']], ['Bearer ox-1', 'yes']);
});

test('another fetch can be given', async () => {
  const asked = [];
  const fetch = async (url) => {
    asked.push(url);
    return Response.json({ status: 'ok' });
  };
  assert.deepEqual(await new Oxide('http://elsewhere', { fetch }).health(), { status: 'ok' });
  assert.deepEqual(asked, ['http://elsewhere/health']);
});
