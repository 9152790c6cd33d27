/** What one does, the other sees: reactions, edits, removals, answers, unread counts, typing, presence, mentions, conversations. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BASE, composer, joinRoom, launch, makeRoom, messageWith, openRoom, say, stored, stranger, until } from './support/browser.mjs';

describe('two people in one room', () => {
  let browser;
  let ada;
  let bo;
  let place;
  before(async () => {
    browser = await launch();
    ada = await stranger(browser, 'Ada');
    bo = await stranger(browser, 'Bo');
    place = await makeRoom(ada);
    await joinRoom(bo, place);
  });
  after(async () => {
    await ada.close();
    await bo.close();
    await browser.close();
  });

  const act = async (who, text, label) => {
    const message = messageWith(who.page, text).first();
    await message.hover();
    await message.getByRole('button', { name: label }).click();
  };
  const menu = async (who, text, item) => {
    await act(who, text, 'More actions');
    await who.page.getByRole('menuitem', { name: item }).click();
  };

  test('typing is seen, and ends with the message', async () => {
    await composer(ada.page).pressSequentially('Hel');
    await bo.page.getByRole('status', { name: 'Typing' }).getByText(`${ada.name} is typing`).waitFor();
    await composer(ada.page).fill('');
    await say(ada, 'Hello there');
    await messageWith(bo.page, 'Hello there').waitFor();
    await until('the typing line is empty', async () => (await bo.page.getByRole('status', { name: 'Typing' }).innerText()) === '');
  });

  test('presence is seen in the members pane', async () => {
    const here = ada.page.getByRole('region', { name: 'Here', exact: true });
    await here.getByText(bo.name).waitFor();
    await bo.page.goto(`${BASE}/settings`);
    await until('Bo is no longer here', async () => (await here.getByText(bo.name).count()) === 0, 60_000);
    await openRoom(bo, place);
    await here.getByText(bo.name).waitFor();
  });

  test('a reaction is counted once on both sides, and taken back', async () => {
    await stored(ada.page, 'Hello there');
    await act(bo, 'Hello there', 'Add reaction');
    await bo.page.getByLabel('Find an emoji', { exact: true }).fill('thumbs up');
    await bo.page.getByRole('button', { name: 'thumbs up yes good' }).click();
    await messageWith(bo.page, 'Hello there').getByRole('button', { name: '👍, 1 reaction, with yours' }).waitFor();
    const seen = messageWith(ada.page, 'Hello there').getByRole('button', { name: '👍, 1 reaction' });
    await seen.click();
    for (const who of [ada, bo]) await messageWith(who.page, 'Hello there').getByRole('button', { name: '👍, 2 reactions, with yours' }).waitFor();
    await messageWith(bo.page, 'Hello there').getByRole('button', { name: /👍/ }).click();
    await messageWith(ada.page, 'Hello there').getByRole('button', { name: '👍, 1 reaction, with yours' }).waitFor();
  });

  test('an answer shows what it answers and leads there', async () => {
    await act(bo, 'Hello there', 'Reply');
    await bo.page.getByText(`Replying to ${ada.name}`).waitFor();
    await say(bo, 'Hello back');
    const answer = messageWith(ada.page, 'Hello back');
    await answer.getByText('Hello there').waitFor();
    await answer.getByRole('button', { name: `In reply to ${ada.name}` }).click();
    await until('the answered message is focused', () => ada.page.evaluate(() => document.activeElement?.textContent.includes('Hello there')));
  });

  test('an edit by the arrow key is seen, with its history', async () => {
    await openRoom(ada, place);
    await stored(ada.page, 'Hello there');
    await composer(ada.page).focus();
    await composer(ada.page).press('ArrowUp');
    const box = ada.page.getByRole('textbox', { name: 'Edit message' });
    await box.fill('Hello **there**, friend');
    await box.press('Enter');
    await messageWith(bo.page, 'Hello there, friend').getByRole('button', { name: '(edited)' }).click();
    await bo.page.getByRole('dialog').getByText('Hello there', { exact: true }).waitFor();
    await bo.page.keyboard.press('Escape');
    assert.equal(await messageWith(bo.page, 'Hello there, friend').locator('strong').innerText(), 'there');
  });

  test('a removed message leaves a trace, and nothing of its text', async () => {
    await say(ada, 'Better not said');
    await messageWith(bo.page, 'Better not said').waitFor();
    await act(bo, 'Better not said', 'Reply');
    await say(bo, 'I heard it');
    await messageWith(ada.page, 'I heard it').waitFor();
    await menu(ada, 'I heard it', 'Copy link').catch(() => {});
    const own = ada.page.locator('.message', { has: ada.page.locator('.prose', { hasText: 'Better not said' }) }).first();
    await own.hover();
    await own.getByRole('button', { name: 'More actions' }).click();
    await ada.page.getByRole('menuitem', { name: 'Delete message' }).click();
    await ada.page.getByRole('dialog').getByRole('button', { name: 'Delete message' }).click();
    for (const who of [ada, bo]) {
      await who.page.getByText('Message deleted').first().waitFor();
      await until('no text is left', async () => (await who.page.getByRole('log').getByText('Better not said').count()) === 0);
    }
  });

  test('unread and mention counts come live and go when read', async () => {
    const handle = await ada.page.evaluate(async () => (await import('/static/app/store/session.js')).session.value.user.handle);
    await ada.page.goto(`${BASE}/communities`);
    await ada.page.getByRole('heading', { name: 'Communities' }).waitFor();
    await say(bo, 'Anybody at home?');
    await say(bo, `@${handle} the boots are here`);
    const mark = ada.page.getByRole('navigation', { name: 'Communities' }).getByText('1 mention', { exact: true });
    await mark.waitFor();
    await until('the title counts', async () => /^\(1\) /.test(await ada.page.title()));
    await openRoom(ada, place);
    await messageWith(ada.page, 'the boots are here').locator('.mention-me').waitFor();
    await until('the count is gone', async () => (await mark.count()) === 0);
    await until('the title is plain', async () => !/^\(/.test(await ada.page.title()));
    await ada.page.reload();
    await composer(ada.page).waitFor();
    await until('it stays gone after a reload', async () => (await mark.count()) === 0);
  });

  test('the unread line stands before what is new', async () => {
    await ada.page.goto(`${BASE}/settings`);
    await ada.page.getByRole('heading', { name: 'Settings' }).waitFor();
    // The read mark is sent a moment after the last message was seen.
    await ada.page.waitForTimeout(800);
    await say(bo, 'First new one');
    await say(bo, 'Second new one');
    await stored(bo.page, 'Second new one');
    await openRoom(ada, place);
    await stored(ada.page, 'Second new one');
    const order = await ada.page.evaluate(() => [...document.querySelectorAll('.new-line, .message')].map((row) => (row.matches('.new-line') ? 'LINE' : row.querySelector('.prose')?.textContent)));
    assert.equal(order[order.indexOf('LINE') + 1], 'First new one');
  });

  test('completing a mention with the keyboard', async () => {
    await composer(bo.page).pressSequentially(`Thanks @${ada.name.split(' ')[1].slice(0, 3)}`).catch(() => {});
    await composer(bo.page).fill('');
    const handle = await ada.page.evaluate(async () => (await import('/static/app/store/session.js')).session.value.user.handle);
    await composer(bo.page).pressSequentially(`Thanks @${handle.slice(0, -1)}`);
    await bo.page.getByRole('option', { name: new RegExp(ada.name) }).waitFor();
    await until('Ada is the first choice', async () => (await bo.page.getByRole('option').first().innerText()).includes(ada.name));
    await composer(bo.page).press('Enter');
    assert.equal(await composer(bo.page).inputValue(), `Thanks @${handle} `);
    await composer(bo.page).press('Enter');
    await messageWith(ada.page, `Thanks @${handle}`).waitFor();
  });

  test('a conversation between the two arrives by itself', async () => {
    await messageWith(ada.page, 'Second new one').first().waitFor();
    await ada.page.getByRole('button', { name: `Profile of ${bo.name}` }).last().click();
    await ada.page.getByRole('button', { name: 'Send a message' }).click();
    await ada.page.waitForURL(/\/dm\//);
    await say(ada, 'Only for you');
    await stored(ada.page, 'Only for you');
    await bo.page.getByRole('link', { name: 'Direct messages' }).getByText('1 unread').waitFor();
    await bo.page.getByRole('link', { name: 'Direct messages' }).click();
    await bo.page.getByRole('link', { name: new RegExp(ada.name) }).click();
    await messageWith(bo.page, 'Only for you').waitFor();
  });

  test('a long history pages without a jump, and a permalink leads into it', async () => {
    await openRoom(ada, place);
    const first = await ada.page.evaluate(async (path) => {
      const { api } = await import('/static/app/api.js');
      const { newId } = await import('/static/app/text/ids.js');
      const room = path.split('/').at(-1);
      let answer;
      for (let i = 1; i <= 130; i += 1) {
        for (;;) {
          try {
            const stored = await api.post(`/v1/rooms/${room}/messages`, { client_id: newId(), text: `Line ${i} of many` });
            answer ??= stored;
            break;
          } catch (error) {
            if (error.status !== 429) throw error;
            await new Promise((done) => setTimeout(done, (error.retryAfterSeconds ?? 1) * 1000));
          }
        }
      }
      return answer.offset;
    }, place.roomPath);
    // So many at once may meet the limit of a person; waiting for it is not a complaint.
    const rest = ada.complaints.filter((line) => !line.includes('status of 429'));
    ada.complaints.splice(0, Infinity, ...rest);
    await openRoom(bo, place);
    await messageWith(bo.page, 'Line 130 of many').waitFor();
    await bo.page.getByRole('log').evaluate((log) => {
      log.scrollTop = 200;
    });
    // Where a row in the middle of the window stands; the top one may change its looks when it gets neighbours.
    const placeOf = (id) =>
      bo.page.getByRole('log').evaluate((log, wanted) => {
        const middle = log.getBoundingClientRect().top + log.clientHeight / 2;
        const rows = [...log.querySelectorAll('.message')];
        const row = wanted ? rows.find((one) => one.dataset.id === wanted) : rows.find((one) => one.getBoundingClientRect().top > middle);
        return { id: row.dataset.id, top: row.getBoundingClientRect().top };
      }, id);
    const before = await placeOf(null);
    await until('an earlier page came', async () => (await bo.page.locator('.message').count()) > 60);
    await bo.page.waitForTimeout(200);
    const now = await placeOf(before.id);
    assert.ok(Math.abs(now.top - before.top) <= 1, `what is read has not moved: ${before.top} → ${now.top}`);
    await bo.page.goto(`${BASE}${place.roomPath}?at=${first}`);
    await until('the linked message is in view', () =>
      messageWith(bo.page, /Line 1 of many/).first().evaluate((row) => {
        const box = row.getBoundingClientRect();
        return box.top > 0 && box.bottom < innerHeight;
      }),
    );
    await bo.page.getByRole('button', { name: /Latest|new/ }).click();
    await messageWith(bo.page, 'Line 130 of many').waitFor();
  });
});
