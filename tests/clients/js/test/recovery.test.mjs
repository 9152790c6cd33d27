/** R3: who comes back gets what was missed, in order and once, or is told plainly that it can not be had. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { layCable } from '../lib/cable.mjs';
import { directRoom, makeRoom, post, register } from '../lib/people.mjs';
import { WAYS, clientsOf, count, offsets, onRoom, subscribe } from '../lib/sdk.mjs';
import { BASE, needsProgram, startServer } from '../lib/server.mjs';
import { listen, sleep, until } from '../lib/until.mjs';

async function cableOf(t, base = BASE) {
  const cable = await layCable(base);
  t.after(() => cable.remove());
  return cable;
}

const texts = (n, word = 'message') => Array.from({ length: n }, (_, i) => `${word} ${i}`);

describe('recovery', { concurrency: 4 }, () => {
  let ada, bo;
  before(async () => {
    ada = await register('Ada');
    bo = await register('Bo');
  });

  for (const how of WAYS) {
    test(`${how.way}: a connection that is cut comes back and has missed nothing`, async (t) => {
      const place = await makeRoom(ada, bo);
      const cable = await cableOf(t);
      const client = await clientsOf(t).connect(how, bo, { base: cable.base });
      const ear = listen(await subscribe(client, onRoom(place)), 'publication', 'subscribed');
      const sent = await post(ada, place, ...texts(3, 'before'));
      await count(ear, 3);

      cable.cut({ stayAway: true });
      await until('the client notices', () => client.state === 'connecting');
      sent.push(...(await post(ada, place, ...texts(5, 'while away'))));
      const from = ear.heard.length;
      cable.mend();

      const back = await ear.event('subscribed', { from });
      assert.ok(back.wasRecovering && back.recovered && back.hasRecoveredPublications);
      sent.push(...(await post(ada, place, 'after')));
      await count(ear, sent.length);
      await sleep(200);
      assert.deepEqual(offsets(ear), sent);
    });

    test(`${how.way}: one's own stream is recovered too`, async (t) => {
      const cable = await cableOf(t);
      const client = await clientsOf(t).connect(how, bo, { base: cable.base });
      const ear = listen(client, 'publication', 'subscribed');
      const direct = await directRoom(ada, bo);
      cable.cut({ stayAway: true });
      await until('the client notices', () => client.state === 'connecting');
      const text = `whisper ${randomUUID()}`;
      await post(ada, direct, text);
      const from = ear.heard.length;
      cable.mend();
      const back = await ear.next('the stream is back', ({ event, channel }) => event === 'subscribed' && channel === `user:${bo.id}`, { from });
      assert.ok(back.wasRecovering && back.recovered);
      const found = await ear.next('what was missed', ({ event, data }) => event === 'publication' && data.type === 'direct.message' && data.room_id === direct.id, { from });
      assert.ok(found.offset > 0);
    });

    test(`${how.way}: cut again and again while others post, nothing is missed or doubled`, async (t) => {
      const place = await makeRoom(ada, bo);
      const cable = await cableOf(t);
      const client = await clientsOf(t).connect(how, bo, { base: cable.base });
      const ear = listen(await subscribe(client, onRoom(place)), 'publication', 'subscribed');
      const sent = [];
      for (let round = 0; round < 4; round += 1) {
        sent.push(...(await post(ada, place, ...texts(2, `round ${round}`))));
        cable.cut();
        sent.push(...(await post(ada, place, ...texts(2, `round ${round} on`))));
      }
      await count(ear, sent.length, 20_000);
      await sleep(200);
      assert.deepEqual(offsets(ear), sent);
      assert.ok(ear.of('subscribed').every(({ recovered }) => recovered));
    });

    test(`${how.way}: a position from long ago is enough to begin with`, async (t) => {
      const place = await makeRoom(ada, bo);
      const sent = await post(ada, place, ...texts(4));
      const client = await clientsOf(t).connect(how, bo);
      const subscription = client.newSubscription(onRoom(place), { since: { offset: sent[0], epoch: place.epoch } });
      const ear = listen(subscription, 'publication', 'subscribed');
      subscription.subscribe();
      await count(ear, 3);
      assert.deepEqual(offsets(ear), sent.slice(1));
      assert.equal(ear.of('subscribed')[0].recovered, true);
    });

    test(`${how.way}: another epoch is not recovered from, and said so`, async (t) => {
      const place = await makeRoom(ada, bo);
      const sent = await post(ada, place, ...texts(3));
      const client = await clientsOf(t).connect(how, bo);
      const subscription = client.newSubscription(onRoom(place), { since: { offset: 1, epoch: 'another' } });
      const ear = listen(subscription, 'publication', 'subscribed');
      subscription.subscribe();
      const { wasRecovering, recovered, streamPosition } = await ear.event('subscribed');
      assert.deepEqual([wasRecovering, recovered], [true, false]);
      assert.equal(streamPosition.offset, sent.at(-1));
      assert.equal(streamPosition.epoch, place.epoch);
      assert.equal(ear.of('publication').length, 0);
    });
  }

  test('a client that is ahead of its room is told so', async (t) => {
    const place = await makeRoom(ada, bo);
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const subscription = client.newSubscription(onRoom(place), { since: { offset: 1_000_000, epoch: place.epoch } });
    const ear = listen(subscription, 'subscribed');
    subscription.subscribe();
    const { wasRecovering, recovered } = await ear.event('subscribed');
    assert.deepEqual([wasRecovering, recovered], [true, false]);
  });

  test('with getState, a lost position makes the SDK read the state again instead', async (t) => {
    const place = await makeRoom(ada, bo);
    const [first] = await post(ada, place, 'one');
    const client = await clientsOf(t).connect(WAYS[0], bo);
    const positions = [{ offset: first, epoch: 'another' }, { offset: first, epoch: place.epoch }];
    let asked = 0;
    const subscription = client.newSubscription(onRoom(place), {
      getState: async () => positions[Math.min(asked++, 1)],
      minResubscribeDelay: 20,
    });
    const ear = listen(subscription, 'subscribed', 'error');
    subscription.subscribe();
    const { recovered } = await ear.event('subscribed');
    assert.equal(recovered, true);
    assert.equal(asked, 2);
  });
});

describe('recovery with a small ring', { concurrency: 4, ...needsProgram }, () => {
  let server, ada, bo;
  before(async () => {
    server = await startServer({
      RIALTO_LIMITS__RING__EVENTS: '8',
      RIALTO_LIMITS__RING__RECOVER_EVENTS: '40',
      RIALTO_LIMITS__POSTING__PER_PERSON: '{per_second=2000, burst=4000}',
    });
    ada = await register('Ada', server);
    bo = await register('Bo', server);
  });
  after(() => server?.remove());

  for (const how of WAYS) {
    test(`${how.way}: what the ring has forgotten comes from the store; what is too much is said to be, and history fills it`, async (t) => {
      const place = await makeRoom(ada, bo);
      const cable = await cableOf(t, server.base);
      const client = await clientsOf(t).connect(how, bo, { base: cable.base });
      const subscription = await subscribe(client, onRoom(place));
      const ear = listen(subscription, 'publication', 'subscribed');
      const sent = await post(ada, place, 'first');
      await count(ear, 1);

      // More than the ring holds, less than one recovery serves.
      cable.cut({ stayAway: true });
      sent.push(...(await post(ada, place, ...texts(30, 'far'))));
      let from = ear.heard.length;
      cable.mend();
      assert.equal((await ear.event('subscribed', { from })).recovered, true);
      await count(ear, sent.length);
      assert.deepEqual(offsets(ear), sent);

      // More than one recovery serves.
      cable.cut({ stayAway: true });
      const missed = await post(ada, place, ...texts(45, 'too far'));
      from = ear.heard.length;
      cable.mend();
      const back = await ear.event('subscribed', { from });
      assert.deepEqual([back.wasRecovering, back.recovered], [true, false]);
      assert.equal(back.streamPosition.offset, missed.at(-1));
      const filled = [];
      while (filled.at(-1) !== missed.at(-1)) {
        const since = { offset: filled.at(-1) ?? sent.at(-1), epoch: back.streamPosition.epoch };
        const page = await subscription.history({ since, limit: 20 });
        assert.ok(page.publications.length > 0);
        filled.push(...page.publications.map(({ offset }) => offset));
      }
      assert.deepEqual(filled, missed);
      const [next] = await post(ada, place, 'on');
      assert.equal((await ear.next('what comes now', ({ offset }) => offset === next, { from })).offset, next);
    });
  }

  test('who comes back to many rooms at once gets all that was missed in each', async (t) => {
    const rooms = [];
    for (let i = 0; i < 30; i += 1) rooms.push(await makeRoom(ada, bo));
    const cable = await cableOf(t, server.base);
    const client = await clientsOf(t).connect(WAYS[0], bo, { base: cable.base });
    const ears = await Promise.all(rooms.map(async (room) => listen(await subscribe(client, onRoom(room)), 'publication', 'subscribed')));
    cable.cut({ stayAway: true });
    // Half a megabyte in all, while a quarter may wait for one reader.
    const sent = await Promise.all(rooms.map((room) => post(ada, room, ...texts(2, 'x'.repeat(7_900)))));
    const from = ears.map(({ heard }) => heard.length);
    const state = listen(client, 'connected');
    cable.mend();
    for (const [i, ear] of ears.entries()) {
      assert.equal((await ear.event('subscribed', { from: from[i] })).recovered, true);
      await count(ear, 2);
      assert.deepEqual(offsets(ear), sent[i]);
    }
    assert.equal(state.of('connected').length, 1, 'it came back once, and was not closed for what it asked for');
  });

  test('many large messages are recovered at once, by a reader that reads', async (t) => {
    const place = await makeRoom(ada, bo);
    const sent = await post(ada, place, ...Array.from({ length: 38 }, (_, i) => `${i} `.padEnd(7_900, 'x')));
    const options = { since: { offset: sent[0] - 1, epoch: place.epoch } };
    for (const how of WAYS) {
      const client = await clientsOf(t).connect(how, bo);
      const ear = listen(client, 'connecting');
      const subscription = client.newSubscription(onRoom(place), options);
      const heard = listen(subscription, 'publication', 'subscribed');
      subscription.subscribe();
      await count(heard, sent.length);
      assert.deepEqual(offsets(heard), sent, how.way);
      // The same as one page of history.
      const page = await subscription.history({ since: options.since, limit: 100 });
      assert.equal(page.publications.length, sent.length);
      assert.deepEqual(ear.heard, [], `${how.way}: the connection held`);
    }
  });
});
