/** What goes over the wire, where the SDK alone would not show it: batches, fragments, formats, and pages of strangers. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { makeRoom, register } from '../lib/people.mjs';
import { WAYS, clientsOf, count, makeClient, onRoom, subscribe } from '../lib/sdk.mjs';
import { BASE } from '../lib/server.mjs';
import { listen, sleep } from '../lib/until.mjs';
import { connectWire, openWire } from '../lib/wire.mjs';

describe('frames', { concurrency: 4 }, () => {
  let ada, bo;
  before(async () => {
    [ada, bo] = await Promise.all(['Ada', 'Bo'].map((name) => register(name)));
  });

  test('commands behind a connect in the same frame run after it, in order', async (t) => {
    const place = await makeRoom(ada);
    const wire = openWire(t);
    await wire.opened();
    wire.send(
      { id: 1, connect: { token: ada.token, name: 'test', unheard_of: { by: ['us'] } } },
      { id: 2, subscribe: { channel: onRoom(place), flag: 1, another: 'unknown field' } },
      { id: 3, rpc: { method: 'message.create', data: { room_id: place.id, client_id: randomUUID(), text: 'hello' } } },
      { id: 4, history: { channel: onRoom(place), limit: 0 } },
      { id: 5, ping: {} },
    );
    await Promise.all([1, 2, 3, 4, 5].map((id) => wire.reply(id)));
    const answered = wire.replies.filter(({ id }) => id);
    assert.deepEqual(answered.slice(0, 2).map(({ id }) => id), [1, 2]);
    assert.deepEqual(answered.filter(({ error }) => error), []);
    const { connect } = answered[0];
    assert.deepEqual([connect.expires, connect.pong], [true, true]);
    assert.ok(connect.ttl > 0 && connect.ping > 0 && connect.client && connect.version);
  });

  test('no push comes before the reply to its subscribe', async (t) => {
    const place = await makeRoom(ada, bo);
    const his = await clientsOf(t).connect(WAYS[0], bo);
    for (let round = 0; round < 10; round += 1) {
      const wire = await connectWire(t, ada);
      const posted = his.publish(onRoom(place), { client_id: randomUUID(), text: `round ${round}` });
      await wire.ask({ subscribe: { channel: onRoom(place) } });
      await posted;
      const subscribed = wire.replies.findIndex(({ subscribe: reply }) => reply);
      const pushed = wire.replies.findIndex(({ push }) => push?.channel === onRoom(place));
      assert.ok(pushed === -1 || pushed > subscribed);
      wire.socket.close();
    }
  });

  for (const how of WAYS) {
    test(`${how.way}: a batch of one frame is answered as a whole, and the same client id in it is stored once`, async (t) => {
      const place = await makeRoom(ada, bo);
      const clients = clientsOf(t);
      const [hers, his] = [await clients.connect(how, ada), await clients.connect(how, bo)];
      const ear = listen(await subscribe(his, onRoom(place)), 'publication');
      const ids = [randomUUID(), randomUUID()];
      const create = (client_id) => hers.rpc('message.create', { room_id: place.id, client_id, text: 'in a batch' });

      const before = hers.frames.sent.length + hers.frames.fetched.length;
      hers.startBatching();
      const waiting = [create(ids[0]), create(ids[1]), create(ids[0]), create(ids[0])];
      hers.stopBatching();
      const stored = (await Promise.all(waiting)).map(({ data }) => data);
      const frames = hers.frames.sent.length + hers.frames.fetched.length - before;

      if (how.transport === 'websocket') assert.equal(frames, 1, 'one frame');
      assert.equal(new Set(stored.map(({ id }) => id)).size, 2);
      assert.deepEqual([stored[0], stored[2], stored[3]].map(({ offset }) => offset), Array(3).fill(stored[0].offset));
      assert.equal([stored[0], stored[2], stored[3]].filter(({ duplicate }) => duplicate).length, 2);
      await count(ear, 2);
      await sleep(200);
      assert.equal(ear.of('publication').length, 2);
    });

    test(`${how.way}: two hundred subscriptions made before connecting all come to live`, async (t) => {
      const client = clientsOf(t).make(how, ada);
      const place = await makeRoom(ada);
      const channels = [onRoom(place), `typing:${place.id}`];
      const subscriptions = channels.map((channel) => client.newSubscription(channel));
      // One for each id that nobody has, so that the frame is as long as a busy member's.
      const strange = Array.from({ length: 198 }, () => client.newSubscription(`room:${randomUUID()}`));
      const refused = strange.map((subscription) => listen(subscription, 'unsubscribed'));
      for (const subscription of [...subscriptions, ...strange]) subscription.subscribe();
      client.connect();
      await client.ready(10_000);
      for (const subscription of subscriptions) await subscription.ready(10_000);
      for (const ear of refused) assert.equal((await ear.event('unsubscribed')).code, 103);
    });
  }

  test('the same client id from two connections at once is stored once', async (t) => {
    const place = await makeRoom(ada, bo);
    const clients = clientsOf(t);
    const both = [await clients.connect(WAYS[0], ada), await clients.connect(WAYS[1], ada)];
    for (let round = 0; round < 5; round += 1) {
      const message = { room_id: place.id, client_id: randomUUID(), text: 'twice at once' };
      const [one, two] = (await Promise.all(both.map((client) => client.rpc('message.create', message)))).map(({ data }) => data);
      assert.deepEqual([one.id, one.offset], [two.id, two.offset]);
      assert.equal(Number(one.duplicate) + Number(two.duplicate), 1);
    }
  });

  test('a message in many fragments, with a ping between them, is one message', async (t) => {
    const wire = openWire(t);
    await wire.opened();
    let ponged = 0;
    wire.socket.on('pong', () => { ponged += 1; });
    const text = JSON.stringify({ id: 1, connect: { token: ada.token } });
    const third = Math.ceil(text.length / 3);
    wire.socket.send(text.slice(0, third), { fin: false });
    wire.socket.ping('between');
    wire.socket.send(text.slice(third, 2 * third), { fin: false });
    wire.socket.send(text.slice(2 * third), { fin: true });
    assert.ok((await wire.reply(1)).connect);
    assert.equal(ponged, 1);
    // And again on the same socket.
    wire.socket.send('{"id":2,', { fin: false });
    wire.socket.send('"ping":{}}', { fin: true });
    assert.ok((await wire.reply(2)).ping);
  });

  test('Protobuf is asked for in three ways, and the subprotocol is echoed', async (t) => {
    const protocol = 'centrifuge-protobuf';
    for (const options of [{ query: '?format=protobuf' }, { query: '?cf_protocol=protobuf' }, { protocols: [protocol] }]) {
      const wire = openWire(t, options);
      await wire.opened();
      assert.equal(wire.socket.protocol, options.protocols ? protocol : '');
      // Command { id: 1, ping: {} } behind its length: refused before connect, in binary.
      wire.socket.send(Buffer.from([4, 8, 1, 90, 0]));
      await sleep(300);
      assert.ok(wire.frames.length === 1 && wire.frames[0].isBinary, JSON.stringify(options));
    }
    const json = openWire(t);
    await json.opened();
    assert.equal((await json.ask({ ping: {} })).error.code, 101);
  });

  test('a page of another origin may not open a socket; our own and programs may', async (t) => {
    for (const origin of ['https://evil.example', 'null', `${BASE}.evil.example`]) {
      const { status, body } = await openWire(t, { headers: { origin } }).refused();
      assert.equal(status, 403);
      assert.equal(JSON.parse(body).code, 'foreign_origin');
      for (const path of ['/connection/sse?cf_connect=%7B%7D', '/connection/http_stream']) {
        const method = path.includes('sse') ? 'GET' : 'POST';
        const response = await fetch(BASE + path, { method, headers: { origin }, body: method === 'POST' ? '{}' : undefined });
        assert.equal(response.status, 403, path);
      }
    }
    for (const headers of [{ origin: BASE }, {}]) await openWire(t, { headers }).opened();
  });

  test('a session of an emulated transport can not be guessed, and one that is over is no error', async () => {
    const body = JSON.stringify({ session: '0'.repeat(32), node: 'x', data: '{"id":1,"ping":{}}' });
    const response = await fetch(`${BASE}/emulation`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    assert.equal(response.status, 204);
    const nonsense = await fetch(`${BASE}/emulation`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '[' });
    assert.equal(nonsense.status, 400);
  });

  test('a client that says good-bye is not here any more', async (t) => {
    const place = await makeRoom(ada, bo);
    for (const how of WAYS) {
      const his = makeClient(how, bo);
      his.connect();
      await subscribe(his, onRoom(place));
      const hers = await clientsOf(t).connect(how, ada);
      const ear = listen(await subscribe(hers, onRoom(place), { joinLeave: true }), 'leave');
      his.disconnect();
      await ear.next('Bo is gone', ({ info }) => info.user === bo.id);
      const stats = await hers.presenceStats(onRoom(place));
      assert.equal(stats.numUsers, 1, how.way);
      hers.disconnect();
    }
  });
});
