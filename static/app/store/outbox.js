/**
 * What was written and is not yet stored. An entry is kept in local storage under its own key until the server has answered, so
 * neither a reload nor a dead server loses it; the client id makes sending twice harmless, also from two tabs.
 *
 * One entry of a room is under way at a time: the order of writing is the order in the room.
 */
import { signal } from '@preact/signals';
import { ApiError, NetworkError, api, explain } from '../api.js';
import { whenOnline } from '../live.js';
import { newId } from '../text/ids.js';
import { session } from './session.js';

const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** Entries in order: {client_id, room_id, text, reply_to, at, state: waiting | sending | failed, error}. */
export const outbox = signal([]);
/** Refusals that want the text back in the composer: {room_id, text, reply_to, message, until}. */
export const refusal = signal(null);

let onStored = () => {};
/** Called with (roomId, message, offset) when the server has stored an entry. */
export function whenStored(callback) {
  onStored = callback;
}

function keyOf(clientId) {
  return `rialto.outbox.${session.value?.user.id}.${clientId}`;
}

function save(entry) {
  try {
    localStorage.setItem(keyOf(entry.client_id), JSON.stringify(entry));
  } catch {
    // A full or blocked storage costs the entry only its life beyond this page.
  }
}

function put(entry) {
  outbox.value = outbox.value.map((other) => (other.client_id === entry.client_id ? entry : other));
}

/** Takes an entry out: stored, or given up by its author. */
export function settle(clientId) {
  if (!outbox.value.some((entry) => entry.client_id === clientId)) return;
  outbox.value = outbox.value.filter((entry) => entry.client_id !== clientId);
  try {
    localStorage.removeItem(keyOf(clientId));
  } catch {
    // It was not kept either.
  }
}

const busyRooms = new Set();
const attempts = new Map();
let timer = null;

function retryLater(roomId) {
  const tried = attempts.get(roomId) ?? 0;
  attempts.set(roomId, tried + 1);
  clearTimeout(timer);
  timer = setTimeout(flush, RETRY_MS[Math.min(tried, RETRY_MS.length - 1)]);
}

/** The author is told at the composer, with the text in it, when it was the only one; else the entry waits, red, in its place. */
function refuse(entry, error) {
  const alone = outbox.value.filter((other) => other.room_id === entry.room_id).length === 1;
  const waitSeconds = error.status === 429 ? (error.retryAfterSeconds ?? 5) : null;
  const message = waitSeconds === null ? error.message || explain(error) : null;
  if (alone && (error.status === 429 || error.status === 403)) {
    settle(entry.client_id);
    refusal.value = {
      room_id: entry.room_id,
      text: entry.text,
      reply_to: entry.reply_to,
      code: error.code,
      message,
      until: waitSeconds === null ? null : Date.now() + waitSeconds * 1000,
    };
    return;
  }
  const failed = { ...entry, state: 'failed', error: message ?? explain(error) };
  put(failed);
  save(failed);
}

async function sendNext(roomId) {
  const entry = outbox.value.find((other) => other.room_id === roomId && other.state !== 'failed');
  if (!entry || busyRooms.has(roomId)) return;
  busyRooms.add(roomId);
  const owner = session.value?.user.id;
  put({ ...entry, state: 'sending' });
  let again = true;
  try {
    const answer = await api.post(`/v1/rooms/${roomId}/messages`, {
      client_id: entry.client_id,
      text: entry.text,
      reply_to: entry.reply_to?.id,
    });
    attempts.delete(roomId);
    if (owner === session.value?.user.id) onStored(roomId, answer, entry);
    settle(entry.client_id);
  } catch (error) {
    if (owner !== session.value?.user.id) return;
    if (error instanceof NetworkError || (error instanceof ApiError && (error.status >= 500 || error.status === 401))) {
      put({ ...entry, state: 'waiting' });
      again = false;
      retryLater(roomId);
    } else if (error instanceof ApiError) {
      refuse(entry, error);
    } else {
      put({ ...entry, state: 'failed', error: explain(error) });
    }
  } finally {
    busyRooms.delete(roomId);
  }
  if (again) sendNext(roomId);
}

/** Tries everything that waits. */
export function flush() {
  if (!session.value) return;
  for (const roomId of new Set(outbox.value.map((entry) => entry.room_id))) sendNext(roomId);
}

export function post(roomId, text, replyTo) {
  const entry = { client_id: newId(), room_id: roomId, text, reply_to: replyTo ?? null, at: new Date().toISOString(), state: 'waiting', error: null };
  save(entry);
  outbox.value = [...outbox.value, entry];
  sendNext(roomId);
}

export function retry(clientId) {
  const entry = outbox.value.find((other) => other.client_id === clientId);
  if (!entry) return;
  put({ ...entry, state: 'waiting', error: null });
  sendNext(entry.room_id);
}

/** Takes up what an earlier page left, and sends whenever the connection comes back. */
export function startOutbox(userId) {
  const prefix = `rialto.outbox.${userId}.`;
  const kept = [];
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(prefix)) kept.push(JSON.parse(localStorage.getItem(key)));
    }
  } catch {
    // Unreadable storage holds nothing that could be sent.
  }
  outbox.value = kept
    .filter(Boolean)
    .map((entry) => (entry.state === 'sending' ? { ...entry, state: 'waiting' } : entry))
    .sort((a, b) => a.at.localeCompare(b.at));
  const stopOnline = whenOnline(() => {
    attempts.clear();
    flush();
  });
  addEventListener('online', flush);
  flush();
  return () => {
    stopOnline();
    removeEventListener('online', flush);
    clearTimeout(timer);
    outbox.value = [];
    refusal.value = null;
    busyRooms.clear();
  };
}
