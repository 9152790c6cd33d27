/** Who is signed in. `undefined` while that is being found out, `null` for nobody. */
import { signal } from '@preact/signals';
import { ApiError, api, dropTokens, keepTokens, mayHaveSession, refresh, whenSignedOut } from '../api.js';

export const session = signal(undefined);
/** Why the session could not be found out (the server is away); the page offers to try again. */
export const sessionError = signal(null);

const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('rialto.session') : null;

function accept(answer) {
  keepTokens(answer);
  session.value = { user: answer.user, tenant: answer.tenant };
}

/** Gets the session back after a reload, by the refresh cookie. */
export async function restore() {
  sessionError.value = null;
  if (!mayHaveSession()) {
    session.value = null;
    return;
  }
  try {
    const answer = await refresh();
    session.value = { user: answer.user, tenant: answer.tenant };
  } catch (error) {
    if (error instanceof ApiError && error.status < 500 && error.status !== 429) session.value = null;
    else sessionError.value = error;
  }
}

export async function login(email, password) {
  accept(await api.post('/v1/auth/login', { email, password }, { anonymous: true }));
}

export async function register(fields) {
  accept(await api.post('/v1/auth/register', fields, { anonymous: true }));
}

function end() {
  dropTokens();
  session.value = null;
}

/** Ends the session here, or everywhere. Leaves the page signed out even when the server cannot be told. */
export async function logout({ everywhere = false } = {}) {
  try {
    await api.post('/v1/auth/logout', { everywhere });
  } catch (error) {
    // "Everywhere" is a promise that only the server can keep; saying so matters more than leaving.
    if (everywhere) throw error;
  }
  end();
  tabs?.postMessage('signed-out');
}

export async function saveProfile(fields) {
  const user = await api.patch('/v1/me', fields);
  session.value = { ...session.value, user: { ...session.value.user, ...user } };
}

export async function reloadProfile() {
  const user = await api.get('/v1/me');
  session.value = { ...session.value, user: { ...session.value.user, ...(user.user ?? user) } };
}

whenSignedOut(end);
tabs?.addEventListener('message', ({ data }) => {
  if (data === 'signed-out' && session.value) end();
});
