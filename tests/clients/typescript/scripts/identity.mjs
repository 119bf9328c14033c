// Logs in, makes a key for programs, calls with it, revokes it, logs out.
import { ForbiddenError, Oxide, UnauthorizedError } from 'oxide-client';
import WebSocket from 'ws';
import { recorded, requests, uncalled, watched } from './recording.mjs';

const [url] = process.argv.slice(2);
const nobody = new Oxide(url, { token: 'ox-nobodys', WebSocket });
const admin = watched(new Oxide(url, { WebSocket, fetch: recorded }));
const answers = [];
const nameOf = (promise) => promise.then(() => 'nothing', (error) => error.name);

async function firstEvents(client) {
  const heard = [];
  for await (const event of client.events()) {
    heard.push(event.type);
    if (event.type === 'snapshot') break;
  }
  return heard;
}

const refused = await nameOf(nobody.metrics());
const unheard = await nameOf(firstEvents(nobody));
const wrong = await nameOf(nobody.login('admin', 'wrong'));
const { access_token, refresh_token, ...login } = await admin.login('admin', process.env.OXIDE_PASSWORD);
answers.push(['TokenPair', { ...login, access_token: 'a', refresh_token: 'r' }]);
const me = await admin.me();
answers.push(['Me', me]);
const heard = await firstEvents(admin);

const made = await admin.clientKeys.create({ name: 'report', scopes: ['read'], expires_at: new Date(Date.now() + 3_600_000) });
answers.push(['ClientKeyMade', { ...made, key: 'k' }], ['ClientKeyList', await admin.clientKeys.list()]);
const program = new Oxide(url, { token: made.key, WebSocket });
const scopes = (await program.me()).scopes;
const programHeard = await firstEvents(program);
const forbidden = await program.executeTask('Hello', { service: 'echo' }).catch((error) => error instanceof ForbiddenError);
await admin.clientKeys.revoke(made.id);
const revoked = await nameOf(until(() => program.metrics(), UnauthorizedError));

const next = await admin.refresh();
const old = new Oxide(url, { token: access_token });
const done = (await admin.executeTask('Hello', { service: 'echo' })).result;
const { OXIDE_PASSWORD: password } = process.env;
await admin.changePassword(password, `${password}-2`);
const changed = await admin.changePassword(`${password}-2`, password); // as others still know it
answers.push(['TokenPair', { ...changed, access_token: 'a', refresh_token: 'r' }]);
answers.push(['LoggedOut', await admin.logout()]);
const after = await nameOf(until(() => old.metrics(), UnauthorizedError));

/** A change takes a second or so to hold everywhere. */
async function until(call, kind) {
  for (let tries = 0; tries < 100; tries++) {
    try {
      await call();
    } catch (error) {
      if (error instanceof kind) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

console.log(
  JSON.stringify({
    answers, requests, uncalled: [...uncalled], refused, unheard, wrong, heard, scopes, programHeard, forbidden, revoked, done, after,
    renewed: next.access_token !== access_token && next.refresh_token !== refresh_token,
    me: [me.name, me.kind],
  }),
);
