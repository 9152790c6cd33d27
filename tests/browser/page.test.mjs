/** The page itself: its policy, its weight, its text safety, its reach by keyboard and finger. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { BASE, composer, launch, makeRoom, messageWith, openPage, say, stored, stranger, until } from './support/browser.mjs';

const BUDGET_BYTES = 200 * 1024;

describe('the page', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test('its policy allows scripts of our own and the import map by its hash, and nothing inline', async () => {
    const response = await fetch(`${BASE}/`, { headers: { accept: 'text/html' } });
    const policy = response.headers.get('content-security-policy') ?? '';
    const [, map] = /<script type="importmap">([^]*?)<\/script>/.exec(await response.text());
    const hash = createHash('sha256').update(map).digest('base64');
    const scripts = /script-src ([^;]+)/.exec(policy)?.[1] ?? '';
    assert.ok(scripts.includes(`'sha256-${hash}'`), `the hash of the import map is in: ${policy}`);
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/);
    assert.match(policy, /style-src 'self'/);
    assert.match(policy, /frame-ancestors 'none'/);
  });

  test('a stranger has it in at most 200 KiB, and the report says how much', async (t) => {
    const tab = await openPage(browser);
    const session = await tab.context.newCDPSession(tab.page);
    await session.send('Network.enable');
    const urls = new Map();
    const sizes = new Map();
    session.on('Network.responseReceived', ({ requestId, response }) => urls.set(requestId, response.url));
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
    await tab.page.goto(`${BASE}/login`, { waitUntil: 'networkidle' });
    await tab.page.getByRole('heading', { name: 'Sign in to Rialto' }).waitFor();
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const raw = await tab.page.evaluate(() => performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.decodedBodySize, 0) + performance.getEntriesByType('navigation')[0].decodedBodySize);
    t.diagnostic(`first load: ${sizes.size} requests, ${total} bytes on the wire, ${raw} bytes unpacked`);
    for (const [id, size] of [...sizes].sort((a, b) => b[1] - a[1]).slice(0, 8)) t.diagnostic(`  ${size} ${new URL(urls.get(id) ?? 'about:blank').pathname}`);
    assert.ok(total <= BUDGET_BYTES, `${total} bytes`);
    await tab.close();
  });

  test('what people write never becomes markup', async () => {
    const who = await stranger(browser, 'Juno');
    await makeRoom(who);
    const hostile = [
      '<img src=x onerror="window.hacked = 1"> <script>window.hacked = 2</script>',
      '[click](javascript:window.hacked=3) **<b onclick=alert(1)>bold</b>**',
      '`<i>code</i>` and [a link](https://example.org/?q="><img src=x onerror=window.hacked=4>)',
    ];
    for (const text of hostile) {
      await say(who, text);
    }
    await stored(who.page, 'and');
    assert.equal(await who.page.evaluate(() => window.hacked), undefined);
    assert.equal(await who.page.locator('.prose img, .prose script, .prose b').count(), 0);
    assert.equal(await who.page.locator('.prose a[href^="javascript"]').count(), 0);
    await say(who, '**bold** *italic* ~~gone~~ `code`\n> a quote\n- one\n- two\n\n1. first\n\n```\nblock\n```\n[site](https://example.org/a_(b))');
    const last = messageWith(who.page, 'a quote');
    await last.waitFor();
    for (const tag of ['strong', 'em', 's', 'code', 'blockquote', 'ul > li', 'ol > li', 'pre > code', 'a[href="https://example.org/a_(b)"]']) {
      assert.ok((await last.locator(`.prose ${tag}`).count()) > 0, tag);
    }
    await who.close();
  });

  test('a person can do it all with the keyboard', async () => {
    const who = await stranger(browser, 'Kim');
    await makeRoom(who);
    const { page } = who;
    await say(who, 'For the keyboard');
    await stored(page, 'For the keyboard');
    await page.getByRole('log').focus();
    await page.keyboard.press('ArrowUp');
    await until('the last message is focused', () => page.evaluate(() => document.activeElement?.matches('.message')));
    await page.keyboard.press('Tab');
    for (let i = 0; i < 6; i += 1) {
      const name = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
      if (name === 'More actions') break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('role')), 'menuitem');
    await page.keyboard.press('Escape');
    await until('the menu is gone and focus is back', () => page.evaluate(() => !document.querySelector('.menu') && document.activeElement?.getAttribute('aria-label') === 'More actions'));
    await who.close();
  });

  test('fingers find everything: targets of at least 44 px on a phone, and no sideways scrolling', async () => {
    const who = await stranger(browser, 'Lou', 'phone');
    const place = await makeRoom(who);
    const { page } = who;
    await say(who, 'A word without an end '.concat('x'.repeat(300)));
    for (const path of [place.roomPath, place.communityPath, '/communities', '/dm', '/settings']) {
      await page.goto(BASE + path);
      await page.getByRole('main').or(page.getByRole('region')).first().waitFor();
      await page.waitForTimeout(500);
      const small = await page.evaluate(() =>
        [...document.querySelectorAll('button, a[href], input:not([type=radio]):not([type=checkbox]), select, textarea')]
          .filter((one) => !one.closest('.tools, .prose, .unseen, .skip') && !one.matches('.author, .edited, .reply-to, .link, .avatar-button, .reaction, .unseen, .skip'))
          .map((one) => ({ name: one.getAttribute('aria-label') ?? one.textContent.trim(), box: one.getBoundingClientRect() }))
          .filter(({ box }) => box.width > 0 && (box.height < 35.5 || box.width < 35.5 || (box.height < 43.5 && box.width < 43.5)))
          .map(({ name, box }) => `${name}: ${box.width} × ${box.height}`),
      );
      assert.deepEqual(small, [], path);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${path} scrolls sideways`);
    }
    await page.goto(BASE + place.roomPath);
    await composer(page).waitFor();
    await page.getByRole('button', { name: 'Back' }).click();
    await page.getByRole('heading', { name: place.community }).waitFor();
    await who.close();
  });

  test('every control has a name', async () => {
    const who = await stranger(browser, 'Max');
    const place = await makeRoom(who);
    await say(who, 'Something to act on');
    for (const path of [place.roomPath, '/communities', '/dm', '/settings']) {
      await who.page.goto(BASE + path);
      await who.page.waitForTimeout(500);
      const nameless = await who.page.evaluate(() =>
        [...document.querySelectorAll('button, a[href], input, textarea, select')]
          .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length || one.getAttribute('aria-hidden')))
          .map((one) => one.outerHTML.slice(0, 120)),
      );
      assert.deepEqual(nameless, [], path);
    }
    await who.close();
  });

  test('a text over the limit is not sent and not lost', async () => {
    const who = await stranger(browser, 'Nia');
    await makeRoom(who);
    await composer(who.page).fill('x'.repeat(8_003));
    await who.page.getByText('3 too many').waitFor();
    assert.equal(await who.page.getByRole('button', { name: 'Send message' }).isDisabled(), true);
    await composer(who.page).fill('x'.repeat(7_990));
    await who.page.getByText('10 left').waitFor();
    await who.page.reload();
    await composer(who.page).waitFor();
    assert.equal((await composer(who.page).inputValue()).length, 7_990, 'the draft is kept over a reload');
    await who.close();
  });

  test('a refused message comes back into the composer, with the reason', async () => {
    const who = await stranger(browser, 'Odd');
    await makeRoom(who);
    await who.page.route('**/v1/rooms/*/messages', (route) =>
      route.request().method() === 'POST'
        ? route.fulfill({ status: 429, headers: { 'retry-after': '7', 'content-type': 'application/problem+json' }, body: JSON.stringify({ status: 429, title: 'Slow mode', code: 'slow_mode', detail: 'Slow mode.' }) })
        : route.continue(),
    );
    await say(who, 'Too quick');
    await who.page.getByText(/Your text is kept; you can send it in/).waitFor();
    assert.equal(await composer(who.page).inputValue(), 'Too quick');
    who.complaints.splice(0).forEach((line) => assert.match(line, /429/));
    await who.close();
  });

  test('the theme is chosen, kept, and in place before the first paint', async () => {
    const who = await stranger(browser, 'Pia');
    await who.page.goto(`${BASE}/settings`);
    const ground = () => who.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await who.page.getByRole('radio', { name: 'Dark' }).check({ force: true });
    const dark = await ground();
    assert.notEqual(light, dark);
    await who.page.reload();
    assert.equal(await ground(), dark);
    await who.close();
  });
});
