/** Read marks: sent a moment after the last change, once per offset, never while there is nothing new. */
import { api } from '../api.js';
import { settle } from '../store/outbox.js';
import { keepRead, unread } from '../store/places.js';

const PAUSE_MS = 350;
const RETRY_MS = 3_000;
const timers = new Map();
const sent = new Map();

export function markRead(roomId, offset) {
  const known = Math.max(unread.peek().get(roomId)?.read_offset ?? 0, sent.get(roomId) ?? 0);
  if (!offset || offset <= known) return;
  clearTimeout(timers.get(roomId));
  timers.set(roomId, setTimeout(send, PAUSE_MS, roomId, offset));
}

async function send(roomId, offset) {
  try {
    const answer = await api.put(`/v1/rooms/${roomId}/read`, { offset });
    sent.set(roomId, Math.max(sent.get(roomId) ?? 0, offset));
    keepRead(roomId, { read_offset: offset, unread: 0, mentions: 0, ...answer });
  } catch (error) {
    if (!error.status || error.status >= 500 || error.status === 429) timers.set(roomId, setTimeout(send, RETRY_MS, roomId, offset));
  }
}

/** The author gives up a message that was refused. */
export function discard(clientId) {
  settle(clientId);
}

export function forgetReading() {
  for (const timer of timers.values()) clearTimeout(timer);
  timers.clear();
  sent.clear();
}
