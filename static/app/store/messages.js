/**
 * One room's messages as this page knows them: a window of the room's log, kept right by its stream.
 *
 * Rules that it keeps (the server's offsets are the only order):
 * - An event is applied once, in order: those at or below the last applied offset are dropped.
 * - While a page is under way, events wait; what a page already holds is then not counted twice. Reactions are counts and cannot
 *   be applied twice, so for a message that both brought, the message is read again.
 * - A window that does not reach the end (`hasAfter`) takes no new messages at its end: there would be a hole before them.
 * - When the server cannot recover the stream, the window is read again from its first message to the end, page by page.
 */
import { batch, signal } from '@preact/signals';
import { ApiError, NetworkError, api } from '../api.js';
import { watch } from '../live.js';
import { plain } from '../text/markdown.js';
import { settle, whenStored } from './outbox.js';
import { stoppedTyping } from './people.js';
import { keepRoom } from './places.js';
import { session } from './session.js';

const PAGE = 50;
const CATCH_UP_PAGE = 100;
/** Beyond this many, the far end of the window is let go; it comes back by paging. */
const MAX_WINDOW = 400;
/** Events held back while a page is under way; beyond it they are dropped and the window is read again. */
const MAX_WAITING = 1_000;
const RETRY_MS = 2_000;

export class RoomLog {
  constructor(roomId) {
    this.roomId = roomId;
    this.items = signal([]);
    /** idle | loading | ready | error */
    this.state = signal('idle');
    this.error = signal(null);
    this.hasBefore = signal(false);
    this.hasAfter = signal(false);
    /** before | after | null: which end is being paged. */
    this.paging = signal(null);
    this.catchingUp = signal(false);
    /** The newest event known of, which is what "read" marks. */
    this.lastOffset = signal(0);
    /** Set when the server took the room away: {code}. */
    this.gone = signal(null);
    this.epoch = null;
    this.applied = 0;
    this.loads = 0;
    this.waiting = [];
    this.opens = 0;
    this.generation = 0;
    this.onCreated = new Set();
    this.onPins = new Set();
    this.onMembers = new Set();
  }

  /** Follows the room until the answered function is called. */
  open() {
    this.opens += 1;
    if (this.opens === 1) {
      this.gone.value = null;
      this.stop = watch(`room:${this.roomId}`, 'stream', {
        subscribed: (context) => this.subscribed(context),
        publication: (context) => this.publication(context),
        gone: (context) => {
          this.gone.value = context;
        },
      });
      if (this.state.value === 'idle' || this.state.value === 'error') this.loadLatest();
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.opens -= 1;
      if (this.opens === 0) this.stop();
    };
  }

  subscribed({ wasRecovering, recovered, streamPosition }) {
    const epoch = streamPosition?.epoch ?? null;
    const cut = this.epoch !== null && epoch !== null && epoch !== this.epoch;
    if (epoch !== null) this.epoch = epoch;
    if (cut) {
      // History itself changed: nothing in this window can be trusted.
      this.applied = 0;
      this.lastOffset.value = streamPosition.offset ?? 0;
      this.items.value = [];
      this.loadLatest();
      return;
    }
    if (!recovered) {
      const top = streamPosition?.offset ?? 0;
      this.applied = Math.max(this.applied, top);
      this.lastOffset.value = Math.max(this.lastOffset.value, top);
    }
    if (this.state.value !== 'ready') return;
    // Recovered: what was missed comes as publications. A first subscription may come after events that the page does not have,
    // unless its newest message is the newest event.
    const complete = recovered || (!wasRecovering && (streamPosition?.offset ?? 0) <= (this.items.value.at(-1)?.offset ?? 0));
    if (!complete) this.catchUp();
  }

  publication({ data, offset }) {
    if (!data || typeof data.type !== 'string') return;
    if (offset !== undefined) {
      if (offset <= this.applied) return;
      this.applied = offset;
      this.lastOffset.value = Math.max(this.lastOffset.value, offset);
    }
    const event = { ...data, offset };
    if (this.loads === 0 && this.state.value === 'ready') {
      this.apply(event, false);
      return;
    }
    this.waiting.push(event);
    if (this.waiting.length > MAX_WAITING) {
      this.waiting = [];
      this.overflowed = true;
    }
  }

  /** Runs a read with events held back, then applies what came meanwhile. Answers undefined when a newer load replaced it. */
  async hold(read) {
    const generation = this.generation;
    this.loads += 1;
    try {
      const answer = await read();
      return generation === this.generation ? answer : undefined;
    } finally {
      this.loads -= 1;
    }
  }

  release() {
    if (this.loads > 0 || this.state.value !== 'ready') return;
    const events = this.waiting;
    this.waiting = [];
    for (const event of events) this.apply(event, true);
    if (this.overflowed) {
      this.overflowed = false;
      this.catchUp();
    }
  }

  page(query) {
    return api.get(`/v1/rooms/${this.roomId}/messages`, { limit: PAGE, ...query });
  }

  /** Starts the window anew: at the end, or around an offset. */
  async load(query) {
    this.generation += 1;
    const generation = this.generation;
    batch(() => {
      this.state.value = 'loading';
      this.error.value = null;
    });
    try {
      const page = await this.hold(() => this.page(query));
      if (!page) return;
      batch(() => {
        this.items.value = page.items;
        this.hasBefore.value = page.has_before;
        this.hasAfter.value = page.has_after;
        this.state.value = 'ready';
        this.noteTop(page.items);
      });
    } catch (error) {
      if (generation !== this.generation) return;
      this.state.value = 'error';
      this.error.value = error;
      // A refusal stays; a lost connection or a restarting server is worth waiting for.
      if (error instanceof NetworkError || error.status >= 500) {
        setTimeout(() => this.opens > 0 && this.state.value === 'error' && this.load(query), RETRY_MS);
      }
    } finally {
      this.release();
    }
  }

  loadLatest() {
    return this.load({});
  }

  loadAround(offset) {
    return this.load({ around: offset });
  }

  noteTop(items) {
    const top = items.at(-1)?.offset ?? 0;
    if (!this.hasAfter.value) this.lastOffset.value = Math.max(this.lastOffset.value, top);
  }

  async pageTowards(end) {
    const items = this.items.value;
    const more = end === 'before' ? this.hasBefore : this.hasAfter;
    if (this.state.value !== 'ready' || this.paging.value || !more.value || !items.length) return;
    this.paging.value = end;
    try {
      const query = end === 'before' ? { before: items[0].offset } : { after: items.at(-1).offset };
      const page = await this.hold(() => this.page(query));
      if (!page) return;
      batch(() => {
        this.merge(page.items);
        if (end === 'before') this.hasBefore.value = page.has_before;
        else this.hasAfter.value = page.has_after;
        this.trim(end === 'before' ? 'after' : 'before');
        this.noteTop(this.items.value);
      });
    } catch {
      // The button, or the next scroll, tries again.
    } finally {
      this.paging.value = null;
      this.release();
    }
  }

  loadBefore() {
    return this.pageTowards('before');
  }

  loadAfter() {
    return this.pageTowards('after');
  }

  /** Lets go of what is over the bound at one end of the window. */
  trim(end) {
    const items = this.items.value;
    if (items.length <= MAX_WINDOW) return;
    if (end === 'before') {
      this.items.value = items.slice(items.length - MAX_WINDOW);
      this.hasBefore.value = true;
    } else {
      this.items.value = items.slice(0, MAX_WINDOW);
      this.hasAfter.value = true;
    }
  }

  merge(incoming) {
    if (!incoming.length) return;
    const byId = new Map(this.items.value.map((message) => [message.id, message]));
    for (const message of incoming) byId.set(message.id, message);
    this.items.value = [...byId.values()].sort((a, b) => a.offset - b.offset);
    const me = session.value?.user.id;
    for (const message of incoming) if (message.author.id === me) settle(message.client_id);
  }

  /** Reads the window again from its first message, and on to the end: missed messages, edits, removals and reactions. */
  async catchUp() {
    if (this.catchingUp.value) {
      this.catchUpAgain = true;
      return;
    }
    this.catchingUp.value = true;
    const generation = this.generation;
    try {
      let from = (this.items.value[0]?.offset ?? 1) - 1;
      const until = this.hasAfter.value ? this.items.value.at(-1).offset : Infinity;
      for (;;) {
        const page = await this.hold(() => this.page({ after: from, limit: CATCH_UP_PAGE }));
        if (!page) return;
        const fitting = page.items.filter((message) => message.offset <= until);
        batch(() => {
          this.merge(fitting);
          this.noteTop(this.items.value);
        });
        if (!page.has_after || !page.items.length || fitting.length < page.items.length) break;
        if (this.items.value.length > 2 * MAX_WINDOW) {
          // Away for very long: the rest is paged as it is read, from here on without a hole.
          this.hasAfter.value = true;
          break;
        }
        from = page.items.at(-1).offset;
      }
    } catch (error) {
      // Not caught up: the promise is to miss nothing, so try until it is done or refused.
      if (generation === this.generation && !(error instanceof ApiError && error.status < 500 && error.status !== 429)) this.catchUpAgain = true;
    } finally {
      this.catchingUp.value = false;
      this.release();
    }
    if (this.catchUpAgain) {
      this.catchUpAgain = false;
      setTimeout(() => this.catchUp(), RETRY_MS / 2);
    }
  }

  find(id) {
    return this.items.value.find((message) => message.id === id);
  }

  change(id, how) {
    this.items.value = this.items.value.map((message) => (message.id === id ? { ...message, ...how(message) } : message));
  }

  /** Reads one message again, when what came cannot be applied with certainty. */
  async reread(id) {
    try {
      const message = await api.get(`/v1/rooms/${this.roomId}/messages/${id}`);
      if (this.find(id)) this.change(id, () => message);
    } catch {
      // It keeps what it has; the next event or load brings it right.
    }
  }

  insert(message) {
    if (this.find(message.id)) return;
    const items = this.items.value;
    if (!items.length || items.at(-1).offset < message.offset) this.items.value = [...items, message];
    else this.items.value = [...items, message].sort((a, b) => a.offset - b.offset);
  }

  /** What POST answered: the same message that the stream brings, whichever comes first. */
  stored(message) {
    if (this.state.value !== 'ready' || this.hasAfter.value) return;
    this.insert(message);
    // `applied` stays: events before this message may still be on their way.
    this.lastOffset.value = Math.max(this.lastOffset.value, message.offset);
  }

  apply(event, uncertain) {
    const handler = APPLY[event.type];
    if (handler) batch(() => handler(this, event, uncertain));
  }
}

/** The stream names only what is answered, so that no event holds a copy of a text that may be removed; the excerpt comes from the window. */
function answered(log, reply) {
  if (!reply || reply.author) return reply ?? null;
  const original = log.find(reply.id);
  return original ? { ...reply, author: original.author, excerpt: plain(original.text) } : reply;
}

function created(log, event, uncertain) {
  const message = {
    ...event.message,
    room_id: log.roomId,
    offset: event.offset,
    author: event.actor,
    reply_to: answered(log, event.message.reply_to),
    at: event.at,
    edited_at: null,
    deleted_at: null,
    deletion: null,
    pinned_at: null,
    reactions: [],
    mentions: event.message.mentions ?? [],
  };
  if (event.actor.id === session.value?.user.id) settle(message.client_id);
  stoppedTyping(log.roomId, event.actor.id);
  if (!log.hasAfter.value && !log.find(message.id)) {
    log.insert(message);
    if (message.reply_to && !message.reply_to.author) log.reread(message.id);
    for (const callback of log.onCreated) callback(message, uncertain);
  }
  keepRoom({ id: log.roomId, activity: event.at });
}

function removed(log, event) {
  log.change(event.message.id, () => ({
    deleted_at: event.at,
    text: '',
    reactions: [],
    pinned_at: null,
    deletion: { by_moderator: Boolean(event.by_moderator), reason: event.reason ?? null },
  }));
  // Nothing of a removed message may stay, not even in an answer's excerpt.
  if (log.items.value.some((message) => message.reply_to?.id === event.message.id)) {
    log.items.value = log.items.value.map((message) =>
      message.reply_to?.id === event.message.id ? { ...message, reply_to: { ...message.reply_to, excerpt: null } } : message,
    );
  }
}

/** Reactions with one more or one fewer of an emoji. Our own count only once, however often we hear of it. */
export function countReaction(reactions, emoji, by, mine) {
  const found = reactions.find((reaction) => reaction.emoji === emoji);
  if (mine && Boolean(found?.me) === by > 0) return reactions;
  if (!found) return by > 0 ? [...reactions, { emoji, count: 1, me: mine }] : reactions;
  const changed = { ...found, count: found.count + by, me: mine ? by > 0 : found.me };
  return changed.count > 0 ? reactions.map((reaction) => (reaction === found ? changed : reaction)) : reactions.filter((reaction) => reaction !== found);
}

function reaction(by) {
  return (log, event, uncertain) => {
    const { id } = event.message;
    if (!log.find(id)) return;
    if (uncertain) {
      log.reread(id);
      return;
    }
    const mine = event.actor.id === session.value?.user.id;
    log.change(id, (message) => ({ reactions: countReaction(message.reactions, event.emoji, by, mine) }));
  };
}

function pinned(isPinned) {
  return (log, event) => {
    log.change(event.message.id, () => ({ pinned_at: isPinned ? event.at : null }));
    for (const callback of log.onPins) callback();
  };
}

function members(log, event) {
  for (const callback of log.onMembers) callback(event);
}

const APPLY = {
  'message.created': created,
  'message.edited': (log, event) =>
    log.change(event.message.id, () => ({
      text: event.message.text,
      edited_at: event.message.edited_at ?? event.at,
      mentions: event.message.mentions ?? [],
    })),
  'message.deleted': removed,
  'reaction.added': reaction(1),
  'reaction.removed': reaction(-1),
  'message.pinned': pinned(true),
  'message.unpinned': pinned(false),
  'member.joined': members,
  'member.left': members,
  'room.updated': (log, event) => keepRoom({ id: log.roomId, ...event.room }),
};

/** Logs of rooms seen in this session, least recently used first. */
const logs = new Map();
const MAX_LOGS = 24;

export function logOf(roomId) {
  const log = logs.get(roomId) ?? new RoomLog(roomId);
  logs.delete(roomId);
  logs.set(roomId, log);
  for (const [id, other] of logs) {
    if (logs.size <= MAX_LOGS) break;
    if (other.opens === 0 && id !== roomId) logs.delete(id);
  }
  return log;
}

export function forgetLogs() {
  logs.clear();
}

whenStored((roomId, answer, entry) => {
  const log = logs.get(roomId);
  if (!log) return;
  const user = session.value.user;
  log.stored(
    answer.message ?? {
      id: answer.id,
      room_id: roomId,
      offset: answer.offset,
      client_id: entry.client_id,
      author: { id: user.id, handle: user.handle, display_name: user.display_name },
      text: entry.text,
      at: entry.at,
      edited_at: null,
      deleted_at: null,
      deletion: null,
      reply_to: entry.reply_to,
      reactions: [],
      pinned_at: null,
      mentions: [],
    },
  );
});

const pathOf = (message) => `/v1/rooms/${message.room_id}/messages/${message.id}`;

export async function editMessage(message, text) {
  const answer = await api.patch(pathOf(message), { text });
  const log = logOf(message.room_id);
  log.change(message.id, () => ({ text, edited_at: answer?.edited_at ?? answer?.message?.edited_at ?? new Date().toISOString() }));
}

export async function deleteMessage(message, reason) {
  await api.delete(pathOf(message), reason ? { reason } : undefined);
  const mine = message.author.id === session.value.user.id;
  removed(logOf(message.room_id), {
    at: new Date().toISOString(),
    message,
    by_moderator: !mine,
    reason,
  });
}

/** Shown at once; taken back when the server says no. */
export async function toggleReaction(message, emoji) {
  const log = logOf(message.room_id);
  const has = Boolean(log.find(message.id)?.reactions.find((other) => other.emoji === emoji)?.me);
  const turn = (by) => log.change(message.id, (current) => ({ reactions: countReaction(current.reactions, emoji, by, true) }));
  turn(has ? -1 : 1);
  try {
    const path = `${pathOf(message)}/reactions/${encodeURIComponent(emoji)}`;
    await (has ? api.delete(path) : api.put(path));
  } catch (error) {
    turn(has ? 1 : -1);
    throw error;
  }
}

export async function togglePin(message) {
  const path = `${pathOf(message)}/pin`;
  await (message.pinned_at ? api.delete(path) : api.put(path));
  logOf(message.room_id).change(message.id, () => ({ pinned_at: message.pinned_at ? null : new Date().toISOString() }));
}
