/** Who is here, and who is typing: both only for rooms that are being looked at. */
import { signal } from '@preact/signals';
import { connection, rpc, watch, whenOnline } from '../live.js';
import { session } from './session.js';

const TYPING_SHOWN_MS = 5_000;
const TYPING_SENT_EVERY_MS = 3_000;
const AWAY_AFTER_MS = 5 * 60_000;

/** Presence per room: room id → (user id → {id, handle, display_name, status}). */
export const presence = signal(new Map());
/** Typing per room: room id → (user id → {display_name, until}). */
export const typing = signal(new Map());

const presenceWatches = new Map();

function keepPresence(roomId, people) {
  presence.value = new Map(presence.value).set(roomId, people);
}

function openPresence(roomId) {
  return watch(`presence:${roomId}`, 'map', {
    sync: (entries) => keepPresence(roomId, new Map(entries.map((entry) => [entry.key, entry.data]))),
    update: ({ key, data, removed }) => {
      const people = new Map(presence.value.get(roomId));
      if (removed) people.delete(key);
      else people.set(key, data);
      keepPresence(roomId, people);
    },
  });
}

/** Looks at who is in a room, until the answered function is called. Looks are counted: each room is watched once. */
export function lookAt(roomId) {
  const known = presenceWatches.get(roomId);
  if (known) known.looks += 1;
  else presenceWatches.set(roomId, { looks: 1, stop: openPresence(roomId) });
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    const watched = presenceWatches.get(roomId);
    if (!watched) return;
    watched.looks -= 1;
    if (watched.looks > 0) return;
    watched.stop();
    presenceWatches.delete(roomId);
  };
}

/** online | away | offline, as far as the rooms in view tell. */
export function statusOf(userId) {
  if (userId === session.value?.user.id) return connection.value.phase === 'online' ? 'online' : 'offline';
  for (const people of presence.value.values()) {
    const found = people.get(userId);
    if (found) return found.status ?? 'online';
  }
  return 'offline';
}

let sweepTimer = null;

function sweepTyping() {
  const now = Date.now();
  const next = new Map();
  for (const [roomId, people] of typing.value) {
    const still = new Map([...people].filter(([, { until }]) => until > now));
    if (still.size) next.set(roomId, still);
  }
  typing.value = next;
  sweepTimer = next.size ? setTimeout(sweepTyping, 1_000) : null;
}

export function watchTyping(roomId) {
  return watch(`typing:${roomId}`, 'plain', {
    publication: ({ data }) => {
      if (!data?.user || data.user.id === session.value?.user.id) return;
      const people = new Map(typing.value.get(roomId)).set(data.user.id, {
        display_name: data.user.display_name,
        until: Date.now() + TYPING_SHOWN_MS,
      });
      typing.value = new Map(typing.value).set(roomId, people);
      sweepTimer ??= setTimeout(sweepTyping, 1_000);
    },
  });
}

/** A message of theirs has come: they are not typing it any more. */
export function stoppedTyping(roomId, userId) {
  const people = typing.value.get(roomId);
  if (!people?.has(userId)) return;
  const rest = new Map(people);
  rest.delete(userId);
  typing.value = new Map(typing.value).set(roomId, rest);
}

let lastTypingSent = { roomId: null, at: 0 };

/** Says that we are typing; at most every three seconds, and silently not at all while there is no connection. */
export function sayTyping(roomId) {
  const now = Date.now();
  if (lastTypingSent.roomId === roomId && now - lastTypingSent.at < TYPING_SENT_EVERY_MS) return;
  lastTypingSent = { roomId, at: now };
  rpc('room.typing', { room_id: roomId }).catch(() => {});
}

/** The next key press counts as a new beginning. */
export function typingDone() {
  lastTypingSent = { roomId: null, at: 0 };
}

let awayTimer = null;
let saidStatus = 'online';

function say(status) {
  if (saidStatus === status) return;
  saidStatus = status;
  rpc('presence.set', { status }).catch(() => {});
}

function stir() {
  clearTimeout(awayTimer);
  if (document.visibilityState === 'visible') {
    say('online');
    awayTimer = setTimeout(say, AWAY_AFTER_MS, 'away');
  } else {
    awayTimer = setTimeout(say, 60_000, 'away');
  }
}

/** Keeps our own status: away after five minutes without a sign, or one minute in the background. */
export function startOwnStatus() {
  const events = ['pointerdown', 'keydown', 'visibilitychange', 'focus'];
  for (const name of events) addEventListener(name, stir, { passive: true, capture: true });
  const stopOnline = whenOnline(() => {
    // A new connection begins as online on the server's side.
    const wanted = saidStatus;
    saidStatus = 'online';
    say(wanted);
  });
  stir();
  return () => {
    for (const name of events) removeEventListener(name, stir, { capture: true });
    stopOnline();
    clearTimeout(awayTimer);
    clearTimeout(sweepTimer);
    for (const { stop } of presenceWatches.values()) stop();
    presenceWatches.clear();
    presence.value = new Map();
    typing.value = new Map();
    sweepTimer = null;
  };
}
