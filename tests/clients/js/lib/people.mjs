/** People, communities and rooms, made over HTTP. Each test makes its own, so that none disturbs another. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { BASE } from './server.mjs';
import { sleep } from './until.mjs';

const PASSWORD = 'a short sentence works well';
const DEMO_PASSWORD = 'rialto-demo';

export const tag = () => randomBytes(4).toString('hex');

/** Calls the API; anything but success fails the test. Who is told to wait waits, as any good program would. */
export async function call(method, path, { token, body, base = BASE, tenant } = {}) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (tenant) headers['rialto-tenant'] = tenant;
  const response = await fetch(base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  if (response.status === 429 && response.headers.get('retry-after')) {
    await sleep(Number(response.headers.get('retry-after')) * 1_000);
    return call(method, path, { token, body, base, tenant });
  }
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

function person(answer, { base, tenant, email }) {
  const { access_token: token, refresh_token: refreshToken, user } = answer;
  return { id: user.id, name: user.display_name, handle: user.handle, email, token, refreshToken, base, tenant };
}

export async function register(name, { base = BASE, tenant } = {}) {
  const email = `${name.toLowerCase()}-${tag()}@test.example`;
  const body = { email, password: PASSWORD, display_name: `${name} ${tag()}` };
  return person(await call('POST', '/v1/auth/register', { base, tenant, body }), { base, tenant, email });
}

export async function login(email, { base = BASE, tenant, password = PASSWORD } = {}) {
  return person(await call('POST', '/v1/auth/login', { base, tenant, body: { email, password } }), { base, tenant, email });
}

/** One of the demo's people: `tam` administers the tenant, `mo` moderates. */
export const demoPerson = (name, options) => login(`${name}@demo.example`, { ...options, password: DEMO_PASSWORD });

/** A fresh access token, as an app would fetch it. */
export async function refresh(who) {
  const answer = await call('POST', '/v1/auth/refresh', { base: who.base, tenant: who.tenant, body: { refresh_token: who.refreshToken } });
  who.token = answer.access_token;
  who.refreshToken = answer.refresh_token;
  return who.token;
}

const as = (who, options) => ({ token: who.token, base: who.base, tenant: who.tenant, ...options });

/** An open community of `owner`'s, joined by the others, with one public room. */
export async function makeRoom(owner, ...others) {
  const community = await call('POST', '/v1/communities', as(owner, { body: { name: `Square ${tag()}`, join_policy: 'open' } }));
  for (const who of others) await call('POST', `/v1/communities/${community.id}/join`, as(who, { body: {} }));
  return { ...(await addRoom(owner, community)), community };
}

export async function addRoom(owner, community, kind = 'public') {
  return call('POST', `/v1/communities/${community.id}/rooms`, as(owner, { body: { name: `room ${tag()}`, kind } }));
}

export const leave = (who, room) => call('POST', `/v1/communities/${room.community.id}/leave`, as(who));
export const changeRoom = (who, room, changes) => call('PATCH', `/v1/rooms/${room.id}`, as(who, { body: changes }));
export const directRoom = (who, ...others) => call('POST', '/v1/rooms/direct', as(who, { body: { user_ids: others.map(({ id }) => id) } }));

/** Posts over HTTP, one after the other; answers the offsets. */
export async function post(who, room, ...texts) {
  const offsets = [];
  for (const text of texts) {
    const stored = await call('POST', `/v1/rooms/${room.id}/messages`, as(who, { body: { client_id: randomUUID(), text } }));
    offsets.push(stored.offset);
  }
  return offsets;
}

export const suspend = (admin, who) => call('POST', `/v1/users/${who.id}/suspend`, as(admin, { body: { reason: 'a test' } }));
