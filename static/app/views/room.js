/** A room: header, messages, composer, and what is beside it. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { api, explain } from '../api.js';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { goBack, navigate, route } from '../router.js';
import { logOf } from '../store/messages.js';
import { lookAt, presence, statusOf, watchTyping } from '../store/people.js';
import { changeRoom, countsOf, directPartner, isDirect, muteRoom, readRoom, roomName, roomPath, rooms } from '../store/places.js';
import { Avatar, Button, IconButton, Notice, Skeleton } from '../ui/basics.js';
import { Composer } from '../ui/composer.js';
import { editing, replying } from '../ui/compose_state.js';
import { ConnectionLine } from '../ui/connection_line.js';
import { Confirm, showDialog } from '../ui/dialog.js';
import { EditRoom, PickPeople } from '../ui/forms.js';
import { MenuButton } from '../ui/menu.js';
import { MessageList } from '../ui/message_list.js';
import { mayModerate } from '../ui/profile.js';
import { MemberPane, PinPane, usePeople } from '../ui/side_pane.js';
import { attempt, say } from '../ui/toast.js';

export function roomIcon(room) {
  if (room.archived) return 'archive';
  return { private: 'lock', announcement: 'megaphone', direct: 'message-circle', group: 'users' }[room.kind] ?? 'hash';
}

const narrow = matchMedia('(max-width: 1000px)');
/** Beside the room: members | pins | null. Kept from room to room; closed at first where there is no place for it. */
let lastPane = narrow.matches ? null : 'members';

function roomMenu(room, canModerate) {
  const counts = countsOf(room.id);
  const archive = () =>
    room.archived
      ? attempt(() => changeRoom(room.id, { archived: false }))
      : showDialog(Confirm, {
          title: `Archive #${room.name}?`,
          children: 'Everybody can still read it; nobody can write in it. It can be brought back.',
          action: 'Archive room',
          run: () => changeRoom(room.id, { archived: true }),
        });
  const add = () =>
    showDialog(PickPeople, {
      title: `Add people to ${roomName(room)}`,
      action: 'Add',
      onPicked: async (people) => {
        for (const user of people) await api.put(`/v1/rooms/${room.id}/members/${user.id}`);
        say('Added.');
      },
    });
  return [
    { icon: counts.muted ? 'bell' : 'bell-off', label: counts.muted ? 'Unmute' : 'Mute', run: () => attempt(() => muteRoom(room.id, !counts.muted)) },
    {
      icon: 'link',
      label: 'Copy link to room',
      run: () =>
        attempt(async () => {
          await navigator.clipboard.writeText(location.origin + roomPath(room));
          say('Link copied.');
        }),
    },
    (room.kind === 'group' || (room.kind === 'private' && canModerate)) && { icon: 'user-plus', label: 'Add people', run: add },
    canModerate && !isDirect(room) && { icon: 'pencil', label: 'Edit room', run: () => showDialog(EditRoom, { room }) },
    canModerate && !isDirect(room) && { icon: room.archived ? 'archive-restore' : 'archive', label: room.archived ? 'Bring back from the archive' : 'Archive room', run: archive },
  ];
}

function RoomHead({ room, pane, setPane, canModerate }) {
  const partner = isDirect(room) ? directPartner(room) : null;
  const here = presence.value.get(room.id)?.size ?? 0;
  const turn = (name) => setPane(pane === name ? null : name);
  return html`<header class="bar room-head">
    <span class="only-phone"><${IconButton} icon="arrow-left" label="Back" onClick=${() => goBack(isDirect(room) ? '/dm' : `/c/${room.community_id}`)} /></span>
    ${partner ? html`<${Avatar} id=${partner.id} name=${partner.display_name} size="small" status=${statusOf(partner.id)} />` : html`<span class="room-icon"><${Icon} name=${roomIcon(room)} /></span>`}
    <div class="room-title">
      <h1 class="ellipsis">${roomName(room)}</h1>
      ${room.topic && html`<p class="topic ellipsis" title=${room.topic}>${room.topic}</p>`}
    </div>
    <div class="room-tools">
      ${here > 0 && html`<span class="here-count count wide-only" title="People here now"><i class="dot" aria-hidden="true"></i>${here} here</span>`}
      <${IconButton} icon="pin" label="Pinned messages" pressed=${pane === 'pins'} onClick=${() => turn('pins')} />
      <${IconButton} icon="users" label="Members" pressed=${pane === 'members'} onClick=${() => turn('members')} />
      <${MenuButton} label="Room menu" actions=${roomMenu(room, canModerate)} />
    </div>
  </header>`;
}

function OpenRoom({ room, at }) {
  const log = useMemo(() => logOf(room.id), [room.id]);
  const [pane, setPaneState] = useState(lastPane);
  const members = usePeople(room);
  const canModerate = mayModerate(room);
  const setPane = (next) => {
    if (!narrow.matches) lastPane = next;
    setPaneState(next);
  };
  useEffect(() => {
    if (at !== null && !log.items.peek().some((message) => message.offset === at)) log.loadAround(at);
    else if (at === null && log.hasAfter.peek()) log.loadLatest();
  }, [at]);
  useEffect(() => {
    const stops = [log.open(), lookAt(room.id), watchTyping(room.id)];
    return () => {
      for (const stop of stops) stop();
      replying.value = null;
      editing.value = null;
    };
  }, [room.id]);
  const onSeek = (offset) => navigate(offset === null ? roomPath(room) : `${roomPath(room)}?at=${offset}`, { replace: offset === null });
  const gone = log.gone.value;
  return html`<div class=${pane ? 'room with-side' : 'room'}>
    <section class="room-main" aria-label=${roomName(room)}>
      <${RoomHead} room=${room} pane=${pane} setPane=${setPane} canModerate=${canModerate} />
      <${ConnectionLine} />
      ${gone
        ? html`<${Notice} icon="door-open" title="You can no longer read this room" role="alert" action=${html`<${Button} onClick=${() => navigate('/')}>Go to your communities<//>`}>You have left it, or were removed from it.<//>`
        : html`<${MessageList} log=${log} room=${room} canModerate=${canModerate} known=${members.people} at=${at} onSeek=${onSeek} />
            <${Composer} key=${room.id} room=${room} known=${members.people} />`}
    </section>
    ${pane === 'members' && html`<${MemberPane} room=${room} members=${members} onClose=${() => setPane(null)} />`}
    ${pane === 'pins' && html`<${PinPane} room=${room} onClose=${() => setPane(null)} onJump=${(offset) => {
      if (narrow.matches) setPane(null);
      onSeek(offset);
    }} />`}
  </div>`;
}

export function RoomView() {
  const { params, query } = route.value;
  const room = rooms.value.get(params.room);
  const [error, setError] = useState(null);
  const read = () => {
    setError(null);
    readRoom(params.room).catch(setError);
  };
  useEffect(read, [params.room]);
  if (!room?.kind) {
    return error
      ? html`<${Notice} icon="circle-alert" title="This room cannot be shown" role="alert" action=${html`<${Button} onClick=${read}>Try again<//>`}>${explain(error)}<//>`
      : html`<${Skeleton} rows=${7} kind="talk" />`;
  }
  const at = Number.parseInt(query.get('at') ?? '', 10);
  return html`<${OpenRoom} key=${room.id} room=${room} at=${Number.isFinite(at) ? at : null} />`;
}
