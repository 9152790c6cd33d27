/** Beside a room: who is in it, or what is pinned. */
import { useEffect, useState } from 'preact/hooks';
import { api, explain } from '../api.js';
import { html } from '../html.js';
import { isDirect, person } from '../store/places.js';
import { presence } from '../store/people.js';
import { logOf } from '../store/messages.js';
import { markdown } from '../text/markdown.js';
import { shortTime } from '../text/time.js';
import { Avatar, Button, IconButton, Notice, Skeleton, Time } from './basics.js';
import { showProfile } from './profile.js';

const ROLE_WORDS = { owner: 'Owner', admin: 'Admin', moderator: 'Moderator' };

function Pane({ title, onClose, children }) {
  return html`<aside class="side" aria-label=${title}>
    <header class="bar">
      <h2>${title}</h2>
      <${IconButton} icon="x" label=${`Close ${title.toLowerCase()}`} onClick=${onClose} />
    </header>
    <div class="side-body">${children}</div>
  </aside>`;
}

/** The people of a room. Private rooms have a list of their own; all others have their community's. */
export function usePeople(room) {
  const [state, setState] = useState({ people: [], cursor: null, ready: false, error: null });
  const path = isDirect(room) || room.kind === 'private' || !room.community_id ? `/v1/rooms/${room.id}/members` : `/v1/communities/${room.community_id}/members`;
  const read = async (cursor) => {
    try {
      const answer = await api.get(path, { limit: 100, cursor });
      setState((before) => ({ people: [...(cursor ? before.people : []), ...answer.items.map(person)], cursor: answer.next_cursor, ready: true, error: null }));
    } catch (error) {
      setState((before) => ({ ...before, ready: true, error }));
    }
  };
  useEffect(() => {
    read();
    const log = logOf(room.id);
    const again = () => read();
    log.onMembers.add(again);
    return () => log.onMembers.delete(again);
  }, [path]);
  return { ...state, more: () => read(state.cursor), again: () => read() };
}

function Person({ user, status, room }) {
  return html`<li>
    <button type="button" class="person" onClick=${() => showProfile(user, room)}>
      <${Avatar} id=${user.id} name=${user.display_name} size="small" status=${status} />
      <span class="ellipsis">${user.display_name}</span>
      ${ROLE_WORDS[user.role] && html`<span class="role">${ROLE_WORDS[user.role]}</span>`}
    </button>
  </li>`;
}

export function MemberPane({ room, members, onClose }) {
  const here = presence.value.get(room.id) ?? new Map();
  const listed = new Set(members.people.map((user) => user.id));
  // Somebody may be here who is not on the page of the list that was read.
  const extra = [...here.values()].filter((user) => !listed.has(user.id));
  const all = [...members.people, ...extra];
  const byName = (a, b) => a.display_name.localeCompare(b.display_name);
  const online = all.filter((user) => here.has(user.id)).sort(byName);
  const offline = all.filter((user) => !here.has(user.id)).sort(byName);
  const group = (title, people) =>
    people.length > 0 &&
    html`<section aria-label=${title}>
      <h3 class="group-title">${title} <span class="count">${people.length}</span></h3>
      <ul>${people.map((user) => html`<${Person} key=${user.id} user=${user} room=${room} status=${here.get(user.id)?.status ?? 'offline'} />`)}</ul>
    </section>`;
  return html`<${Pane} title="Members" onClose=${onClose}>
    ${!members.ready && html`<${Skeleton} rows=${6} />`}
    ${members.error && html`<${Notice} icon="circle-alert" title="The members did not load" action=${html`<${Button} onClick=${members.again}>Try again<//>`}>${explain(members.error)}<//>`}
    ${members.ready && html`${group('Here', online)}${group('Not here', offline)}`}
    ${members.cursor && html`<${Button} kind="quiet" onClick=${members.more}>Show more<//>`}
  <//>`;
}

export function PinPane({ room, onClose, onJump }) {
  const [state, setState] = useState({ items: [], ready: false, error: null });
  const read = () =>
    api.get(`/v1/rooms/${room.id}/pins`).then(
      ({ items }) => setState({ items, ready: true, error: null }),
      (error) => setState({ items: [], ready: true, error }),
    );
  useEffect(() => {
    read();
    const log = logOf(room.id);
    log.onPins.add(read);
    return () => log.onPins.delete(read);
  }, [room.id]);
  return html`<${Pane} title="Pinned messages" onClose=${onClose}>
    ${!state.ready && html`<${Skeleton} rows=${3} kind="talk" />`}
    ${state.error && html`<${Notice} icon="circle-alert" title="The pins did not load" action=${html`<${Button} onClick=${read}>Try again<//>`}>${explain(state.error)}<//>`}
    ${state.ready && !state.error && state.items.length === 0 && html`<${Notice} icon="pin" title="Nothing is pinned">What everybody should find again can be pinned from a message's menu.<//>`}
    <ul class="pins">
      ${state.items.map(
        (message) => html`<li key=${message.id} class="pin">
          <p class="message-head"><b class="ellipsis">${message.author.display_name}</b><${Time} at=${message.at}>${shortTime(message.at)}<//></p>
          <div class="prose clamp">${markdown(message.text)}</div>
          <${Button} kind="quiet" onClick=${() => onJump(message.offset)}>Go to message<//>
        </li>`,
      )}
    </ul>
  <//>`;
}
