/** Read marks: sent a moment after the last change, once per offset, never while there is nothing new. */
import { api } from '../api.js';
import { settle } from '../store/outbox.js';
import { keepRead, unread } from '../store/places.js';

const PAUSE_MS = 350;
const RETRY_MS = 3_000;
/** Room id → {timer, offset}: what is to be sent. */
const due = new Map();
const sent = new Map();

function plan(roomId, offset, ms) {
  clearTimeout(due.get(roomId)?.timer);
  due.set(roomId, { offset, timer: setTimeout(send, ms, roomId, offset) });
}

export function markRead(roomId, offset) {
  const known = Math.max(unread.peek().get(roomId)?.read_offset ?? 0, sent.get(roomId) ?? 0);
  if (offset > known) plan(roomId, offset, PAUSE_MS);
}

async function send(roomId, offset, options) {
  due.delete(roomId);
  try {
    const answer = await api.put(`/v1/rooms/${roomId}/read`, { offset }, options);
    sent.set(roomId, Math.max(sent.get(roomId) ?? 0, offset));
    keepRead(roomId, { read_offset: offset, unread: 0, mentions: 0, ...answer });
  } catch (error) {
    const passing = !error.status || error.status >= 500 || error.status === 429;
    if (passing && !due.has(roomId)) plan(roomId, offset, RETRY_MS);
  }
}

// What was read in the last moment before leaving was read, too.
addEventListener('pagehide', () => {
  for (const [roomId, { offset, timer }] of due) {
    clearTimeout(timer);
    send(roomId, offset, { keepalive: true });
  }
});

/** The author gives up a message that was refused. */
export function discard(clientId) {
  settle(clientId);
}

export function forgetReading() {
  for (const { timer } of due.values()) clearTimeout(timer);
  due.clear();
  sent.clear();
}
