// A small server that answers as it is told: each answer in turn, the last one for ever.
import { createServer } from 'node:http';
import { once } from 'node:events';

export async function serve(t, ...answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    requests.push({
      at: Date.now(),
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: body && JSON.parse(body),
    });
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    await answer(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

export const json = (status, body, headers = {}) => (response) => {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};
export const refuse = (status, code, error, more = {}, headers = {}) =>
  json(status, { error, detail: 'In detail.', code, ...more }, headers);
export const text = (status, body, type = 'text/html', headers = {}) => (response) => {
  response.writeHead(status, { 'Content-Type': type, ...headers });
  response.end(body);
};
export const stream = (body) => text(200, body, 'text/event-stream; charset=utf-8');
export const cut = (response) => response.socket.destroy();
export const hang = () => {};
