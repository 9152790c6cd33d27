/** The list pane: rooms of a community, or direct conversations. */
import { useEffect, useState } from 'preact/hooks';
import { explain } from '../api.js';
import { classes, html } from '../html.js';
import { Icon } from '../icons.js';
import { navigate, route } from '../router.js';
import { communities, communityRooms, countsOf, directPartner, directs, leaveCommunity, placesState, readCommunity, readCommunityRooms, roomName, roomPath, rooms } from '../store/places.js';
import { lookAt, statusOf } from '../store/people.js';
import { shortTime } from '../text/time.js';
import { Avatar, Badge, Button, IconButton, Notice, Skeleton, Time } from '../ui/basics.js';
import { Confirm, showDialog } from '../ui/dialog.js';
import { InvitePeople, JoinDialog, NewRoom, PickPeople, Requests } from '../ui/forms.js';
import { MenuButton } from '../ui/menu.js';
import { rankOf } from '../ui/profile.js';
import { roomIcon } from './room.js';

const MAX_PRESENCE = 20;

function RoomRow({ room }) {
  const counts = countsOf(room.id);
  const current = route.value.params.room === room.id;
  const fresh = counts.unread > 0 && !counts.muted;
  return html`<li>
    <a class=${classes('room-row', fresh && 'fresh', counts.muted && 'muted')} href=${roomPath(room)} aria-current=${current ? 'page' : undefined}>
      <${Icon} name=${roomIcon(room)} size=${16} />
      <span class="ellipsis grow">${room.name}</span>
      ${counts.muted && html`<${Icon} name="bell-off" size=${13} />`}
      ${counts.mentions > 0 ? html`<${Badge} count=${counts.mentions} what=${counts.mentions === 1 ? 'mention' : 'mentions'} />` : fresh && html`<${Badge} quiet count=${counts.unread} what="unread" />`}
    </a>
  </li>`;
}

function communityMenu(community) {
  const rank = rankOf(community.role);
  return [
    rank >= 1 && { icon: 'user-plus', label: 'Invite people', run: () => showDialog(InvitePeople, { community }) },
    rank >= 2 && { icon: 'plus', label: 'Create a room', run: () => showDialog(NewRoom, { communityId: community.id }) },
    rank >= 1 && community.join_policy === 'request' && { icon: 'user-check', label: 'Requests to join', run: () => showDialog(Requests, { community }) },
    community.role !== 'owner' && {
      icon: 'log-out',
      label: 'Leave community',
      danger: true,
      run: () =>
        showDialog(Confirm, {
          title: `Leave ${community.name}?`,
          children: 'You stop receiving its messages. What you wrote stays.',
          action: 'Leave community',
          danger: true,
          run: async () => {
            await leaveCommunity(community.id);
            navigate('/communities');
          },
        }),
    },
  ];
}

export function CommunityList() {
  const id = route.value.params.community;
  const community = communities.value.find((other) => other.id === id);
  const ids = communityRooms.value.get(id);
  const [error, setError] = useState(null);
  const read = () => {
    setError(null);
    Promise.all([community ? null : readCommunity(id), readCommunityRooms(id)]).catch(setError);
  };
  useEffect(() => {
    if (placesState.value.state === 'ready') read();
  }, [id, community?.role, placesState.value.state]);
  const all = (ids ?? []).map((roomId) => rooms.value.get(roomId)).filter(Boolean);
  const open = all.filter((room) => !room.archived);
  const archived = all.filter((room) => room.archived);
  const manages = rankOf(community?.role) >= 2;
  return html`<section class="list-pane" aria-label=${community?.name ?? 'Community'}>
    <header class="bar">
      <h2 class="ellipsis grow">${community?.name ?? ''}</h2>
      ${community?.role && html`<${MenuButton} label="Community menu" icon="ellipsis" actions=${communityMenu(community)} />`}
    </header>
    <div class="list-body">
      ${community && !community.role && html`<div class="join-hint"><p class="soft">You are looking at it from outside.</p><${Button} kind="primary" onClick=${() => showDialog(JoinDialog, { community })}>Join<//></div>`}
      ${error && !ids && html`<${Notice} icon="circle-alert" title="The rooms did not load" role="alert" action=${html`<${Button} onClick=${read}>Try again<//>`}>${explain(error)}<//>`}
      ${!ids && !error && html`<${Skeleton} rows=${6} />`}
      ${ids &&
      html`<div class="group-head"><h3 class="group-title">Rooms</h3>
        ${manages && html`<${IconButton} icon="plus" small label="Create a room" onClick=${() => showDialog(NewRoom, { communityId: id })} />`}</div>
        <ul>${open.map((room) => html`<${RoomRow} key=${room.id} room=${room} />`)}</ul>
        ${open.length === 0 && html`<p class="hint pad">${manages ? 'No rooms yet. Create the first one.' : 'No rooms yet.'}</p>`}`}
      ${archived.length > 0 &&
      html`<details class="archived"><summary class="group-title">Archived <span class="count">${archived.length}</span></summary>
        <ul>${archived.map((room) => html`<${RoomRow} key=${room.id} room=${room} />`)}</ul></details>`}
    </div>
  </section>`;
}

function DirectRow({ room }) {
  const counts = countsOf(room.id);
  const partner = directPartner(room);
  const name = roomName(room);
  const current = route.value.params.room === room.id;
  return html`<li>
    <a class=${classes('room-row direct-row', counts.unread > 0 && !counts.muted && 'fresh')} href=${`/dm/${room.id}`} aria-current=${current ? 'page' : undefined}>
      <${Avatar} id=${partner?.id ?? room.id} name=${name} size="small" status=${partner ? statusOf(partner.id) : undefined} />
      <span class="ellipsis grow">${name}</span>
      ${counts.unread > 0 && !counts.muted ? html`<${Badge} count=${counts.unread} what="unread" />` : room.activity && html`<span class="faint small"><${Time} at=${room.activity}>${shortTime(room.activity)}<//></span>`}
    </a>
  </li>`;
}

export function DirectList() {
  const all = directs.value;
  const looked = all.slice(0, MAX_PRESENCE).map((room) => room.id);
  useEffect(() => {
    const stops = looked.map(lookAt);
    return () => {
      for (const stop of stops) stop();
    };
  }, [looked.join()]);
  const start = () => showDialog(PickPeople, {});
  return html`<section class="list-pane" aria-label="Direct messages">
    <header class="bar"><h2 class="grow">Messages</h2><${IconButton} icon="plus" label="New conversation" onClick=${start} /></header>
    <div class="list-body">
      ${placesState.value.state === 'loading' && html`<${Skeleton} rows=${5} />`}
      <ul>${all.map((room) => html`<${DirectRow} key=${room.id} room=${room} />`)}</ul>
      ${placesState.value.state === 'ready' && all.length === 0 && html`<${Notice} icon="message-circle" title="No conversations yet" action=${html`<${Button} kind="primary" onClick=${start}>Start one<//>`}>Write to one person, or to a few at once.<//>`}
    </div>
  </section>`;
}
