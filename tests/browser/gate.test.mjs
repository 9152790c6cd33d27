/** Coming in and going out, and that every address works by itself. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BASE, composer, launch, makeRoom, newPerson, openPage, register, stranger, until } from './support/browser.mjs';

describe('the door', () => {
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test('a wrong password is said kindly, the right one opens', async () => {
    const tab = await openPage(browser);
    const person = newPerson('Cleo');
    await register(tab, person);
    const { page } = tab;
    await page.goto(`${BASE}/settings`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.waitForURL(/\/login/);
    await page.getByLabel('E-mail').fill(person.email);
    await page.getByLabel('Password', { exact: true }).fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('not right').waitFor();
    tab.complaints.splice(0).forEach((line) => assert.match(line, /status of 401/));
    await page.getByLabel('Password', { exact: true }).fill(person.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL((url) => !url.pathname.startsWith('/login'));
    await tab.close();
  });

  test('a reload keeps the session; the token is never stored', async () => {
    const who = await stranger(browser, 'Dora');
    await who.page.goto(`${BASE}/settings`);
    await who.page.getByRole('heading', { name: 'Settings' }).waitFor();
    const kept = await who.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage, cookie: document.cookie }));
    assert.doesNotMatch(kept, /eyJ|refresh/, 'no token where a script could read it');
    await who.close();
  });

  test('an address asked for before signing in is where one ends up', async () => {
    const owner = await stranger(browser, 'Ezra');
    const place = await makeRoom(owner);
    await owner.page.goto(`${BASE}/settings`);
    await owner.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await owner.page.waitForURL(/\/login/);
    await owner.page.goto(BASE + place.roomPath);
    await owner.page.waitForURL(/\/login\?next=/);
    await owner.page.getByLabel('E-mail').fill(owner.email);
    await owner.page.getByLabel('Password', { exact: true }).fill(owner.password);
    await owner.page.getByRole('button', { name: 'Sign in' }).click();
    await composer(owner.page).waitFor();
    assert.equal(new URL(owner.page.url()).pathname, place.roomPath);
    await owner.close();
  });

  test('a strange "next" leads nowhere else', async () => {
    const tab = await openPage(browser);
    await register(tab, newPerson('Faye'), '/register?next=%2F%2Fexample.org%2F');
    assert.equal(new URL(tab.page.url()).origin, new URL(BASE).origin);
    await tab.close();
  });

  test('an invite link brings a stranger into a community with guidelines', async () => {
    const owner = await stranger(browser, 'Gino');
    const { page } = owner;
    await page.goto(`${BASE}/communities`);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const name = `Closed circle ${Date.now()}`;
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByLabel('By invitation').check();
    await page.getByLabel('Guidelines to accept').fill('Be kind to each other.');
    await page.getByRole('button', { name: 'Create community' }).click();
    await page.waitForURL(/\/c\//);
    await page.getByRole('button', { name: 'Community menu' }).click();
    await page.getByRole('menuitem', { name: 'Invite people' }).click();
    await page.getByRole('button', { name: 'Create invite link' }).click();
    const link = await page.getByLabel('Invite link').inputValue();

    const guest = await openPage(browser, 'phone');
    await guest.page.goto(BASE + new URL(link).pathname);
    await guest.page.getByRole('heading', { name }).waitFor();
    await guest.page.getByRole('link', { name: 'Create an account to join' }).click();
    const person = newPerson('Hana');
    await guest.page.getByLabel('Name').fill(person.name);
    await guest.page.getByLabel('E-mail').fill(person.email);
    await guest.page.getByLabel('Password', { exact: true }).fill(person.password);
    await guest.page.getByRole('button', { name: 'Create account' }).click();
    await guest.page.getByRole('button', { name: `Join ${name}` }).click();
    await guest.page.getByText('Be kind to each other.').waitFor();
    await guest.page.getByLabel('I have read the guidelines').check();
    await guest.page.getByRole('dialog').getByRole('button', { name: 'Join' }).click();
    await guest.page.waitForURL(/\/c\//);
    await guest.page.getByRole('heading', { name }).waitFor();
    await guest.close();
    await owner.close();
  });

  test('every address of the application is answered with the page', async () => {
    for (const path of ['/', '/login', '/register', '/forgot', '/c/x', '/c/x/r/y', '/dm', '/dm/x', '/communities', '/invite/x', '/verify?token=x', '/reset?token=x', '/settings']) {
      const response = await fetch(BASE + path, { headers: { accept: 'text/html' } });
      assert.equal(response.status, 200, path);
      assert.match(await response.text(), /<div id="app">/, path);
    }
  });

  test('the forgotten password page answers the same for everybody', async () => {
    const tab = await openPage(browser);
    await tab.page.goto(`${BASE}/forgot`);
    await tab.page.getByLabel('E-mail').fill('nobody-at-all@test.example');
    await tab.page.getByRole('button', { name: 'Send the link' }).click();
    await tab.page.getByRole('heading', { name: 'Look into your mail' }).waitFor();
    await tab.close();
  });

  test('signing out in one tab signs out the other', async () => {
    const who = await stranger(browser, 'Ines');
    const second = await who.context.newPage();
    await second.goto(`${BASE}/settings`);
    await second.getByRole('heading', { name: 'Settings' }).waitFor();
    await who.page.goto(`${BASE}/settings`);
    await who.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await until('the other tab is at the door', async () => new URL(second.url()).pathname === '/login');
    await who.close();
  });
});
