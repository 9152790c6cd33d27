/** The shell: rail, list, main on a desktop; one pane at a time and a bottom bar on a phone. The URL decides which. */
import { useEffect, useState } from 'preact/hooks';
import { explain } from '../api.js';
import { classes, html } from '../html.js';
import { Icon } from '../icons.js';
import { navigate, route } from '../router.js';
import { communities, communityRooms, countsOf, directs, isDirect, myCommunities, placesState, readPlaces, rooms } from '../store/places.js';
import { statusOf } from '../store/people.js';
import { session } from '../store/session.js';
import { Avatar, Badge, Button, Mark, Notice, Skeleton } from '../ui/basics.js';
import { ConnectionLine } from '../ui/connection_line.js';
import { showDialog } from '../ui/dialog.js';
import { JoinDialog, NewRoom } from '../ui/forms.js';
import { rankOf } from '../ui/profile.js';
import { CommunitiesView, memberWords } from './communities.js';
import { CommunityList, DirectList } from './lists.js';
import { RoomView } from './room.js';
import { SettingsView } from './settings.js';

const phoneQuery = matchMedia('(max-width: 640px)');

export function usePhone() {
  const [phone, setPhone] = useState(phoneQuery.matches);
  useEffect(() => {
    const update = () => setPhone(phoneQuery.matches);
    phoneQuery.addEventListener('change', update);
    return () => phoneQuery.removeEventListener('change', update);
  }, []);
  return phone;
}

const lastKey = () => `rialto.last.${session.value?.user.id}`;

function lastPlaces() {
  try {
    return JSON.parse(localStorage.getItem(lastKey())) ?? {};
  } catch {
    return {};
  }
}

function keepLast(communityId, roomId) {
  try {
    const last = lastPlaces();
    localStorage.setItem(lastKey(), JSON.stringify({ community: communityId, rooms: { ...last.rooms, ...(roomId ? { [communityId]: roomId } : {}) } }));
  } catch {
    // Then the first one is opened.
  }
}

function sumOf(communityId) {
  let unread = 0;
  let mentions = 0;
  for (const room of rooms.value.values()) {
    if (room.community_id !== communityId) continue;
    const counts = countsOf(room.id);
    if (counts.muted) continue;
    unread += counts.unread;
    mentions += counts.mentions;
  }
  return { unread, mentions };
}

function unreadDirects() {
  return directs.value.reduce((sum, room) => sum + (countsOf(room.id).muted ? 0 : countsOf(room.id).unread), 0);
}

function CommunityMark({ community, current }) {
  const { unread, mentions } = sumOf(community.id);
  return html`<li>
    <a class=${classes('rail-item', unread > 0 && 'fresh')} href=${`/c/${community.id}`} title=${community.name} aria-label=${community.name} aria-current=${current ? 'true' : undefined}>
      <${Avatar} id=${community.id} name=${community.name} square size="place" />
      ${mentions > 0 && html`<${Badge} count=${mentions} what=${mentions === 1 ? 'mention' : 'mentions'} />`}
      ${unread > 0 && mentions === 0 && html`<span class="rail-dot"><span class="unseen">${unread} unread</span></span>`}
    </a>
  </li>`;
}

function RailLink({ href, icon, label, current, count }) {
  return html`<a class="rail-item" href=${href} title=${label} aria-label=${label} aria-current=${current ? 'page' : undefined}>
    <span class="rail-icon"><${Icon} name=${icon} size=${21} /></span>
    <${Badge} count=${count} what="unread" />
  </a>`;
}

function Rail() {
  const { name, params } = route.value;
  const { user } = session.value;
  return html`<nav class=${classes('rail', params.community && myCommunities.value.length > 1 && 'choice-of-many')} aria-label="Communities">
    <div class="rail-fixed no-phone">
      <${RailLink} href="/dm" icon="message-circle" label="Direct messages" current=${name === 'directs' || name === 'direct'} count=${unreadDirects()} />
      <hr />
    </div>
    <ul class="rail-list">
      ${myCommunities.value.map((community) => html`<${CommunityMark} key=${community.id} community=${community} current=${params.community === community.id} />`)}
      <li class="no-phone"><${RailLink} href="/communities" icon="compass" label="Find communities" current=${name === 'communities'} /></li>
    </ul>
    <div class="rail-fixed no-phone">
      <a class="rail-item" href="/settings" title=${`${user.display_name}: settings`} aria-label="Settings" aria-current=${name === 'settings' ? 'page' : undefined}>
        <${Avatar} id=${user.id} name=${user.display_name} size="place" status=${statusOf(user.id)} />
      </a>
    </div>
  </nav>`;
}

function BottomBar({ home }) {
  const { name, params } = route.value;
  const mentions = myCommunities.value.reduce((sum, community) => sum + sumOf(community.id).mentions, 0);
  const places = [
    [home, 'hash', 'Rooms', Boolean(params.community), mentions],
    ['/dm', 'message-circle', 'Messages', name === 'directs', unreadDirects()],
    ['/communities', 'compass', 'Discover', name === 'communities', 0],
    ['/settings', 'circle-user', 'You', name === 'settings', 0],
  ];
  return html`<nav class="bottom-bar" aria-label="Main">
    ${places.map(([href, icon, label, current, count]) => html`<a key=${label} href=${href} aria-current=${current ? 'page' : undefined}><span class="bottom-icon"><${Icon} name=${icon} size=${21} /><${Badge} count=${count} what="unread" /></span><span>${label}</span></a>`)}
  </nav>`;
}

/** A community without a chosen room: goes into the last one, or says what there is to do. */
function CommunityView({ phone }) {
  const id = route.value.params.community;
  const community = communities.value.find((other) => other.id === id);
  const ids = communityRooms.value.get(id);
  const first = ids?.find((roomId) => roomId === lastPlaces().rooms?.[id]) ?? ids?.find((roomId) => !rooms.value.get(roomId)?.archived);
  useEffect(() => {
    if (!phone && first && community?.role) navigate(`/c/${id}/r/${first}`, { replace: true });
  }, [phone, first, community?.role]);
  if (!community || !ids) return html`<${Skeleton} rows=${6} kind="talk" />`;
  if (!community.role) {
    return html`<${Notice} icon="landmark" title=${community.name} action=${html`<${Button} kind="primary" onClick=${() => showDialog(JoinDialog, { community })}>${community.join_policy === 'request' ? 'Ask to join' : 'Join'}<//>`}>
      ${community.description} ${memberWords(community.member_count)}.
    <//>`;
  }
  if (first) return null;
  return html`<${Notice} icon="hash" title="No rooms yet" action=${rankOf(community.role) >= 2 && html`<${Button} kind="primary" onClick=${() => showDialog(NewRoom, { communityId: id })}>Create a room<//>`}>
    ${rankOf(community.role) >= 2 ? 'Create the first room, then invite people.' : 'The people who run this community have not made a room yet.'}
  <//>`;
}

function Welcome() {
  return html`<div class="page"><${ConnectionLine} /><${Notice} icon="message-circle" title="Choose a conversation">Or start one with the plus above the list.<//></div>`;
}

function homePath() {
  const mine = myCommunities.value;
  const last = mine.find((community) => community.id === lastPlaces().community) ?? mine[0];
  return last ? `/c/${last.id}` : '/communities';
}

export function Shell() {
  const { name, params } = route.value;
  const phone = usePhone();
  const { state, error } = placesState.value;
  const home = homePath();
  useEffect(() => {
    if (state === 'ready' && (name === 'home' || name === 'login' || name === 'register' || name === 'forgot')) navigate(home, { replace: true });
  }, [name, state, home]);
  useEffect(() => {
    if (params.community) keepLast(params.community, params.room);
  }, [params.community, params.room]);
  // A direct room under a community's address (or the other way) goes to its own place.
  const room = rooms.value.get(params.room);
  useEffect(() => {
    if (name === 'room' && room?.kind && isDirect(room)) navigate(`/dm/${room.id}`, { replace: true });
  }, [name, room]);

  if (state === 'error') {
    return html`<main class="gate" id="content"><div class="gate-card"><${Mark} size=${44} /><h1>Rialto did not load</h1><p class="soft">${explain(error)}</p><${Button} kind="primary" onClick=${readPlaces}>Try again<//></div></main>`;
  }
  const list = name === 'directs' || name === 'direct' ? html`<${DirectList} />` : params.community ? html`<${CommunityList} key=${params.community} />` : null;
  const pane = name === 'community' || name === 'directs' ? 'list' : 'main';
  const main = {
    room: () => html`<${RoomView} />`,
    direct: () => html`<${RoomView} />`,
    directs: () => html`<${Welcome} />`,
    community: () => html`<${CommunityView} phone=${phone} />`,
    communities: () => html`<${CommunitiesView} />`,
    settings: () => html`<${SettingsView} />`,
    home: () => html`<${Skeleton} rows=${6} kind="talk" />`,
    lost: () => html`<${Notice} icon="compass" title="There is nothing here" action=${html`<${Button} onClick=${() => navigate('/')}>Go to your communities<//>`}>The address may be wrong, or what was here is gone.<//>`,
  }[name];
  const inRoom = name === 'room' || name === 'direct';
  return html`<div class=${classes('shell', !list && 'no-list', inRoom && 'in-room')} data-pane=${pane}>
    <a class="skip" href="#content" onClick=${(event) => {
      event.preventDefault();
      document.querySelector('.composer textarea, #content')?.focus();
    }}>Skip to the conversation</a>
    <${Rail} />
    ${list}
    <main class="main" id="content" tabindex="-1">${main?.()}</main>
    <${BottomBar} home=${home} />
  </div>`;
}
