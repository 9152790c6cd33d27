/** Every close code of the server, as the SDK hears it over each transport and as it stands on the wire, with its reason in words. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { layCable } from '../lib/cable.mjs';
import { demoPerson, directRoom, leave, makeRoom, post, refresh, register, suspend, tag } from '../lib/people.mjs';
import { WAYS, clientsOf, count, failing, makeClient, offsets, onRoom, subscribe } from '../lib/sdk.mjs';
import { needsProgram, startServer } from '../lib/server.mjs';
import { listen, sleep, until } from '../lib/until.mjs';
import { assertCloses, assertPlainReason, connectWire, openWire } from '../lib/wire.mjs';

/** R9: how soon a decision reaches a socket. */
const AT_ONCE_MS = 1_000;

describe('closing', { concurrency: 4 }, () => {
  for (const how of WAYS) {
    test(`${how.way}: 4501, a person who is suspended is out within a second, and stays out`, async (t) => {
      const [admin, bo] = [await demoPerson('tam'), await register('Bo')];
      const clients = clientsOf(t);
      const client = await clients.connect(how, bo);
      const ear = listen(client, 'disconnected', 'connecting');
      await suspend(admin, bo);
      const { code, reason } = await ear.event('disconnected', { ms: AT_ONCE_MS });
      assert.equal(code, 4501);
      assertPlainReason({ reason });
      assert.deepEqual(ear.of('connecting'), [], 'the SDK does not try again');
      const again = clients.make(how, bo);
      const answer = listen(again, 'disconnected');
      again.connect();
      assert.equal((await answer.event('disconnected')).code, 4501);
    });

    test(`${how.way}: 3500, a token that is none of ours stops the SDK`, async (t) => {
      const bo = await register('Bo');
      const [head, , signature] = bo.token.split('.');
      const payload = Buffer.from(JSON.stringify({ sub: bo.id, exp: 4_000_000_000 })).toString('base64url');
      const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
      for (const token of ['nonsense', `${head}.${payload}.${signature}`, unsigned]) {
        const client = clientsOf(t).make(how, { ...bo, token });
        const ear = listen(client, 'disconnected');
        client.connect();
        const { code, reason } = await ear.event('disconnected');
        assert.equal(code, 3500, token);
        assertPlainReason({ reason });
      }
    });

    test(`${how.way}: 2000, who leaves a community hears nothing more of its rooms, and may come back`, async (t) => {
      const [ada, bo] = [await register('Ada'), await register('Bo')];
      const place = await makeRoom(ada, bo);
      const client = await clientsOf(t).connect(how, bo);
      const ear = listen(await subscribe(client, onRoom(place)), 'unsubscribed', 'publication');
      await leave(bo, place);
      const { code, reason } = await ear.event('unsubscribed', { ms: AT_ONCE_MS });
      assert.equal(code, 2000);
      assertPlainReason({ reason });
      const from = ear.heard.length;
      await post(ada, place, 'not for Bo');
      await sleep(300);
      assert.deepEqual(ear.heard.slice(from), []);
      await assert.rejects(client.publish(onRoom(place), { client_id: randomUUID(), text: 'I am still here' }), failing(103));
    });
  }

  test('3500 without a token at all', async (t) => {
    const wire = openWire(t);
    await wire.opened();
    wire.send({ id: 1, connect: {} });
    await assertCloses(wire, 3500);
  });

  test('3501: what is not the protocol, before and after connecting', async (t) => {
    const ada = await register('Ada');
    for (const nonsense of ['hello', '{"id":1', '[]', '{"id":"one"}', '\u0000', '{"ping":{}}']) {
      const fresh = openWire(t);
      await fresh.opened();
      fresh.send(nonsense);
      await assertCloses(fresh, 3501);
    }
    const wire = await connectWire(t, ada);
    wire.send('{"id":1,"rpc":');
    await assertCloses(wire, 3501);
    const twice = await connectWire(t, ada);
    twice.send({ id: 9, connect: { token: ada.token } });
    await assertCloses(twice, 3501);
    const protobuf = openWire(t, { query: '?format=protobuf' });
    await protobuf.opened();
    protobuf.socket.send(Buffer.from([5, 255, 255]));
    await assertCloses(protobuf, 3501);
  });

  test('1009: a frame over the bound, whole or in fragments', async (t) => {
    const ada = await register('Ada');
    const large = 'x'.repeat(600 * 1024);
    const whole = await connectWire(t, ada);
    whole.send(`{"id":7,"rpc":{"method":"${large}"}}`);
    await assertCloses(whole, 1009);
    const fragmented = await connectWire(t, ada);
    for (let i = 0; i < 6; i += 1) fragmented.socket.send(large.slice(0, 100 * 1024), { fin: i === 5 });
    await assertCloses(fragmented, 1009);
    // The SDK has a number of its own for it, and stops for good.
    const client = await clientsOf(t).connect(WAYS[0], ada);
    const ear = listen(client, 'disconnected');
    client.rpc('message.create', { text: large }).catch(() => {});
    assert.deepEqual({ ...(await ear.event('disconnected')) }, { event: 'disconnected', code: 3, reason: 'message size limit exceeded' });
    assert.equal(client.frames.closes[0].code, 1009);
  });

  test('an ordinary good-bye is answered', async (t) => {
    const wire = await connectWire(t, await register('Ada'));
    wire.socket.close(1000, 'bye');
    assert.equal((await wire.closed()).code, 1000);
  });
});

describe('closing slow readers', { concurrency: 2, ...needsProgram }, () => {
  let server, ada, bo;
  before(async () => {
    server = await startServer({
      RIALTO_LIMITS__SOCKET__OUTBOX: '64KiB',
      RIALTO_LIMITS__SOCKET__COMMAND: '64KiB',
      RIALTO_LIMITS__POSTING__PER_PERSON: '{per_second=2000, burst=4000}',
    });
    [ada, bo] = [await register('Ada', server), await register('Bo', server)];
  });
  after(() => server?.remove());

  const LARGE = 'x'.repeat(7_900);

  test('3008: more at once than may wait for one reader', async (t) => {
    const place = await makeRoom(ada, bo);
    const wire = await connectWire(t, bo);
    await wire.ask({ subscribe: { channel: onRoom(place) } });
    const writer = await clientsOf(t).connect(WAYS[0], ada);
    // One frame, stored in few commits, each handed on as a whole: seven times what may wait.
    for (let round = 0; round < 5 && wire.isOpen(); round += 1) {
      writer.startBatching();
      const waiting = Array.from({ length: 60 }, () => writer.publish(onRoom(place), { client_id: randomUUID(), text: LARGE }));
      writer.stopBatching();
      await Promise.allSettled(waiting);
    }
    const closed = await assertCloses(wire, 3008);
    assert.equal(closed.reason, 'slow');
  });

  for (const how of WAYS) {
    test(`${how.way}: a reader that stands still is cut off, others are not, and it comes back to what it missed`, async (t) => {
      const place = await makeRoom(ada, bo);
      const cable = await layCable(server.base);
      t.after(() => cable.remove());
      const clients = clientsOf(t);
      const slow = await clients.connect(how, bo, { base: cable.base });
      const slowState = listen(slow, 'connecting');
      const slowEar = listen(await subscribe(slow, onRoom(place)), 'publication', 'subscribed');
      const brisk = await clients.connect(how, ada);
      const briskState = listen(brisk, 'connecting');
      const briskEar = listen(await subscribe(brisk, onRoom(place)), 'publication');
      await post(ada, place, 'first');
      await count(slowEar, 1);

      cable.clog();
      const sent = [offsets(slowEar)[0]];
      for (let i = 0; i < 100; i += 1) sent.push(...(await post(ada, place, LARGE)));
      await count(briskEar, sent.length);
      assert.deepEqual(offsets(briskEar), sent);
      assert.deepEqual(briskState.heard, [], 'who reads is not disturbed');
      await until('the server has given up on the slow reader', async () => (await brisk.presenceStats(onRoom(place))).numClients === 1, 20_000);
      cable.unclog();
      const back = await slowEar.event('subscribed', { from: 1, ms: 20_000 });
      assert.ok(slowState.heard.length > 0);
      assert.ok(back.wasRecovering);
      if (back.recovered) {
        await count(slowEar, sent.length);
        assert.deepEqual(offsets(slowEar), sent);
      }
    });
  }
});

describe('closing a tenant', needsProgram, () => {
  let server;
  before(async () => {
    server = await startServer();
  });
  after(() => server?.remove());

  async function provision() {
    const slug = `t-${tag()}`;
    await server.run('tenant', 'provision', '--name', `Tenant ${slug}`, '--slug', slug, '--admin-email', `admin@${slug}.example`);
    return slug;
  }

  /** The running server looks for changed tenants now and then; a new one may need a moment to be open. */
  const settle = (name, tenant) => until(`${tenant} is open`, () => register(name, { base: server.base, tenant }), 3_000);

  test('4502 while a tenant is suspended, and open again when it is resumed; 4503 when it is terminated', async (t) => {
    const tenant = await provision();
    const bo = await settle('Bo', tenant);
    const clients = clientsOf(t);
    const ears = [];
    for (const how of WAYS) {
      const client = await clients.connect(how, bo);
      ears.push(listen(client, 'disconnected', 'connecting'));
    }
    const wire = await connectWire(t, bo);
    await server.run('tenant', 'suspend', tenant, '--reason', 'a test');
    await assertCloses(wire, 4502, AT_ONCE_MS);
    for (const [i, ear] of ears.entries()) {
      const { code, reason } = await ear.event('disconnected', { ms: AT_ONCE_MS });
      assert.equal(code, 4502, WAYS[i].way);
      assertPlainReason({ reason });
      assert.deepEqual(ear.of('connecting'), []);
    }
    const outside = openWire(t, { base: server.base });
    await outside.opened();
    outside.send({ id: 1, connect: { token: bo.token } });
    assert.ok([3500, 4502].includes((await outside.closed()).code));

    await server.run('tenant', 'resume', tenant);
    await until('people may come in again', () => refresh(bo), 3_000);
    const again = await connectWire(t, bo);
    await server.run('tenant', 'terminate', tenant, '--reason', 'a test');
    await assertCloses(again, 4503, AT_ONCE_MS);
  });

  test('a token opens nothing in another tenant, and names nothing of it', async (t) => {
    const [one, two] = [await provision(), await provision()];
    const [ada, bo] = [await settle('Ada', one), await settle('Bo', two)];
    const place = await makeRoom(ada);
    const foreign = openWire(t, { base: server.base, tenant: one });
    await foreign.opened();
    foreign.send({ id: 1, connect: { token: bo.token } });
    await assertCloses(foreign, 3500);
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const subscription = client.newSubscription(onRoom(place));
    const ear = listen(subscription, 'unsubscribed');
    subscription.subscribe();
    assert.equal((await ear.event('unsubscribed')).code, 103);
    await assert.rejects(client.history(onRoom(place), { limit: 1 }), failing(103));
  });
});

describe('stopping the server', { concurrency: 1, ...needsProgram }, () => {
  test('3001: everybody is told, comes back to the next server and misses nothing', async (t) => {
    const server = await startServer();
    t.after(() => server.remove());
    const [ada, bo] = [await register('Ada', server), await register('Bo', server)];
    const place = await makeRoom(ada, bo);
    const clients = clientsOf(t);
    const readers = [];
    for (const how of WAYS) {
      const client = await clients.connect(how, bo);
      const state = listen(client, 'connecting', 'disconnected', 'connected');
      readers.push({ how, state, ear: listen(await subscribe(client, onRoom(place)), 'publication', 'subscribed') });
    }
    const wire = await connectWire(t, ada);
    // Posts go on until nobody takes them any more: what was acknowledged while the server was stopping counts too.
    const acknowledged = await post(ada, place, 'before');
    let stopped = false;
    const posting = (async () => {
      while (!stopped) {
        try {
          acknowledged.push(...(await post(ada, place, `number ${acknowledged.length}`)));
        } catch {
          return;
        }
      }
    })();
    await until('posts flow', () => acknowledged.length > 10);
    const started = Date.now();
    server.terminate();
    await assertCloses(wire, 3001);
    for (const { how, state } of readers) {
      const { code, reason } = await state.event('connecting');
      assert.equal(code, 3001, how.way);
      assertPlainReason({ reason });
    }
    await server.ended();
    stopped = true;
    await posting;
    assert.ok(Date.now() - started < 12_000, `stopped after ${Date.now() - started} ms`);

    await server.launch();
    acknowledged.push(...(await post(ada, place, 'at the next server')));
    for (const { how, state, ear } of readers) {
      await state.event('connected');
      const back = await ear.event('subscribed');
      assert.deepEqual([back.wasRecovering, back.recovered], [true, true], how.way);
      await ear.next(`${how.way} hears the next server`, ({ data }) => data?.message?.text === 'at the next server');
      assert.deepEqual(state.of('disconnected'), [], 'the SDK goes on trying');
      const stored = await server.sql(`SELECT event_offset FROM events WHERE stream_id = '${place.id}' AND event_offset >= ${acknowledged[0]} ORDER BY 1`);
      assert.deepEqual(offsets(ear), stored.map(([offset]) => Number(offset)), `${how.way}: all that is stored, once and in order`);
      assert.ok(acknowledged.every((offset) => offsets(ear).includes(offset)), how.way);
    }
  });
});

/** Lost on the way to a worker, or by a panic: asked for by calls that only a program built with `--features faults` has. */
describe('closing what has lost track', { concurrency: 1, ...needsProgram }, () => {
  let server, ada, bo, control;
  before(async () => {
    server = await startServer({ RIALTO_LIMITS__RING__EVENTS: '2' });
    [ada, bo] = [await register('Ada', server), await register('Bo', server)];
    control = makeClient(WAYS[0], await demoPerson('tam', server));
    control.connect();
    await control.ready(10_000);
  });
  after(async () => {
    control?.disconnect();
    await server?.remove();
  });

  const lose = (on) => control.rpc('faults.lose_deliveries', { on });

  for (const how of WAYS) {
    test(`${how.way}: 2500, a subscription that has lost entries begins again from its own position`, async (t) => {
      const place = await makeRoom(ada, bo);
      const client = await clientsOf(t).connect(how, bo);
      const state = listen(client, 'connecting');
      const ear = listen(await subscribe(client, onRoom(place)), 'publication', 'subscribing', 'subscribed', 'unsubscribed');
      const sent = await post(ada, place, 'heard');
      await count(ear, 1);
      await lose(true);
      sent.push(...(await post(ada, place, 'lost 1', 'lost 2', 'lost 3', 'lost 4', 'lost 5')));
      await lose(false);
      const { code, reason } = await ear.event('subscribing');
      assert.equal(code, 2500);
      assertPlainReason({ reason });
      const back = await ear.event('subscribed');
      assert.ok(back.wasRecovering && back.recovered);
      sent.push(...(await post(ada, place, 'heard again')));
      await count(ear, sent.length);
      assert.deepEqual(offsets(ear), sent);
      assert.deepEqual([state.heard, ear.of('unsubscribed')], [[], []], 'the connection stays');
    });

    test(`${how.way}: 3010, one's own stream that has lost entries comes back with the next connection`, async (t) => {
      const rooms = [await directRoom(ada, bo)];
      const client = await clientsOf(t).connect(how, bo);
      const ear = listen(client, 'publication', 'connecting', 'subscribed', 'disconnected');
      await post(ada, rooms[0], 'heard');
      await count(ear, 1);
      const first = ear.of('publication')[0].offset;
      await lose(true);
      await post(ada, rooms[0], 'lost 1', 'lost 2', 'lost 3', 'lost 4', 'lost 5');
      await lose(false);
      const { code, reason } = await ear.event('connecting');
      assert.equal(code, 3010);
      assertPlainReason({ reason });
      const back = await ear.event('subscribed');
      assert.ok(back.wasRecovering && back.recovered);
      await count(ear, 6);
      assert.deepEqual(offsets(ear), [0, 1, 2, 3, 4, 5].map((i) => first + i));
      assert.deepEqual(ear.of('disconnected'), []);
    });

    test(`${how.way}: 3004, a session that panicked comes back and has missed nothing`, async (t) => {
      const place = await makeRoom(ada, bo);
      const client = await clientsOf(t).connect(how, bo);
      const state = listen(client, 'connecting', 'disconnected');
      const ear = listen(await subscribe(client, onRoom(place)), 'publication', 'subscribed');
      const sent = await post(ada, place, 'before');
      await count(ear, 1);
      client.rpc('faults.panic_session', {}).catch(() => {});
      const { code, reason } = await state.event('connecting');
      assert.equal(code, 3004);
      assertPlainReason({ reason });
      sent.push(...(await post(ada, place, 'while away')));
      const back = await ear.event('subscribed');
      assert.ok(back.wasRecovering && back.recovered);
      await count(ear, sent.length);
      assert.deepEqual(offsets(ear), sent);
      assert.deepEqual(state.of('disconnected'), []);
    });
  }
});
