/** What people do all day, over each transport of the SDK: connect, subscribe, post, receive, look back, see who is here. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { call, directRoom, makeRoom, post, register } from '../lib/people.mjs';
import { WAYS, clientsOf, count, offsets, onRoom, subscribe } from '../lib/sdk.mjs';
import { listen, sleep, until } from '../lib/until.mjs';

for (const how of WAYS) {
  describe(how.way, { concurrency: 4 }, () => {
    let ada, bo, room;
    before(async () => {
      ada = await register('Ada');
      bo = await register('Bo');
      room = await makeRoom(ada, bo);
    });

    test('connects with the access token, over the transport asked for, in its format', async (t) => {
      const clients = clientsOf(t);
      const client = clients.make(how, ada);
      const ear = listen(client, 'connected', 'subscribed');
      client.connect();
      await client.ready(10_000);

      const [connected] = ear.of('connected');
      assert.equal(connected.transport, how.transport);
      assert.ok(connected.client);
      const own = await ear.event('subscribed');
      assert.equal(own.channel, `user:${ada.id}`);
      assert.ok(own.recoverable && own.positioned);

      // The bytes are of the format too, both ways.
      await client.rpc('room.typing', { room_id: room.id });
      const { sent, received, fetched } = client.frames;
      if (how.transport === 'websocket') {
        const binary = how.format === 'protobuf';
        assert.ok(sent.length >= 2 && sent.every(({ isBinary }) => isBinary === binary));
        assert.ok(received.length >= 2 && received.every(({ isBinary }) => isBinary === binary));
      } else {
        assert.equal(sent.length, 0, 'no WebSocket was opened');
        await until('the command was posted', () => fetched.some(({ path, status }) => path === '/emulation' && status === 204));
        const stream = fetched.find(({ path }) => path === '/connection/http_stream');
        if (how.transport === 'http_stream') {
          assert.match(stream.type, how.format === 'protobuf' ? /^application\/octet-stream/ : /^application\/json/);
        } else assert.equal(stream, undefined);
      }
    });

    test('a message that is published reaches everybody, its author too, once and with its offset', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const [hers, his] = [await clients.connect(how, ada), await clients.connect(how, bo)];
      const author = listen(await subscribe(hers, onRoom(place)), 'publication');
      const reader = listen(await subscribe(his, onRoom(place)), 'publication');

      const client_id = randomUUID();
      const text = 'Grüße, "Zitat"\nzweite Zeile \u2028 👋';
      await hers.publish(onRoom(place), { client_id, text });

      for (const ear of [author, reader]) {
        const { data, offset, channel } = await ear.event('publication');
        assert.equal(channel, onRoom(place));
        assert.ok(offset > 0);
        assert.equal(data.v, 1);
        assert.equal(data.type, 'message.created');
        assert.equal(data.room_id, place.id);
        assert.equal(data.actor.id, ada.id);
        assert.equal(data.message.client_id, client_id);
        assert.equal(data.message.text, text);
      }
      await sleep(200);
      assert.equal(reader.of('publication').length, 1);
    });

    test('message.create answers id and offset, and the same for the same client id', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const [hers, his] = [await clients.connect(how, ada), await clients.connect(how, bo)];
      const reader = listen(await subscribe(his, onRoom(place)), 'publication');
      const message = { room_id: place.id, client_id: randomUUID(), text: 'once' };

      const first = await hers.rpc('message.create', message);
      const again = await hers.rpc('message.create', message);
      const other = await hers.rpc('message.create', { ...message, client_id: randomUUID(), text: 'next' });

      assert.equal(first.data.duplicate, false);
      assert.deepEqual(again.data, { ...first.data, duplicate: true });
      assert.equal(other.data.offset, first.data.offset + 1);
      await count(reader, 2);
      assert.deepEqual(offsets(reader), [first.data.offset, other.data.offset]);
    });

    test('every verb of a message arrives as an event of its room', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const [hers, his] = [await clients.connect(how, ada), await clients.connect(how, bo)];
      const reader = listen(await subscribe(his, onRoom(place)), 'publication');
      const room_id = place.id;
      const { data: { id } } = await hers.rpc('message.create', { room_id, client_id: randomUUID(), text: 'first' });

      await hers.rpc('message.edit', { room_id, id, text: 'second' });
      await his.rpc('reaction.add', { room_id, id, emoji: '👍' });
      await his.rpc('reaction.remove', { room_id, id, emoji: '👍' });
      await hers.rpc('pin.add', { room_id, id });
      await hers.rpc('pin.remove', { room_id, id });
      await hers.rpc('message.delete', { room_id, id });

      await count(reader, 7);
      const types = reader.of('publication').map(({ data }) => data.type);
      assert.deepEqual(types, ['message.created', 'message.edited', 'reaction.added', 'reaction.removed', 'message.pinned', 'message.unpinned', 'message.deleted']);
      const listed = await hers.rpc('message.list', { room_id });
      assert.equal(listed.data.items.length, 1);
      assert.ok(listed.data.items[0].deleted_at);
    });

    test('history is read forwards, backwards, from a position and in pages', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const sent = await post(ada, place, 'one', 'two', 'three', 'four', 'five');
      const client = await clients.connect(how, bo);
      const subscription = await subscribe(client, onRoom(place));
      const read = async (options) => (await subscription.history(options)).publications.map(({ offset }) => offset);

      const top = await subscription.history({ limit: 0 });
      assert.deepEqual(top.publications, []);
      assert.equal(top.offset, sent.at(-1));
      assert.equal(top.epoch, place.epoch);

      const since = (offset) => ({ offset, epoch: top.epoch });
      assert.deepEqual(await read({ limit: -1, since: since(sent[0] - 1) }), sent);
      assert.deepEqual(await read({ limit: 2, since: since(sent[0] - 1) }), sent.slice(0, 2));
      assert.deepEqual(await read({ limit: 2, since: since(sent[1]) }), sent.slice(2, 4));
      assert.deepEqual(await read({ limit: 3, reverse: true }), sent.slice(2).reverse());
      assert.deepEqual(await read({ limit: 2, reverse: true, since: since(sent[3]) }), [sent[2], sent[1]]);
      assert.deepEqual(await read({ limit: 10, since: since(sent[4]) }), []);
      const { publications: [first] } = await subscription.history({ limit: 1, since: since(sent[0] - 1) });
      assert.equal(first.data.message.text, 'one');
    });

    test('presence lists connections, its statistics count connections and people', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const twice = [await clients.connect(how, ada), await clients.connect(how, ada)];
      const his = await clients.connect(how, bo);
      for (const client of twice) await subscribe(client, onRoom(place));
      const subscription = await subscribe(his, onRoom(place));

      const { clients: here } = await subscription.presence();
      const people = Object.values(here).map(({ user }) => user).sort();
      assert.deepEqual(people, [ada.id, ada.id, bo.id].sort());
      for (const [id, info] of Object.entries(here)) assert.equal(info.client, id);
      const stats = await subscription.presenceStats();
      assert.deepEqual({ ...stats }, { numClients: 3, numUsers: 2 });
    });

    test('those who ask for it see others join and leave', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const hers = await clients.connect(how, ada);
      const ear = listen(await subscribe(hers, onRoom(place), { joinLeave: true }), 'join', 'leave');
      const his = await clients.connect(how, bo);
      const theirs = await subscribe(his, onRoom(place));
      await ear.next('Bo joins', ({ event, info }) => event === 'join' && info.user === bo.id);
      theirs.unsubscribe();
      const left = await ear.next('Bo leaves', ({ event, info }) => event === 'leave' && info.user === bo.id);
      assert.ok(left.info.client);
    });

    test('typing is seen by others and is not kept', async (t) => {
      const clients = clientsOf(t);
      const [hers, his] = [await clients.connect(how, ada), await clients.connect(how, bo)];
      const subscription = await subscribe(his, `typing:${room.id}`);
      const ear = listen(subscription, 'publication', 'subscribed');
      await hers.rpc('room.typing', { room_id: room.id });
      const { data } = await ear.event('publication');
      assert.equal(data.user.id, ada.id);
      assert.equal(data.user.display_name, ada.name);
      await hers.publish(`typing:${room.id}`, {});
      await count(ear, 2);
      await assert.rejects(subscription.history({ limit: 1 }), ({ code }) => code === 108);
    });

    test('a mention and a direct message arrive on one\'s own stream, which nobody asked for', async (t) => {
      const clients = clientsOf(t);
      const his = await clients.connect(how, bo);
      const ear = listen(his, 'publication');
      await post(ada, room, `hello @${bo.handle}, look`);
      const mention = await ear.next('a mention', ({ data }) => data.type === 'mention');
      assert.equal(mention.channel, `user:${bo.id}`);
      assert.equal(mention.data.room_id, room.id);
      assert.ok(mention.offset > 0);

      const direct = await directRoom(ada, bo);
      await post(ada, direct, 'between us');
      const message = await ear.next('a direct message', ({ data }) => data.type === 'direct.message');
      assert.equal(message.data.room_id, direct.id);
    });

    test('what HTTP shows is what the socket showed', async (t) => {
      const clients = clientsOf(t);
      const place = await makeRoom(ada, bo);
      const his = await clients.connect(how, bo);
      const ear = listen(await subscribe(his, onRoom(place)), 'publication');
      await post(ada, place, 'by hand');
      const { data, offset } = await ear.event('publication');
      const { items } = await call('GET', `/v1/rooms/${place.id}/messages`, { token: bo.token });
      assert.deepEqual(items.map((item) => [item.id, item.offset, item.text]), [[data.message.id, offset, 'by hand']]);
    });
  });
}
