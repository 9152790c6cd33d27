/** Access tokens are short-lived: the SDK fetches the next one, and one that is not renewed ends the connection. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { call, makeRoom, post, refresh, register } from '../lib/people.mjs';
import { WAYS, clientsOf, count, onRoom, subscribe } from '../lib/sdk.mjs';
import { needsProgram, startServer } from '../lib/server.mjs';
import { listen, sleep, until } from '../lib/until.mjs';
import { assertCloses, connectWire, openWire } from '../lib/wire.mjs';

const LIFE_S = 6;

describe('tokens', { concurrency: 16, ...needsProgram }, () => {
  let server;
  before(async () => {
    server = await startServer({
      RIALTO_AUTH__ACCESS_TOKEN: `${LIFE_S}s`,
      RIALTO_LIMITS__SOCKET__PING: '1s',
      RIALTO_LIMITS__SOCKET__PONG: '1500ms',
      RIALTO_LIMITS__SOCKET__CONNECT_WITHIN: '1s',
      RIALTO_LIMITS__ADMISSION__CONNECTIONS_PER_USER: '3',
    });
  });
  after(() => server?.remove());

  for (const how of WAYS) {
    test(`${how.way}: the SDK renews its token and stays connected, pings answered`, async (t) => {
      const who = await register('Ada', server);
      const room = await makeRoom(who);
      let asked = 0;
      const getToken = async () => {
        asked += 1;
        return refresh(who);
      };
      const client = clientsOf(t).make(how, who, { getToken });
      const ear = listen(client, 'connected', 'connecting', 'disconnected');
      client.connect();
      const heard = listen(await subscribe(client, onRoom(room)), 'publication', 'subscribing');
      await sleep((LIFE_S + 2) * 1_000);
      await until('the token is renewed', () => asked >= 1);
      await refresh(who);
      await post(who, room, 'still here');
      await count(heard, 1);
      assert.deepEqual(heard.of('subscribing'), []);
      assert.deepEqual(ear.heard.map(({ event }) => event), ['connecting', 'connected']);
    });

    test(`${how.way}: an expired token is error 109, with which the SDK fetches another`, async (t) => {
      const who = await register('Bo', server);
      const expired = who.token;
      await sleep((LIFE_S + 1) * 1_000);
      const client = clientsOf(t).make(how, { ...who, token: expired }, { getToken: () => refresh(who) });
      const ear = listen(client, 'error', 'connected', 'disconnected');
      client.connect();
      await ear.event('connected');
      assert.ok(ear.of('error').some(({ error }) => error.code === 109), JSON.stringify(ear.heard));
      assert.deepEqual(ear.of('disconnected'), []);
    });
  }

  test('109 on the wire has words, and the socket stays open for another try', async (t) => {
    const who = await register('Cy', server);
    await sleep((LIFE_S + 1) * 1_000);
    const wire = openWire(t, server);
    await wire.opened();
    const { error } = await wire.ask({ connect: { token: who.token } });
    assert.equal(error.code, 109);
    assert.equal(error.message, 'token expired');
    await refresh(who);
    assert.ok((await wire.ask({ connect: { token: who.token } })).connect);
  });

  test('refresh: a fresh token is taken, another person\'s and a forged one close with 3500, an expired one with 3005', async (t) => {
    const [who, other] = [await register('Dee', server), await register('Eve', server)];
    const stale = who.token;
    const wire = await connectWire(t, who);
    await refresh(who);
    const { refresh: refreshed } = await wire.ask({ refresh: { token: who.token } });
    assert.equal(refreshed.expires, true);
    assert.ok(refreshed.ttl >= 1 && refreshed.ttl <= LIFE_S);
    wire.send({ id: 5, refresh: { token: other.token } });
    await assertCloses(wire, 3500);

    const forged = await connectWire(t, who);
    forged.send({ id: 5, refresh: { token: `${who.token.slice(0, -8)}AAAAAAAA` } });
    await assertCloses(forged, 3500);

    await sleep((LIFE_S + 1) * 1_000);
    await refresh(who);
    const late = await connectWire(t, who);
    late.send({ id: 5, refresh: { token: stale } });
    await assertCloses(late, 3005);
  });

  test('3005: a token that nobody renews ends the connection, after a grace', async (t) => {
    const who = await register('Fay', server);
    const wire = await connectWire(t, who);
    await assertCloses(wire, 3005, 45_000);
  });

  test('3012: a client that answers no ping is closed', async (t) => {
    const who = await register('Gus', server);
    const wire = openWire(t, { ...server, answerPings: false });
    await wire.connect(who);
    await assertCloses(wire, 3012);
    assert.ok(wire.frames.some(({ data }) => data.toString() === '{}'), 'a ping is an empty object');
  });

  test('3502: a connection that never says who it is', async (t) => {
    const wire = openWire(t, server);
    await wire.opened();
    await assertCloses(wire, 3502);
  });

  test('3504: more connections of one person than there may be', async (t) => {
    const who = await register('Hal', server);
    const three = [];
    for (let i = 0; i < 3; i += 1) three.push(await connectWire(t, who));
    const fourth = openWire(t, server);
    await fourth.opened();
    fourth.send({ id: 1, connect: { token: who.token } });
    await assertCloses(fourth, 3504);
    // A place that is given back is taken by the next.
    three[0].socket.close();
    await until('a place is free', async () => {
      const next = openWire(t, server);
      await next.opened();
      next.send({ id: 1, connect: { token: who.token } });
      await until('an answer', () => next.replies.length > 0 || !next.isOpen());
      return next.replies[0]?.connect;
    });
  });

  test('signing out everywhere ends what was signed in', async (t) => {
    const who = await register('Ian', server);
    const wire = await connectWire(t, who);
    await call('POST', '/v1/auth/logout', { base: who.base, token: who.token, body: { everywhere: true, refresh_token: who.refreshToken } });
    await assertCloses(wire, 3500, 3_000);
  });
});
