// Addresses with a wrong scheme: one error that names the right one, and no second try.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import { ConnectionLostError, Oxide, WrongAddressError } from 'oxide-client';
import { cut, json, serve, text } from './local-server.mjs';

const MANY = { maxRetries: 50 };

async function listening(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `127.0.0.1:${server.address().port}`;
}

test('addresses', { concurrency: true }, async (t) => {
  const check = (name, body) => t.test(name, body);
  await Promise.all([
    ...Object.entries({
      'localhost:8000': 'Use http://localhost:8000.',
      'oxide.example.com': 'Use http://oxide.example.com.',
      '[::1]:8000': 'Use http://[::1]:8000.',
      'ws://localhost:8000': 'Use http://localhost:8000.',
      'wss://oxide.example.com': 'Use https://oxide.example.com.',
      'http:/localhost': 'such as http://localhost:8000',
    }).map(([address, advice]) =>
      check(`${address} is refused before anything is sent`, () => {
        assert.throws(
          () => new Oxide(address),
          (error) => error instanceof WrongAddressError && error.message.includes(advice),
        );
      }),
    ),

    check('a page may ask its own host', () => {
      for (const address of ['', '/', '/oxide/']) new Oxide(address);
    }),

    check('https to a server without TLS names http', async (t) => {
      let connections = 0;
      const server = net.createServer((socket) => {
        connections++;
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
      });
      const host = await listening(t, server);
      const error = await new Oxide(`https://${host}`, MANY).metrics().catch((error) => error);
      assert.ok(error instanceof WrongAddressError, String(error));
      assert.match(error.message, new RegExp(`speaks plain HTTP.*Use http://${host} `));
      assert.equal(connections, 1);
    }),

    check('http to a server of TLS names https', async (t) => {
      let connections = 0;
      const server = tls.createServer({});
      server.on('connection', () => connections++).on('tlsClientError', () => {});
      const host = await listening(t, server);
      for (const call of [(oxide) => oxide.metrics(), (oxide) => oxide.executeTask('Hello')]) {
        connections = 0;
        const error = await call(new Oxide(`http://${host}`, MANY)).catch((error) => error);
        assert.ok(error instanceof WrongAddressError, String(error));
        assert.match(error.message, new RegExp(`speaks TLS. Use https://${host} `));
        assert.equal(connections, 2); // the call, and the question whether it is TLS
      }
    }),

    check('a server that says so in plain text is understood', async (t) => {
      for (const said of ['<p>The plain HTTP request was sent to HTTPS port</p>', 'Client sent an HTTP request to an HTTPS server.']) {
        const { url, requests } = await serve(t, text(400, said));
        const error = await new Oxide(url, MANY).metrics().catch((error) => error);
        assert.ok(error instanceof WrongAddressError, String(error));
        assert.match(error.message, /Use https:/);
        assert.equal(requests.length, 1);
      }
    }),

    check('live events end where the address can never be right', async (t) => {
      if (!globalThis.WebSocket) return;
      const server = tls.createServer({});
      server.on('tlsClientError', () => {});
      const host = await listening(t, server);
      await assert.rejects(async () => {
        for await (const event of new Oxide(`http://${host}`).events()) assert.notEqual(event.type, 'disconnected');
      }, WrongAddressError);
    }),

    check('a server that has answered is not asked which scheme it speaks', async (t) => {
      const { url, requests } = await serve(t, json(200, {}), cut);
      const oxide = new Oxide(url, { maxRetries: 0 });
      await oxide.metrics();
      await assert.rejects(oxide.executeTask('Hello'), (error) => {
        assert.ok(error instanceof ConnectionLostError);
        assert.match(error.message, /look at the history before you repeat it/);
        assert.doesNotMatch(error.message, /that Oxide runs/);
        return true;
      });
      assert.equal(requests.length, 2);
    }),
  ]);
});
