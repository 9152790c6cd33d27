/**
 * The main job, on real input: two strangers register, open the page, chat, lose their network and their server, come back and
 * miss nothing. At phone and desktop size.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RESTART, composer, joinRoom, launch, makeRoom, messageWith, openRoom, restartServer, say, stored, stranger, textsIn, until } from './support/browser.mjs';

/** Each text is there exactly once, and in this order on both sides. */
async function assertSame(one, two, texts) {
  for (const who of [one, two]) {
    await until(`${who.name} sees all ${texts.length} messages`, async () => {
      const shown = await textsIn(who.page);
      return texts.every((text) => shown.filter((other) => other === text).length === 1);
    }, 30_000);
    assert.equal(await who.page.locator('.message.pending').count(), 0, 'nothing is left unsent');
  }
  const [left, right] = await Promise.all([textsIn(one.page), textsIn(two.page)]);
  assert.deepEqual(left, right, 'both see the same order');
  assert.equal(new Set(left).size, left.length, 'nothing is there twice');
}

for (const size of ['phone', 'desktop']) {
  describe(`two strangers, ${size}`, () => {
    let browser;
    before(async () => {
      browser = await launch();
    });
    after(() => browser.close());

    test('chat, lose their network and their server, come back, and miss nothing', async (t) => {
      const ada = await stranger(browser, 'Ada', size);
      const bo = await stranger(browser, 'Bo', size);
      const place = await makeRoom(ada);
      await joinRoom(bo, place);
      const said = [];
      const speak = async (who, text) => {
        said.push(text);
        await say(who, text);
      };

      await t.test('they hear each other', async () => {
        await speak(ada, 'Good morning, square.');
        await messageWith(bo.page, 'Good morning, square.').waitFor();
        await speak(bo, 'Good morning to you.');
        await messageWith(ada.page, 'Good morning to you.').waitFor();
        await assertSame(ada, bo, said);
      });

      await t.test('one loses the network, writes on, and gets what was missed', async () => {
        bo.expectOutage(true);
        await bo.context.setOffline(true);
        await bo.page.getByRole('status', { name: 'Connection' }).getByText(/offline|lost/i).waitFor();
        for (let i = 1; i <= 5; i += 1) await speak(ada, `Said while you were away ${i}`);
        await stored(ada.page, 'Said while you were away 5');
        await speak(bo, 'Written without a network');
        assert.equal(await bo.page.locator('.message.pending', { hasText: 'Written without a network' }).count(), 1, 'it waits, dimmed');
        await bo.context.setOffline(false);
        await stored(bo.page, 'Written without a network');
        await messageWith(ada.page, 'Written without a network').waitFor();
        await assertSame(ada, bo, said);
        bo.expectOutage(false);
      });

      await t.test('an unsent message survives a reload', async () => {
        bo.expectOutage(true);
        await bo.page.route('**/v1/rooms/*/messages', (route) => (route.request().method() === 'POST' ? route.abort() : route.continue()));
        await speak(bo, 'Kept over a reload');
        await bo.page.locator('.message.pending', { hasText: 'Kept over a reload' }).waitFor();
        await bo.page.reload();
        await bo.page.locator('.message.pending', { hasText: 'Kept over a reload' }).waitFor();
        await bo.page.unroute('**/v1/rooms/*/messages');
        await stored(bo.page, 'Kept over a reload');
        await messageWith(ada.page, 'Kept over a reload').waitFor();
        await assertSame(ada, bo, said);
        bo.expectOutage(false);
      });

      await t.test('the server is killed and comes back', { skip: RESTART ? false : 'RIALTO_RESTART_CMD is not set' }, async () => {
        for (const who of [ada, bo]) who.expectOutage(true);
        const restarted = restartServer();
        for (let i = 1; i <= 3; i += 1) {
          await speak(ada, `Into the crash from Ada ${i}`);
          await speak(bo, `Into the crash from Bo ${i}`);
        }
        await restarted;
        await stored(ada.page, 'Into the crash from Ada 3');
        await stored(bo.page, 'Into the crash from Bo 3');
        await speak(ada, 'Everything is still here.');
        await messageWith(bo.page, 'Everything is still here.').waitFor({ timeout: 30_000 });
        await assertSame(ada, bo, said);
        for (const who of [ada, bo]) who.expectOutage(false);
      });

      await t.test('a reload shows the same', async () => {
        await openRoom(ada, place);
        await openRoom(bo, place);
        await assertSame(ada, bo, said);
      });

      await t.test('the composer is in view and usable', async () => {
        const box = await composer(ada.page).boundingBox();
        const { height } = ada.page.viewportSize();
        assert.ok(box && box.y + box.height <= height, 'the composer is inside the window');
      });

      await ada.close();
      await bo.close();
    });
  });
}
