/** Map subscriptions: who is here, and what one has not read; snapshot by pages, changes, removals, recovery. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { layCable } from '../lib/cable.mjs';
import { addRoom, call, leave, makeRoom, post, register } from '../lib/people.mjs';
import { WAYS, clientsOf, failing, onRoom, subscribe } from '../lib/sdk.mjs';
import { BASE, needsProgram, startServer } from '../lib/server.mjs';
import { fromBytes, listen, until } from '../lib/until.mjs';
import { connectWire } from '../lib/wire.mjs';

/** Subscribes to a map and keeps it as an application would; `view` is the map as its reader sees it. */
async function look(client, channel, options) {
  const subscription = client.newMapSubscription(channel, options);
  subscription.on('error', () => {});
  const ear = listen(subscription, 'subscribed', 'sync', 'update', 'unsubscribed');
  const view = new Map();
  subscription.on('sync', ({ entries }) => {
    view.clear();
    for (const { key, data } of entries) view.set(key, fromBytes(data));
  });
  subscription.on('update', ({ key, data, removed }) => (removed ? view.delete(key) : view.set(key, fromBytes(data))));
  subscription.subscribe();
  await subscription.ready(10_000);
  await ear.event('sync');
  return { subscription, ear, view };
}

describe('maps', { concurrency: 4 }, () => {
  let ada, bo;
  before(async () => {
    [ada, bo] = await Promise.all(['Ada', 'Bo'].map((name) => register(name)));
  });

  for (const how of WAYS) {
    test(`${how.way}: presence shows who is here, who comes, who is away and who goes`, async (t) => {
      const clients = clientsOf(t);
      const [bo, cy] = [await register('Bo'), await register('Cy')];
      const place = await makeRoom(ada, bo, cy);
      const his = await clients.connect(how, bo);
      await subscribe(his, onRoom(place));
      const hers = await clients.connect(how, ada);
      const { view, ear } = await look(hers, `presence:${place.id}`);
      assert.deepEqual([...view.keys()], [bo.id]);
      assert.deepEqual(view.get(bo.id), { id: bo.id, handle: bo.handle, display_name: bo.name, status: 'online' });

      const theirs = await clients.connect(how, cy);
      const subscription = await subscribe(theirs, onRoom(place));
      await until('Cy is here', () => view.has(cy.id));
      await his.rpc('presence.set', { status: 'away' });
      await until('Bo is away', () => view.get(bo.id)?.status === 'away');
      await his.rpc('presence.set', { status: 'online' });
      await until('Bo is back', () => view.get(bo.id)?.status === 'online');
      subscription.unsubscribe();
      await until('Cy is gone', () => !view.has(cy.id), 12_000);
      const removal = ear.of('update').find(({ removed }) => removed);
      assert.equal(removal.key, cy.id);
      assert.equal(ear.of('sync').length, 1);
    });

    test(`${how.way}: a map that was cut off catches up by its changes, without a new snapshot`, async (t) => {
      const clients = clientsOf(t);
      const [bo, cy] = [await register('Bo'), await register('Cy')];
      const place = await makeRoom(ada, bo, cy);
      const his = await clients.connect(how, bo);
      await subscribe(his, onRoom(place));
      // Somebody else keeps looking, so that there is something to recover from.
      await look(his, `presence:${place.id}`);
      const cable = await layCable(BASE);
      t.after(() => cable.remove());
      const hers = await clients.connect(how, ada, { base: cable.base });
      const { view, ear } = await look(hers, `presence:${place.id}`);
      cable.cut({ stayAway: true });
      await until('the client notices', () => hers.state === 'connecting');
      await subscribe(await clients.connect(how, cy), onRoom(place));
      await his.rpc('presence.set', { status: 'away' });
      const from = ear.heard.length;
      cable.mend();

      const back = await ear.event('subscribed', { from });
      assert.ok(back.wasRecovering && back.recovered);
      await until('both changes are there', () => view.has(cy.id) && view.get(bo.id)?.status === 'away');
      assert.equal(ear.of('sync').length, 1);
      assert.deepEqual([...view.keys()].sort(), [bo.id, cy.id].sort());
    });

    test(`${how.way}: unread counts follow messages, mentions and reading, and go with the room`, async (t) => {
      const clients = clientsOf(t);
      const bob = await register('Bob');
      const place = await makeRoom(ada, bob);
      const [first] = await post(ada, place, 'before anybody looks');
      const his = await clients.connect(how, bob);
      const { view, ear } = await look(his, `unread:${bob.id}`);
      const state = () => view.get(place.id);
      assert.ok(state(), 'the room is in the snapshot');
      assert.equal(state().last_offset, first);
      const unread = state().unread;

      await post(ada, place, 'one more', `and @${bob.handle}`);
      await until('both are counted', () => state().unread === unread + 2 && state().mentions === 1);
      const [top] = await post(ada, place, 'the last');
      await until('it is counted', () => state().last_offset === top);
      await his.rpc('room.read', { room_id: place.id, offset: top });
      await until('it is read', () => state().read_offset === top && state().unread === 0 && state().mentions === 0);
      await his.rpc('room.mute', { room_id: place.id, muted: true });
      await until('it is muted', () => state().muted === true);
      await leave(bob, place);
      await until('the room is gone', () => !view.has(place.id));
      assert.ok(ear.of('update').some(({ key, removed }) => key === place.id && removed));
    });

    test(`${how.way}: a snapshot comes by pages, complete and once`, async (t) => {
      const clients = clientsOf(t);
      const who = await register('Dee');
      const place = await makeRoom(who);
      for (let i = 0; i < 6; i += 1) await addRoom(who, place.community);
      const rooms = (await call('GET', '/v1/me/rooms', { token: who.token })).items.map(({ id }) => id);
      assert.ok(rooms.length >= 7);
      const client = await clients.connect(how, who);
      const { ear, view } = await look(client, `unread:${who.id}`, { pageSize: 2 });
      const keys = ear.of('sync')[0].entries.map(({ key }) => key);
      assert.deepEqual([...keys].sort(), [...rooms].sort());
      assert.equal(new Set(keys).size, keys.length);
      // Live after the pages.
      const [top] = await post(who, place, 'and on');
      await until('it is counted', () => view.get(place.id).last_offset === top);
    });

    test(`${how.way}: a room appears in the map when one joins, and someone else's map is not to be seen`, async (t) => {
      const clients = clientsOf(t);
      const who = await register('Eve');
      const client = await clients.connect(how, who);
      const { view } = await look(client, `unread:${who.id}`);
      assert.equal(view.size, 0);
      const place = await makeRoom(ada, who);
      await post(ada, place, 'welcome');
      await until('the room is there', () => view.get(place.id)?.unread >= 1);

      const other = client.newMapSubscription(`unread:${ada.id}`);
      const ear = listen(other, 'unsubscribed');
      other.subscribe();
      assert.equal((await ear.event('unsubscribed')).code, 103);
    });
  }

  test('a position that is lost is error 112: the SDK starts from scratch, or stops if it was told to', async (t) => {
    const place = await makeRoom(ada, bo);
    const wire = await connectWire(t, ada);
    const channel = `presence:${place.id}`;
    const page = await wire.ask({ subscribe: { channel, type: 1, phase: 2 } });
    assert.equal(page.subscribe.type, 1);
    assert.equal(page.subscribe.phase, 2);
    assert.ok(page.subscribe.epoch);
    const lost = await wire.ask({ subscribe: { channel, type: 1, phase: 1, recover: true, offset: 1, epoch: 'another' } });
    assert.equal(lost.error.code, 112);
    // Nothing is left of the failed attempt: the same channel can be looked at.
    const { epoch, offset } = page.subscribe;
    const live = await wire.ask({ subscribe: { channel, type: 1, phase: 1, offset: offset ?? 0, epoch } });
    assert.equal(live.subscribe.type, 1);
    assert.equal(live.subscribe.phase ?? 0, 0);
    assert.ok(live.subscribe.recoverable && live.subscribe.positioned);
    const again = await wire.ask({ subscribe: { channel, type: 1, phase: 2 } });
    assert.equal(again.error.code, 105);
  });

  test('a map is not a stream and a stream is not a map', async (t) => {
    const place = await makeRoom(ada, bo);
    const client = await clientsOf(t).connect(WAYS[0], ada);
    for (const subscription of [client.newSubscription(`presence:${place.id}`), client.newMapSubscription(onRoom(place))]) {
      const ear = listen(subscription, 'unsubscribed');
      subscription.subscribe();
      assert.equal((await ear.event('unsubscribed')).code, 107);
    }
  });

  test('maps are written by the server alone', async (t) => {
    const place = await makeRoom(ada, bo);
    const client = await clientsOf(t).connect(WAYS[0], ada);
    await assert.rejects(client.publish(`presence:${place.id}`, { key: ada.id }), failing(103));
    await assert.rejects(client.publish(`unread:${ada.id}`, {}), failing(103));
    await assert.rejects(client.publish(`user:${ada.id}`, {}), failing(103));
  });
});

describe('unread counts and a store that was written to without news', needsProgram, () => {
  let server;
  before(async () => {
    server = await startServer();
  });
  after(() => server?.remove());

  /** Stores messages as another node would; this one hears nothing of it. */
  async function postUnheard(author, place, ...texts) {
    for (const [text, called] of texts) {
      const id = randomUUID();
      const body = JSON.stringify({ v: 1, type: 'message.created', room_id: place.id, actor: { id: author.id }, message: { id, text } });
      const here = `FROM streams s WHERE s.id = '${place.id}'`;
      await server.sql(`BEGIN; UPDATE streams SET last_offset = last_offset + 1 WHERE id = '${place.id}';
        INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
          SELECT s.tenant_id, s.id, s.last_offset, 'message.created', '${author.id}', '${id}', now(), '${body}' ${here};
        INSERT INTO messages (tenant_id, room_id, event_offset, id, author_id, client_id, text, created_at)
          SELECT s.tenant_id, s.id, s.last_offset, '${id}', '${author.id}', '${id}', '${text}', now() ${here};
        INSERT INTO mentions (tenant_id, room_id, target, event_offset)
          SELECT s.tenant_id, s.id, 'user:${called?.id}', s.last_offset ${here} AND ${called !== undefined}; COMMIT`);
    }
  }

  test('what was read from the store to close a gap is counted, mentions too', async (t) => {
    const [ada, bo] = [await register('Ada', server), await register('Bo', server)];
    const place = await makeRoom(ada, bo);
    const [read] = await post(ada, place, 'the first');
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const ear = listen(await subscribe(client, onRoom(place)), 'publication');
    const { view } = await look(client, `unread:${bo.id}`);
    await client.rpc('room.read', { room_id: place.id, offset: read });
    await until('all is read', () => view.get(place.id).unread === 0);
    await postUnheard(ada, place, ['one'], ['two', bo], ['three']);
    await until('the gap is closed', () => ear.of('publication').length === 3);
    await until('all three are counted', () => view.get(place.id).unread === 3, 2_000);
    const { last_offset: top, mentions } = view.get(place.id);
    assert.deepEqual([top, mentions], [read + 3, 1]);
  });
});
