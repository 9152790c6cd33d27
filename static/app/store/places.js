/**
 * The places a person can be: communities, their rooms, direct conversations, with unread counts.
 *
 * Lists come by HTTP and are read again when something says that they changed; counts come live from the `unread:` map. A room
 * is kept once, by id, whichever list it came from.
 */
import { batch, computed, signal } from '@preact/signals';
import { api, readAll } from '../api.js';
import { watch, whenOnline, whenUserEvent } from '../live.js';
import { session } from './session.js';

/** `state` is loading | ready | error. */
export const placesState = signal({ state: 'loading', error: null });
export const communities = signal([]);
export const rooms = signal(new Map());
/** Room ids of a community in order, once that community's list was read. */
export const communityRooms = signal(new Map());
export const unread = signal(new Map());
/** The room whose newest message is in view: it counts as read before the server has said so. */
export const attending = signal(null);

export const myCommunities = computed(() => communities.value.filter((community) => community.role));
export const directs = computed(() =>
  [...rooms.value.values()]
    .filter((room) => isDirect(room) && room.joined)
    .sort((a, b) => (b.activity ?? b.created_at ?? '').localeCompare(a.activity ?? a.created_at ?? '')),
);
export const totalUnread = computed(() => {
  let total = 0;
  for (const [id, counts] of unread.value) {
    if (counts.muted || id === attending.value) continue;
    const room = rooms.value.get(id);
    total += room && isDirect(room) ? counts.unread : counts.mentions;
  }
  return total;
});

export function isDirect(room) {
  return room.kind === 'direct' || room.kind === 'group';
}

/** The member behind a list row, which names the person either itself or in `user`. */
export function person(row) {
  return row.user ? { ...row, ...row.user } : row;
}

function keepRooms(list) {
  const next = new Map(rooms.value);
  for (const room of list) next.set(room.id, { ...next.get(room.id), ...room });
  rooms.value = next;
}

export function keepRoom(room) {
  keepRooms([room]);
}

function keepUnread(id, counts) {
  const next = new Map(unread.value);
  next.set(id, { unread: 0, mentions: 0, read_offset: 0, last_offset: 0, muted: false, ...next.get(id), ...counts });
  unread.value = next;
}

export function countsOf(id) {
  const counts = unread.value.get(id);
  if (!counts || id === attending.value) return { ...counts, unread: 0, mentions: 0 };
  return counts;
}

async function readJoinedRooms() {
  const items = await readAll('/v1/me/rooms');
  batch(() => {
    const joined = new Set(items.map((room) => room.id));
    const next = new Map([...rooms.value].map(([id, room]) => [id, room.joined && !joined.has(id) ? { ...room, joined: false } : room]));
    const counts = new Map(unread.value);
    for (const { unread: count, mentions, read_offset, muted, ...room } of items) {
      next.set(room.id, { ...next.get(room.id), ...room, joined: true });
      counts.set(room.id, { ...counts.get(room.id), unread: count, mentions, read_offset, muted, last_offset: room.last_offset });
    }
    rooms.value = next;
    unread.value = counts;
  });
  await nameDirects();
}

/** A direct conversation is named by who else is in it. Names are read once, where the room does not carry them. */
async function nameDirects() {
  const nameless = [...rooms.value.values()].filter((room) => isDirect(room) && !room.members && room.joined).slice(0, 100);
  await Promise.all(
    nameless.map(async (room) => {
      const { items } = await api.get(`/v1/rooms/${room.id}/members`, { limit: 20 });
      keepRoom({ id: room.id, members: items.map(person) });
    }),
  );
}

export async function readCommunities() {
  communities.value = await readAll('/v1/communities');
}

/** Reads everything that the shell shows. */
export async function readPlaces() {
  try {
    await Promise.all([readCommunities(), readJoinedRooms()]);
    placesState.value = { state: 'ready', error: null };
  } catch (error) {
    if (placesState.value.state !== 'ready') placesState.value = { state: 'error', error };
  }
}

export async function readCommunityRooms(id) {
  const list = await readAll(`/v1/communities/${id}/rooms`);
  batch(() => {
    keepRooms(list);
    communityRooms.value = new Map(communityRooms.value).set(
      id,
      list.map((room) => room.id),
    );
  });
}

export async function readRoom(id) {
  const room = await api.get(`/v1/rooms/${id}`);
  keepRoom(room);
  if (isDirect(room)) {
    keepRoom({ id, joined: true });
    await nameDirects();
  }
  return room;
}

export function keepCommunity(community) {
  const rest = communities.value.filter((other) => other.id !== community.id);
  const known = communities.value.find((other) => other.id === community.id);
  communities.value = known
    ? communities.value.map((other) => (other.id === community.id ? { ...other, ...community } : other))
    : [...rest, community];
}

export async function readCommunity(id) {
  const community = await api.get(`/v1/communities/${id}`);
  keepCommunity(community);
  return community;
}

export async function createCommunity(fields) {
  const community = await api.post('/v1/communities', fields);
  keepCommunity(community);
  return community;
}

export async function joinCommunity(id, fields) {
  const answer = await api.post(`/v1/communities/${id}/join`, fields);
  if (answer.status === 'joined') {
    keepCommunity({ role: 'member', ...answer.community });
    await readPlaces();
  }
  return answer;
}

export async function leaveCommunity(id) {
  await api.post(`/v1/communities/${id}/leave`);
  batch(() => {
    communities.value = communities.value.map((community) => (community.id === id ? { ...community, role: null } : community));
    const gone = new Set(communityRooms.value.get(id));
    rooms.value = new Map([...rooms.value].filter(([, room]) => room.community_id !== id));
    unread.value = new Map([...unread.value].filter(([roomId]) => !gone.has(roomId)));
    communityRooms.value = new Map([...communityRooms.value].filter(([communityId]) => communityId !== id));
  });
  await readPlaces();
}

export async function createRoom(communityId, fields) {
  const room = await api.post(`/v1/communities/${communityId}/rooms`, fields);
  keepRoom({ ...room, joined: true });
  await readCommunityRooms(communityId);
  return room;
}

export async function changeRoom(id, fields) {
  keepRoom(await api.patch(`/v1/rooms/${id}`, fields));
}

export async function openDirect(userIds) {
  const room = await api.post('/v1/rooms/direct', { user_ids: userIds });
  keepRoom({ ...room, joined: true });
  await nameDirects();
  return room;
}

/** Keeps what a read mark answered. */
export function keepRead(id, counts) {
  keepUnread(id, counts);
}

export async function muteRoom(id, muted) {
  await api.put(`/v1/rooms/${id}/notifications`, { muted });
  keepUnread(id, { muted });
}

/** What a room is called: its own name, or the people in it. */
export function roomName(room) {
  if (!room) return '';
  if (room.name && !isDirect(room)) return room.name;
  const me = session.value?.user.id;
  const others = (room.members ?? []).filter((member) => member.id !== me);
  if (others.length === 0) return room.name || (room.members ? 'Just you' : 'Conversation');
  return others.map((member) => member.display_name).join(', ');
}

/** The other person of a direct conversation, if it has exactly one. */
export function directPartner(room) {
  const others = (room?.members ?? []).filter((member) => member.id !== session.value?.user.id);
  return others.length === 1 ? others[0] : null;
}

export function roomPath(room) {
  return isDirect(room) ? `/dm/${room.id}` : `/c/${room.community_id}/r/${room.id}`;
}

let stops = [];
let rereadTimer = null;

function rereadSoon() {
  clearTimeout(rereadTimer);
  rereadTimer = setTimeout(async () => {
    await readPlaces();
    for (const id of communityRooms.value.keys()) readCommunityRooms(id).catch(() => {});
  }, 300);
}

/** A count for a room that is not known means that the room is new to us. */
function takeUnread(entries) {
  batch(() => {
    for (const { key, data, removed } of entries) {
      if (removed || !data) continue;
      keepUnread(key, data);
      const room = rooms.value.get(key);
      if (!room && placesState.value.state === 'ready') rereadSoon();
      else if (room && isDirect(room) && data.last_offset > (room.last_offset ?? 0)) {
        keepRoom({ id: key, last_offset: data.last_offset, activity: new Date().toISOString() });
      }
    }
  });
}

export function startPlaces(userId) {
  stops = [
    watch(`unread:${userId}`, 'map', { sync: takeUnread, update: (entry) => takeUnread([entry]) }),
    whenUserEvent((event) => {
      if (event === null || event.type !== 'mention') rereadSoon();
    }),
    whenOnline((again) => {
      if (again) rereadSoon();
    }),
  ];
  return readPlaces();
}

export function stopPlaces() {
  for (const stop of stops) stop();
  stops = [];
  clearTimeout(rereadTimer);
  batch(() => {
    placesState.value = { state: 'loading', error: null };
    communities.value = [];
    rooms.value = new Map();
    communityRooms.value = new Map();
    unread.value = new Map();
    attending.value = null;
  });
}
