/**
 * A real Chromium and strangers in it. Every person is registered anew, so that a run leaves the next one undisturbed, and every
 * page is watched: an error in its console, a violation of its policy or an exception fails the test that opened it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const BASE = (process.env.RIALTO_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
export const RESTART = process.env.RIALTO_RESTART_CMD ?? '';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  desktop: { viewport: { width: 1440, height: 900 } },
};

const PASSWORD = 'a short sentence works well';
/** What the network's own absence prints; allowed only while a test has taken it away. */
const OUTAGE = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_NETWORK|ERR_EMPTY_RESPONSE|ERR_ABORTED|ERR_FAILED|WebSocket connection to|status of 50[234]|EventSource/;

export async function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page under watch. `complaints` are what its console and its policy had to say. */
export async function openPage(browser, size = 'desktop', options = {}) {
  const context = await browser.newContext({ ...SIZES[size], locale: 'en-GB', ...options });
  const page = await context.newPage();
  const complaints = [];
  let outage = false;
  page.on('console', (message) => {
    if (message.type() !== 'error' && !/Content.Security.Policy/i.test(message.text())) return;
    const where = message.location().url ?? '';
    // Whether this is a demo is found out by asking; the answer of any other server is "no".
    if (where.endsWith('/v1/demo')) return;
    if (outage && OUTAGE.test(message.text())) return;
    complaints.push(`${message.text()} (${where})`);
  });
  page.on('pageerror', (error) => complaints.push(error.stack ?? String(error)));
  page.setDefaultTimeout(30_000);
  return {
    page,
    context,
    complaints,
    size,
    expectOutage: (value) => {
      outage = value;
    },
    close: async () => {
      await context.close();
      assert.deepEqual(complaints, [], 'the page complained');
    },
  };
}

export function newPerson(name) {
  const tag = randomBytes(4).toString('hex');
  return { name: `${name} ${tag}`, email: `${name.toLowerCase()}-${tag}@test.example`, password: PASSWORD };
}

/** Registers somebody through the page, as a stranger would. */
export async function register(tab, person, path = '/register') {
  const { page } = tab;
  await page.goto(BASE + path);
  await page.getByLabel('Name').fill(person.name);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.waitForURL((url) => !url.pathname.startsWith('/register'));
}

export async function stranger(browser, name, size, options) {
  const tab = await openPage(browser, size, options);
  const person = newPerson(name);
  await register(tab, person);
  return { ...tab, ...person };
}

/** Makes an open community with one room through the page; answers the room's address. */
export async function makeRoom(who, { community = `Square ${randomBytes(3).toString('hex')}`, room = 'general' } = {}) {
  const { page } = who;
  await page.goto(`${BASE}/communities`);
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByLabel('Name', { exact: true }).fill(community);
  await page.getByRole('button', { name: 'Create community' }).click();
  await page.waitForURL(/\/c\//);
  const communityPath = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  await page.goto(BASE + communityPath);
  await page.getByText('Rooms', { exact: true }).first().waitFor();
  const existing = page.getByRole('link', { name: new RegExp(`^${room}`) });
  await Promise.race([existing.first().waitFor(), page.getByText('No rooms yet').first().waitFor()]).catch(() => {});
  if (await existing.count()) await existing.first().click();
  else {
    await page.getByRole('button', { name: 'Create a room' }).first().click();
    await page.getByLabel('Name', { exact: true }).fill(room);
    await page.getByRole('button', { name: 'Create room' }).click();
  }
  await page.waitForURL(/\/r\//);
  await composer(page).waitFor();
  return { community, communityPath, roomPath: new URL(page.url()).pathname, room };
}

/** Joins a community found in the list, and goes to the room. */
export async function joinRoom(who, place) {
  const { page } = who;
  await page.goto(`${BASE}/communities`);
  await page.getByLabel('Find a community').fill(place.community);
  await page.getByRole('button', { name: `Join ${place.community}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Join' }).click();
  await page.waitForURL(/\/c\//);
  await openRoom(who, place);
}

export async function openRoom(who, place) {
  await who.page.goto(BASE + place.roomPath);
  await composer(who.page).waitFor();
}

export function composer(page) {
  return page.getByRole('textbox', { name: /^Message / });
}

export async function say(who, text) {
  const { page } = who;
  await composer(page).fill(text);
  await page.getByRole('button', { name: 'Send message' }).click();
}

/** The article of a message with this text. */
export function messageWith(page, text) {
  return page.getByRole('log').getByRole('article').filter({ hasText: text });
}

/** Waits until a message is stored: it is there once, and not dimmed. */
export async function stored(page, text) {
  await page.locator('.message:not(.pending)', { hasText: text }).first().waitFor();
}

/** The texts of all messages in order, as shown. */
export async function textsIn(page) {
  return page.getByRole('log').locator('.message .prose').allInnerTexts();
}

export async function until(what, check, ms = 15_000) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return assert.fail(`did not happen in ${ms} ms: ${what} (last: ${last?.message ?? JSON.stringify(last)})`);
}

/** Kills the server without warning and starts it again, by the command that the environment names. */
export async function restartServer() {
  await promisify(execFile)('sh', ['-c', RESTART], { timeout: 120_000 });
  await until('the server is ready again', async () => (await fetch(`${BASE}/health/ready`)).ok, 60_000);
}
