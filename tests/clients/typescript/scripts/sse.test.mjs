// The parser of server-sent events, fed in pieces as a network brings them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { SseParser, readEvents } from './node_modules/oxide-client/dist/sse.js';

const encode = (text) => new TextEncoder().encode(text);

function read(...pieces) {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(typeof piece === 'string' ? encode(piece) : piece));
}

const STREAM =
  ': a comment\r\n\r\nevent: delta\r\ndata: {"text": "naïve 😀"}\r\n\r\ndata: one\r\ndata: two\r\n\r\n: ping\n\nevent: done\rdata:{}\r\r';
const EVENTS = [
  { name: 'delta', data: '{"text": "naïve 😀"}' },
  { name: 'message', data: 'one\ntwo' },
  { name: 'done', data: '{}' },
];

test('a whole stream is read at once', () => {
  assert.deepEqual(read(STREAM), EVENTS);
});

test('a stream may be split anywhere, in the middle of a character and of a line end, too', () => {
  const bytes = encode(STREAM);
  for (let first = 0; first <= bytes.length; first++) {
    for (const second of [first, first + 1, Math.min(first + 7, bytes.length)]) {
      const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
      assert.deepEqual(read(...pieces), EVENTS, `split at ${first} and ${second}`);
    }
  }
});

test('a stream may come byte by byte', () => {
  assert.deepEqual(read(...Array.from(encode(STREAM), (byte) => Uint8Array.of(byte))), EVENTS);
});

test('an event is there with the carriage return that ends it', () => {
  assert.deepEqual(read('data: x\r\r'), [{ name: 'message', data: 'x' }]);
  assert.deepEqual(read('data: x\r', '\n', '\n'), [{ name: 'message', data: 'x' }]);
  assert.deepEqual(read('data: x\r', '\n\r', '\ndata: y\n\n').length, 2);
});

test('one blank after the colon is not part of a value', () => {
  assert.deepEqual(read('data:  x\n\n', 'data:y\n\n', 'data\n\n').map((event) => event.data), [' x', 'y', '']);
});

test('a name without data is no event, and is forgotten', () => {
  assert.deepEqual(read('event: delta\n\ndata: x\n\n'), [{ name: 'message', data: 'x' }]);
});

test('fields that are not known, and a byte order mark, do no harm', () => {
  assert.deepEqual(read('\uFEFFid: 7\nretry: 10\nnew: 1\ndata: x\n\n'), [{ name: 'message', data: 'x' }]);
});

test('what is not ended by a blank line is no event', async () => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(encode('data: whole\n\ndata: half\n'));
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(body)) events.push(event.data);
  assert.deepEqual(events, ['whole']);
});

test('a long line in many pieces takes no longer than its length', () => {
  const piece = 'x'.repeat(1000);
  const begin = Date.now();
  const [event] = read('data: ', ...Array.from({ length: 5000 }, () => piece), '\n\n');
  assert.equal(event.data.length, 5_000_000);
  assert.ok(Date.now() - begin < 2000);
});
