/** Every error that a client can provoke, by its number; after each the connection goes on. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { addRoom, changeRoom, makeRoom, post, register } from '../lib/people.mjs';
import { WAYS, clientsOf, failing, onRoom, subscribe } from '../lib/sdk.mjs';
import { needsProgram, startServer } from '../lib/server.mjs';
import { listen } from '../lib/until.mjs';
import { connectWire, openWire } from '../lib/wire.mjs';

const message = (text = 'text') => ({ client_id: randomUUID(), text });

describe('errors', { concurrency: 4 }, () => {
  let ada, bo, stranger;
  before(async () => {
    [ada, bo, stranger] = await Promise.all(['Ada', 'Bo', 'Sid'].map((name) => register(name)));
  });

  /** Subscribes in vain; answers the code with which the SDK gave up. */
  async function refusedSubscribe(client, channel) {
    const subscription = client.newSubscription(channel);
    const ear = listen(subscription, 'unsubscribed');
    subscription.subscribe();
    const { code, reason } = await ear.event('unsubscribed');
    assert.notEqual(reason, '');
    return code;
  }

  for (const how of WAYS) {
    test(`${how.way}: each refusal has its number`, async (t) => {
      const place = await makeRoom(ada, bo);
      const client = await clientsOf(t).connect(how, stranger);
      const ear = listen(client, 'connecting', 'disconnected');

      // 102: there is no such kind of channel, or its id is none.
      for (const channel of ['nonsense', 'room', 'room:', 'room:general', 'admin:1', `$room:${place.id}`]) {
        assert.equal(await refusedSubscribe(client, channel), 102, channel);
        await assert.rejects(client.publish(channel, message()), failing(102), channel);
        await assert.rejects(client.history(channel, { limit: 1 }), failing(102), channel);
        await assert.rejects(client.presence(channel), failing(102), channel);
      }
      // 103: not a member, or no such room: which of the two is not told.
      for (const id of [place.id, randomUUID()]) {
        for (const kind of ['room', 'typing']) assert.equal(await refusedSubscribe(client, `${kind}:${id}`), 103);
        await assert.rejects(client.publish(`room:${id}`, message()), failing(103));
        await assert.rejects(client.rpc('message.create', { room_id: id, ...message() }), failing(103));
        await assert.rejects(client.rpc('message.list', { room_id: id }), failing(103));
        await assert.rejects(client.history(`room:${id}`, { limit: 1 }), failing(103));
        await assert.rejects(client.presence(`room:${id}`), failing(103));
        await assert.rejects(client.presenceStats(`room:${id}`), failing(103));
      }
      assert.equal(await refusedSubscribe(client, `user:${ada.id}`), 103);
      await assert.rejects(client.history(`user:${ada.id}`, { limit: 1 }), failing(103));
      // 104
      await assert.rejects(client.rpc('message.shout', {}), failing(104));
      await assert.rejects(client.rpc('', {}), failing(104));
      // 105: one's own stream is subscribed by the server already.
      assert.equal(await refusedSubscribe(client, `user:${stranger.id}`), 105);
      // 108
      await assert.rejects(client.presence(`user:${stranger.id}`), failing(108));
      await assert.rejects(client.history(`unread:${stranger.id}`, { limit: 1 }), failing(108));

      assert.deepEqual(ear.heard, [], 'the connection goes on');
      await client.rpc('presence.set', { status: 'online' });
    });

    test(`${how.way}: 107 for what makes no sense or is too large, in words`, async (t) => {
      const place = await makeRoom(ada);
      const client = await clientsOf(t).connect(how, ada);
      const ear = listen(client, 'connecting', 'disconnected');
      const channel = onRoom(place);
      const publish = (data) => client.publish(channel, data);
      await assert.rejects(publish({}), failing(107, /client_id/));
      await assert.rejects(publish({ client_id: 'one', text: 'x' }), failing(107));
      await assert.rejects(publish({ client_id: randomUUID() }), failing(107, /text/));
      await assert.rejects(publish(null), failing(107));
      await assert.rejects(publish('text'), failing(107));
      await assert.rejects(publish(message('')), failing(107));
      await assert.rejects(publish(message('x'.repeat(8_001))), failing(107, /8,?000/));
      await assert.rejects(publish({ ...message(), reply_to: randomUUID() }), failing(107));
      await assert.rejects(client.rpc('message.create', message()), failing(107, /room_id/));
      await assert.rejects(client.rpc('message.edit', { room_id: place.id }), failing(107));
      const { data: { id } } = await client.rpc('message.create', { room_id: place.id, ...message() });
      await assert.rejects(client.rpc('reaction.add', { room_id: place.id, id, emoji: 'no emoji at all, but a sentence' }), failing(107));
      // Over the bound of a command, under that of a frame.
      await assert.rejects(publish(message('x'.repeat(150 * 1024))), failing(107));
      await assert.rejects(client.rpc('message.create', { room_id: place.id, ...message('x'.repeat(150 * 1024)) }), failing(107));
      assert.deepEqual(ear.heard, [], 'the connection goes on');
      await publish(message('x'.repeat(8_000)));
    });

    test(`${how.way}: 111 in slow mode, with the seconds to wait, and for whoever posts too fast`, async (t) => {
      const place = await makeRoom(ada, bo);
      await changeRoom(ada, place, { slow_mode_s: 30 });
      const client = await clientsOf(t).connect(how, bo);
      await client.publish(onRoom(place), message());
      const slow = (error) => failing(111, /3?\d s/)(error) && error.temporary !== false;
      await assert.rejects(client.publish(onRoom(place), message()), slow);

      // Somebody of their own: what they may post is used up afterwards.
      const hasty = await register('Hasty');
      const other = await makeRoom(hasty);
      const rush = await clientsOf(t).connect(how, hasty);
      const outcomes = await Promise.allSettled(Array.from({ length: 80 }, () => rush.publish(onRoom(other), message())));
      const refused = outcomes.filter(({ status }) => status === 'rejected');
      assert.ok(refused.length > 0 && refused.length < 80, `${refused.length} of 80 refused`);
      for (const { reason } of refused) assert.equal(reason.code, 111);
      const subscription = await subscribe(rush, onRoom(other));
      const { publications } = await subscription.history({ limit: 1_000, since: { offset: 0, epoch: other.epoch } });
      const stored = publications.filter(({ data }) => data.type === 'message.created').length;
      assert.equal(stored, 80 - refused.length, 'what was refused is not stored, what was acknowledged is');
    });

    test(`${how.way}: 103 where only moderators write`, async (t) => {
      const place = await makeRoom(ada, bo);
      const news = await addRoom(ada, place.community, 'announcement');
      const [hers, his] = [await clientsOf(t).connect(how, ada), await clientsOf(t).connect(how, bo)];
      const ear = listen(await subscribe(his, onRoom(news)), 'publication');
      await assert.rejects(his.publish(onRoom(news), message()), failing(103));
      await hers.publish(onRoom(news), message('hear, hear'));
      assert.equal((await ear.event('publication')).data.message.text, 'hear, hear');
    });

    test(`${how.way}: 103 for other people's messages`, async (t) => {
      const place = await makeRoom(ada, bo);
      const [hers, his] = [await clientsOf(t).connect(how, ada), await clientsOf(t).connect(how, bo)];
      const { data: { id } } = await hers.rpc('message.create', { room_id: place.id, ...message() });
      await assert.rejects(his.rpc('message.edit', { room_id: place.id, id, text: 'mine' }), failing(103));
      await assert.rejects(his.rpc('message.delete', { room_id: place.id, id }), failing(103));
      await assert.rejects(his.rpc('pin.add', { room_id: place.id, id }), failing(103));
    });
  }

  test('101: nothing but connect opens a session', async (t) => {
    const wire = openWire(t);
    await wire.opened();
    for (const command of [{ rpc: { method: 'room.typing' } }, { subscribe: { channel: 'room:x' } }, { publish: { channel: 'room:x', data: {} } }]) {
      const { error } = await wire.ask(command);
      assert.equal(error.code, 101);
      assert.notEqual(error.message, '');
    }
  });

  test('105: a second subscription to the same channel', async (t) => {
    const place = await makeRoom(ada);
    const wire = await connectWire(t, ada);
    const first = await wire.ask({ subscribe: { channel: onRoom(place) } });
    assert.ok(first.subscribe.recoverable);
    const second = await wire.ask({ subscribe: { channel: onRoom(place) } });
    assert.equal(second.error.code, 105);
    assert.ok((await wire.ask({ unsubscribe: { channel: onRoom(place) } })).unsubscribe);
    assert.ok((await wire.ask({ subscribe: { channel: onRoom(place) } })).subscribe);
  });

  test('107: a command that names nothing known', async (t) => {
    const wire = await connectWire(t, ada);
    assert.equal((await wire.ask({ dance: {} })).error.code, 107);
    assert.equal((await wire.ask({ subscribe: { channel: 'room:x', type: 9 } })).error.code, 102);
    assert.ok((await wire.ask({ ping: {} })).ping);
  });

  test('107: a filter by tags, which is not offered', async (t) => {
    const place = await makeRoom(ada);
    const client = await clientsOf(t).connect(WAYS[0], ada);
    const subscription = client.newSubscription(onRoom(place), { tagsFilter: { key: 'a', cmp: 'eq', val: 'b' } });
    const ear = listen(subscription, 'unsubscribed');
    subscription.subscribe();
    assert.equal((await ear.event('unsubscribed')).code, 107);
  });

  test('108: subscriptions have no tokens to refresh', async (t) => {
    const wire = await connectWire(t, ada);
    assert.equal((await wire.ask({ sub_refresh: { channel: `user:${ada.id}`, token: 'x' } })).error.code, 108);
  });

  test('112: history from another epoch', async (t) => {
    const place = await makeRoom(ada);
    await post(ada, place, 'one');
    const client = await clientsOf(t).connect(WAYS[0], ada);
    await assert.rejects(client.history(onRoom(place), { limit: 1, since: { offset: 0, epoch: 'another' } }), failing(112));
  });
});

describe('errors under tight limits', needsProgram, () => {
  let server, ada;
  before(async () => {
    server = await startServer({ RIALTO_LIMITS__SOCKET__SUBSCRIPTIONS: '3', RIALTO_LIMITS__SOCKET__COMMANDS: '{per_second=1, burst=20}',
      RIALTO_LIMITS__POSTING__PER_TENANT: '{per_second=1, burst=6}' });
    ada = await register('Ada', server);
  });
  after(() => server?.remove());

  test('106: more subscriptions than a connection may hold', async (t) => {
    const rooms = [await makeRoom(ada), await makeRoom(ada), await makeRoom(ada)];
    const client = await clientsOf(t).connect(WAYS[0], ada);
    // Their own stream is the first of three.
    await subscribe(client, onRoom(rooms[0]));
    const second = await subscribe(client, onRoom(rooms[1]));
    const third = client.newSubscription(onRoom(rooms[2]));
    const ear = listen(third, 'unsubscribed', 'subscribed');
    third.subscribe();
    assert.equal((await ear.event('unsubscribed')).code, 106);
    second.unsubscribe();
    third.subscribe();
    await ear.event('subscribed');
  });

  test('111: more posts of a tenant than it may send, whoever sends them', async (t) => {
    const bo = await register('Bo', server);
    const place = await makeRoom(ada, bo);
    const clients = clientsOf(t);
    const [hers, his] = [await clients.connect(WAYS[0], ada), await clients.connect(WAYS[0], bo)];
    const sending = Array.from({ length: 12 }, (_, i) => (i % 2 ? hers : his).publish(onRoom(place), message()));
    const outcomes = await Promise.allSettled(sending);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    assert.ok(refused.length >= 5, `${refused.length} of 12 refused`);
    for (const { reason } of refused) assert.equal(reason.code, 111);
    const subscription = await subscribe(hers, onRoom(place));
    const { publications } = await subscription.history({ limit: 100, since: { offset: 0, epoch: place.epoch } });
    assert.equal(publications.filter(({ data }) => data.type === 'message.created').length, 12 - refused.length);
  });

  test('111: more commands than a connection may send, and it goes on', async (t) => {
    const wire = await connectWire(t, ada);
    const commands = Array.from({ length: 40 }, (_, i) => ({ id: i + 1, ping: {} }));
    wire.send(...commands);
    const replies = await Promise.all(commands.map(({ id }) => wire.reply(id)));
    const refused = replies.filter(({ error }) => error);
    assert.ok(refused.length >= 15 && refused.length < 40, `${refused.length} of 40`);
    for (const { error } of refused) assert.deepEqual([error.code, error.temporary], [111, true]);
  });
});
