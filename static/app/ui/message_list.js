/**
 * The list of a room's messages, and where the reader is in it.
 *
 * Scrolling has one rule: what is being read does not move. At the end, the end stays in view; anywhere else the first visible
 * row keeps its place, whatever is put before it, changed or removed. (Its lower edge: a row loses its head when it gets a neighbour above.) The browser's own anchoring is off, because not every
 * browser has it and two of them fight.
 */
import { effect } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { explain } from '../api.js';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { discard, markRead } from './reading.js';
import { outbox, retry } from '../store/outbox.js';
import { attending, isDirect, placesState, roomName, unread } from '../store/places.js';
import { session } from '../store/session.js';
import { plain } from '../text/markdown.js';
import { dayKey, dayName } from '../text/time.js';
import { Button, Notice, Skeleton } from './basics.js';
import { Message, PendingMessage } from './message.js';

const GROUP_MS = 5 * 60_000;
const NEAR_END_PX = 48;
const PAGE_WITHIN_PX = 700;

/** Rows from messages: day marks, the unread line, groups by author within five minutes. */
function rowsOf(items, mark, me) {
  const rows = [];
  let previous = null;
  let marked = mark === null;
  for (const message of items) {
    const newDay = !previous || dayKey(previous.at) !== dayKey(message.at);
    if (newDay) rows.push({ kind: 'day', key: `day-${dayKey(message.at)}`, at: message.at });
    const newLine = !marked && message.offset > mark && message.author.id !== me;
    if (newLine) {
      rows.push({ kind: 'new', key: 'new' });
      marked = true;
    }
    const compact =
      !newDay && !newLine && !message.reply_to && !message.pinned_at && previous && !previous.deleted_at && previous.author.id === message.author.id && Date.parse(message.at) - Date.parse(previous.at) < GROUP_MS;
    rows.push({ kind: 'message', key: message.id, message, compact: Boolean(compact) });
    previous = message;
  }
  return rows;
}

function pendingRows(entries, last, me) {
  return entries.flatMap((entry, index) => {
    const newDay = dayKey(entry.at) !== dayKey(index > 0 ? entries[index - 1].at : (last?.at ?? 0));
    const before = index > 0 ? { at: entries[index - 1].at, author: me, failed: entries[index - 1].state === 'failed' } : last && { at: last.at, author: last.author.id, deleted: last.deleted_at };
    const compact = !newDay && before && !before.deleted && !entry.reply_to && before.author === me && Date.parse(entry.at) - Date.parse(before.at) < GROUP_MS;
    const row = { kind: 'pending', key: entry.client_id, entry, compact: Boolean(compact) };
    return newDay ? [{ kind: 'day', key: `day-${dayKey(entry.at)}`, at: entry.at }, row] : [row];
  });
}

/** Where the reading begins: the mark is taken when the room is opened, and again when the reader looks away. */
function useUnreadMark(log) {
  const [mark, setMark] = useState(undefined);
  const counts = unread.value.get(log.roomId);
  const known = placesState.value.state !== 'loading';
  if (mark === undefined && known && log.state.value === 'ready') {
    const first = counts && counts.unread > 0 ? counts.read_offset : null;
    setMark(first);
    return [first, setMark];
  }
  return [mark ?? null, setMark];
}

/** Keeps the reader's place. Answers what the list needs: the scroller's ref and handlers, and whether the end is in view. */
function useScroll(log, rowCount) {
  const scroller = useRef(null);
  const content = useRef(null);
  const place = useRef({ stuck: true, id: null, bottom: 0, scroll: 0, height: 0, length: 0, target: null });
  const [atEnd, setAtEnd] = useState(true);

  const note = () => {
    const box = scroller.current;
    if (!box) return;
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    place.current.stuck = left < NEAR_END_PX && !log.hasAfter.peek();
    place.current.scroll = box.scrollTop;
    place.current.height = box.clientHeight;
    place.current.length = box.scrollHeight;
    setAtEnd(place.current.stuck);
    const edge = box.getBoundingClientRect().top;
    for (const row of content.current.querySelectorAll('[data-id]')) {
      const rect = row.getBoundingClientRect();
      if (rect.bottom > edge) {
        place.current.id = row.dataset.id;
        place.current.bottom = rect.bottom - edge;
        break;
      }
    }
  };
  const keep = () => {
    const box = scroller.current;
    if (!box) return;
    const { target, stuck, id, bottom } = place.current;
    if (target) {
      const row = content.current.querySelector(target.selector);
      if (row) {
        place.current.target = null;
        box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight * target.share;
        note();
        target.after?.(row);
        return;
      }
    }
    // A scroll whose event has not come yet is the reader's will, too.
    const moved = box.scrollTop - place.current.scroll;
    const nearEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    if (stuck && (moved > -2 || nearEnd)) {
      box.scrollTop = box.scrollHeight;
    } else {
      const row = id && content.current.querySelector(`[data-id="${id}"]`);
      if (row) box.scrollTop += row.getBoundingClientRect().bottom - box.getBoundingClientRect().top - bottom + moved;
    }
    note();
  };
  const onScroll = () => {
    const box = scroller.current;
    // The event of an earlier scroll may come after the window or its content has changed: that is not the reader's move.
    if (box.clientHeight === place.current.height && box.scrollHeight === place.current.length) note();
    else keep();
    if (box.scrollTop < PAGE_WITHIN_PX) log.loadBefore();
    if (box.scrollHeight - box.scrollTop - box.clientHeight < PAGE_WITHIN_PX) log.loadAfter();
  };
  useLayoutEffect(keep);
  useEffect(() => {
    const observer = new ResizeObserver(keep);
    observer.observe(scroller.current);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);
  // A first page that does not fill the screen has nothing to scroll; it must ask for more by itself.
  useEffect(() => {
    if (log.state.value === 'ready' && rowCount) onScroll();
  }, [log.state.value, rowCount]);
  const goTo = (selector, share, after) => {
    place.current.stuck = false;
    place.current.target = { selector, share, after };
    keep();
  };
  const goToEnd = () => {
    place.current.target = null;
    place.current.stuck = true;
    keep();
    setAtEnd(true);
  };
  return { scroller, content, atEnd, onScroll, goTo, goToEnd, note };
}

/** Marks the room read while its end is in view of somebody who is looking. */
function useReading(log, atEnd, setMark) {
  const [looking, setLooking] = useState(document.hasFocus() && document.visibilityState === 'visible');
  useEffect(() => {
    const look = () => setLooking(document.hasFocus() && document.visibilityState === 'visible');
    for (const name of ['focus', 'blur']) addEventListener(name, look);
    document.addEventListener('visibilitychange', look);
    return () => {
      for (const name of ['focus', 'blur']) removeEventListener(name, look);
      document.removeEventListener('visibilitychange', look);
    };
  }, []);
  const ready = log.state.value === 'ready' && !log.hasAfter.value;
  const here = looking && atEnd && ready;
  useEffect(() => {
    if (!here) return undefined;
    attending.value = log.roomId;
    const stop = effect(() => markRead(log.roomId, log.lastOffset.value));
    return () => {
      stop();
      if (attending.value === log.roomId) attending.value = null;
      setMark(log.lastOffset.peek());
    };
  }, [here, log]);
}

/** Says new messages aloud, for those who do not see them come. */
function Announcer({ log }) {
  const [words, setWords] = useState('');
  useEffect(() => {
    const hear = (message, late) => {
      if (!late && message.author.id !== session.value?.user.id) setWords(`${message.author.display_name}: ${plain(message.text, 200)}`);
    };
    log.onCreated.add(hear);
    return () => log.onCreated.delete(hear);
  }, [log]);
  return html`<div class="unseen" role="status" aria-label="New messages">${words}</div>`;
}

function Beginning({ room }) {
  const name = isDirect(room) ? roomName(room) : `#${room.name}`;
  return html`<div class="beginning">
    <span class="notice-icon"><${Icon} name=${isDirect(room) ? 'message-circle' : 'hash'} size=${24} /></span>
    <h2>${name}</h2>
    <p class="soft">${isDirect(room) ? 'This is the beginning of your conversation. Only the people in it can read it.' : `This is the beginning of the room.${room.topic ? ` ${room.topic}` : ''}`}</p>
  </div>`;
}

export function MessageList({ log, room, canModerate, known, at, onSeek }) {
  const me = session.value.user.id;
  const items = log.items.value;
  const pending = log.hasAfter.value ? [] : outbox.value.filter((entry) => entry.room_id === room.id && !items.some((message) => message.client_id === entry.client_id && message.author.id === me));
  const [mark, setMark] = useUnreadMark(log);
  const rows = [...rowsOf(items, mark, me), ...pendingRows(pending, items.at(-1), me)];
  const { scroller, content, atEnd, onScroll, goTo, goToEnd } = useScroll(log, rows.length);
  const [flash, setFlash] = useState(null);
  const [leftAt, setLeftAt] = useState(0);
  const first = useRef(true);
  useReading(log, atEnd, setMark);

  // Where to begin: at the message of a permalink, at the unread line, else at the end.
  useLayoutEffect(() => {
    if (log.state.value !== 'ready' || !first.current) return;
    first.current = false;
    if (at === null && mark !== null && items.some((message) => message.offset > mark) && items[0]?.offset <= mark + 1) goTo('[data-row="new"]', 0.3);
  });
  useEffect(() => {
    if (at === null || log.state.value !== 'ready') return;
    const message = items.findLast((other) => other.offset <= at) ?? items[0];
    if (!message || (message.offset !== at && (log.hasBefore.value || log.hasAfter.value) && !items.some((other) => other.offset >= at))) return;
    goTo(`[data-id="${message.id}"]`, 0.35, (row) => row.focus({ preventScroll: true }));
    setFlash(message.id);
    const timer = setTimeout(setFlash, 2_000, null);
    return () => clearTimeout(timer);
  }, [at, log.state.value]);
  useEffect(() => {
    if (!atEnd) setLeftAt(log.lastOffset.peek());
  }, [atEnd]);
  const mine = pending.length;
  useEffect(() => {
    if (mine) goToEnd();
  }, [mine]);
  useEffect(() => {
    if (atEnd && items.length > 450) log.trim('before');
  }, [atEnd, items.length]);

  const toEnd = async () => {
    if (log.hasAfter.value) {
      onSeek(null);
      await log.loadLatest();
    }
    goToEnd();
  };
  const jump = (reply) => {
    if (log.find(reply.id)) {
      goTo(`[data-id="${reply.id}"]`, 0.35, (row) => row.focus({ preventScroll: true }));
      setFlash(reply.id);
      setTimeout(setFlash, 2_000, null);
    } else onSeek(reply.offset);
  };
  const below = atEnd ? 0 : items.filter((message) => message.offset > leftAt && message.author.id !== me).length;
  const markAbove = mark !== null && items.length > 0 && items[0].offset > mark + 1 && log.hasBefore.value;
  const missed = markAbove ? (unread.value.get(room.id)?.unread ?? 0) || items.filter((message) => message.offset > mark && message.author.id !== me).length : 0;

  const walk = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const row = event.target.closest('.message');
    if (!step || !row || event.target !== row) return;
    event.preventDefault();
    const all = [...content.current.querySelectorAll('.message')];
    all[all.indexOf(row) + step]?.focus();
  };
  const cache = useRef(new Map());
  const cached = new Map();
  const messageRow = ({ key, message, compact }) => {
    const earlier = cache.current.get(key);
    const flashing = flash === key;
    const same = earlier && earlier.message === message && earlier.compact === compact && earlier.flashing === flashing && earlier.room === room && earlier.canModerate === canModerate && earlier.people === known;
    const entry = same
      ? earlier
      : { message, compact, flashing, room, canModerate, people: known, node: html`<${Message} key=${key} message=${message} compact=${compact} room=${room} flash=${flashing} canModerate=${canModerate} known=${known} onJump=${(reply) => jumpRef.current(reply)} />` };
    cached.set(key, entry);
    return entry.node;
  };
  const jumpRef = useRef(jump);
  jumpRef.current = jump;
  const node = (row) => {
    if (row.kind === 'new') return html`<div class="new-line" key="new" data-row="new" role="separator"><span>New</span></div>`;
    if (row.kind === 'pending') return html`<${PendingMessage} key=${row.key} entry=${row.entry} compact=${row.compact} onRetry=${() => retry(row.key)} onDiscard=${() => discard(row.key)} />`;
    return messageRow(row);
  };
  const days = [];
  for (const row of rows) {
    if (row.kind === 'day') days.push({ ...row, nodes: [] });
    else days.at(-1).nodes.push(node(row));
  }
  cache.current = cached;

  return html`<div class="log-zone">
    ${markAbove &&
    html`<button type="button" class="new-bar" onClick=${() => onSeek(mark + 1)}>
      <span>${missed} new ${missed === 1 ? 'message' : 'messages'}</span><span>Jump to new <${Icon} name="arrow-up" size=${14} /></span>
    </button>`}
    <div class="log" ref=${scroller} onScroll=${onScroll} tabindex="0" role="log" aria-live="off" aria-label=${`Messages in ${isDirect(room) ? roomName(room) : room.name}`} onKeyDown=${(event) => {
      if (event.target === scroller.current && event.key === 'ArrowUp') {
        event.preventDefault();
        [...content.current.querySelectorAll('.message')].at(-1)?.focus();
      } else walk(event);
    }}>
      <div class="log-content" ref=${content}>
        ${log.state.value === 'loading' && !items.length && html`<${Skeleton} rows=${7} kind="talk" />`}
        ${log.state.value === 'error' && !items.length && html`<${Notice} icon="circle-alert" title="The messages did not load" role="alert" action=${html`<${Button} onClick=${() => log.loadLatest()}>Try again<//>`}>${explain(log.error.value)}<//>`}
        ${log.state.value === 'ready' && !log.hasBefore.value && html`<${Beginning} room=${room} />`}
        ${log.hasBefore.value && html`<div class="more" aria-hidden="true">${log.paging.value === 'before' && html`<${Skeleton} rows=${2} kind="talk" />`}</div>`}
        ${days.map(
          (day) => html`<section class="day-group" key=${day.key} aria-label=${dayName(day.at)}><div class="day"><span>${dayName(day.at)}</span></div>${day.nodes}</section>`,
        )}
        ${log.hasAfter.value && html`<div class="more"></div>`}
      </div>
    </div>
    ${(!atEnd || log.hasAfter.value) && items.length > 0 && html`<button type="button" class="to-end" onClick=${toEnd}>
      ${below > 0 ? html`<span class="count">${below} new</span>` : html`<span>Latest</span>`}<${Icon} name="arrow-down" size=${15} />
    </button>`}
    <${Announcer} log=${log} />
  </div>`;
}
