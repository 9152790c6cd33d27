/** A history that was cut (a backup was restored): clients are told that they can not go on from where they were, and read anew. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeRoom, post, register } from '../lib/people.mjs';
import { WAYS, clientsOf, count, offsets, onRoom, subscribe } from '../lib/sdk.mjs';
import { needsProgram, startServer } from '../lib/server.mjs';
import { listen, sleep, until } from '../lib/until.mjs';
import { assertPlainReason, connectWire } from '../lib/wire.mjs';

const KEPT = 4;

/** Everything in the room by the SDK's history, page by page, as an application reloads it. */
async function reload(subscription, epoch) {
  const found = [];
  for (;;) {
    const since = { offset: found.at(-1)?.offset ?? 0, epoch };
    const { publications } = await subscription.history({ limit: 3, since });
    if (publications.length === 0) return found;
    found.push(...publications);
  }
}

const texts = (publications) => publications.filter(({ data }) => data.type === 'message.created').map(({ data }) => data.message.text);

describe('a restored backup', { concurrency: 1, ...needsProgram }, () => {
  let server, ada, bo;
  before(async () => {
    server = await startServer();
    [ada, bo] = [await register('Ada', server), await register('Bo', server)];
  });
  after(() => server?.remove());

  /** What a backup from before `offset` was made of the room, put back. */
  async function loseTail(place, offset) {
    await server.sql(`BEGIN;
      DELETE FROM events WHERE stream_id = '${place.id}' AND event_offset > ${offset};
      DELETE FROM mentions WHERE room_id = '${place.id}' AND event_offset > ${offset};
      DELETE FROM messages WHERE room_id = '${place.id}' AND event_offset > ${offset};
      UPDATE streams SET last_offset = ${offset} WHERE id = '${place.id}'; COMMIT`);
  }

  for (const how of WAYS) {
    test(`${how.way}: 3014 when its past is another, recovered: false, history without a gap, and what is new in order`, async (t) => {
      const place = await makeRoom(ada, bo);
      const clients = clientsOf(t);
      const client = await clients.connect(how, bo);
      const state = listen(client, 'connecting', 'disconnected', 'subscribed');
      const subscription = await subscribe(client, onRoom(place));
      const ear = listen(subscription, 'publication', 'subscribed', 'unsubscribed');
      const kept = await post(ada, place, ...Array.from({ length: KEPT }, (_, i) => `kept ${i}`));
      const lost = await post(ada, place, 'lost 0', 'lost 1', 'lost 2');
      await count(ear, KEPT + lost.length);

      await loseTail(place, kept.at(-1));
      const from = ear.heard.length;
      const done = await server.run('doctor', 'restore-done');
      assert.ok(done.streams >= 3 && done.tenants >= 2, JSON.stringify(done));

      const { code, reason } = await state.event('connecting');
      assert.equal(code, 3014);
      assertPlainReason({ reason });
      const back = await ear.event('subscribed', { from });
      assert.deepEqual([back.wasRecovering, back.recovered], [true, false]);
      assert.equal(back.streamPosition.offset, kept.at(-1));
      assert.notEqual(back.streamPosition.epoch, place.epoch);
      const own = await state.next('the own stream is back', ({ event, channel }) => event === 'subscribed' && channel === `user:${bo.id}`);
      assert.deepEqual([own.wasRecovering, own.recovered], [true, false]);

      // The offsets of what was lost are given again: to what is new.
      const fresh = await post(ada, place, 'new 0', 'new 1', 'new 2', 'new 3');
      assert.deepEqual(fresh.slice(0, 3), lost);
      await until('what is new has come', () => ear.heard.slice(from).filter(({ event }) => event === 'publication').length >= fresh.length);
      await sleep(200);
      const told = ear.heard.slice(from).filter(({ event }) => event === 'publication');
      assert.deepEqual(told.map(({ offset }) => offset), fresh);
      assert.deepEqual(texts(told), ['new 0', 'new 1', 'new 2', 'new 3']);
      const all = await reload(subscription, back.streamPosition.epoch);
      assert.deepEqual(all.map(({ offset }) => offset), Array.from({ length: fresh.at(-1) }, (_, i) => i + 1));
      assert.deepEqual(texts(all), ['kept 0', 'kept 1', 'kept 2', 'kept 3', 'new 0', 'new 1', 'new 2', 'new 3']);
      assert.deepEqual(state.of('disconnected'), [], 'the SDK comes back by itself');
      assert.deepEqual(ear.of('unsubscribed'), []);
    });
  }

  test('2502 when the past of one room is another: the subscription begins anew, the connection stays', async (t) => {
    const [place, other] = [await makeRoom(ada, bo), await makeRoom(ada, bo)];
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const state = listen(client, 'connecting');
    const ear = listen(await subscribe(client, onRoom(place)), 'subscribing', 'subscribed', 'publication');
    const otherEar = listen(await subscribe(client, onRoom(other)), 'subscribing', 'publication');
    const sent = await post(ada, place, 'before');
    await count(ear, 1);
    // No command tells the server: the position check sees it.
    await server.sql(`UPDATE streams SET epoch = 'another' WHERE id = '${place.id}'`);
    const { code, reason } = await ear.event('subscribing');
    assert.equal(code, 2502);
    assertPlainReason({ reason });
    const back = await ear.event('subscribed');
    assert.deepEqual([back.wasRecovering, back.recovered, back.streamPosition.epoch], [true, false, 'another']);
    sent.push(...(await post(ada, place, 'after')));
    await post(ada, other, 'elsewhere');
    await count(ear, 2);
    await count(otherEar, 1);
    assert.deepEqual(offsets(ear), sent);
    assert.deepEqual([state.heard, otherEar.of('subscribing')], [[], []]);
  });

  test('a room that the backup did not have is gone, and said to be', async (t) => {
    const place = await makeRoom(ada, bo);
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const ear = listen(await subscribe(client, onRoom(place)), 'unsubscribed');
    const [{ 0: tenant }] = await server.sql(`SELECT tenant_id FROM rooms WHERE id = '${place.id}'`);
    await server.sql(`BEGIN; DELETE FROM events WHERE stream_id = '${place.id}'; DELETE FROM streams WHERE id = '${place.id}';
      DELETE FROM read_states WHERE room_id = '${place.id}'; DELETE FROM rooms WHERE id = '${place.id}'; COMMIT`);
    const done = await server.run('doctor', 'restore-done', '--tenant', tenant);
    assert.equal(done.tenants, 1);
    // By the check of its rights, or refused as it begins anew: whichever comes first.
    assert.ok([2000, 103].includes((await ear.event('unsubscribed')).code));
  });

  test('one tenant only: the others keep their epochs and connections', async (t) => {
    const slug = 'restored-alone';
    await server.run('tenant', 'provision', '--name', 'Alone', '--slug', slug, '--admin-email', 'admin@alone.example');
    const zoe = await until('the tenant is open', () => register('Zoe', { base: server.base, tenant: slug }), 3_000);
    const place = await makeRoom(ada, bo);
    const clients = clientsOf(t);
    const [hers, his] = [await clients.connect(WAYS[0], zoe), await clients.connect(WAYS[0], bo)];
    const [told, spared] = [listen(hers, 'connecting'), listen(his, 'connecting')];
    const ear = listen(await subscribe(his, onRoom(place)), 'publication', 'subscribed');
    const wire = await connectWire(t, zoe);
    const epochs = `SELECT md5(string_agg(s.epoch, ',' ORDER BY s.id)) FROM streams s JOIN tenants t ON t.id = s.tenant_id WHERE t.slug`;
    const [own, others] = [await server.sql(`${epochs} = '${slug}'`), await server.sql(`${epochs} <> '${slug}'`)];
    await server.run('doctor', 'restore-done', '--tenant', slug);
    assert.equal((await told.event('connecting')).code, 3014);
    assert.equal((await wire.closed()).code, 3014);
    assert.deepEqual(await server.sql(`${epochs} <> '${slug}'`), others);
    assert.notDeepEqual(await server.sql(`${epochs} = '${slug}'`), own);
    const audit = await server.sql(`SELECT action FROM audit a JOIN tenants t ON t.id = a.tenant_id WHERE t.slug = '${slug}' AND action = 'tenant.restored'`);
    assert.deepEqual(audit, [['tenant.restored']]);
    await post(ada, place, 'undisturbed');
    await count(ear, 1);
    assert.deepEqual([spared.heard, ear.of('subscribed')], [[], []]);
  });
});
