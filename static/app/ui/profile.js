/** A person's card, and what can be done from it. */
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api.js';
import { html } from '../html.js';
import { navigate } from '../router.js';
import { communities, openDirect, person } from '../store/places.js';
import { statusOf } from '../store/people.js';
import { session } from '../store/session.js';
import { Avatar, Button } from './basics.js';
import { Confirm, Dialog, closeDialog, showDialog } from './dialog.js';
import { attempt, say } from './toast.js';

const RANK = { member: 0, moderator: 1, admin: 2, owner: 3 };

export function rankOf(role) {
  return RANK[role] ?? -1;
}

export function mayModerate(room) {
  if (room?.can_moderate !== undefined) return room.can_moderate;
  const community = communities.value.find((other) => other.id === room?.community_id);
  return rankOf(community?.role) >= RANK.moderator || ['moderator', 'tenant_admin'].includes(session.value?.user.role);
}

function Moderate({ user, room }) {
  const base = `/v1/communities/${room.community_id}/members/${user.id}`;
  const mute = (hours) =>
    attempt(async () => {
      await api.put(`${base}/mute`, { until: hours ? new Date(Date.now() + hours * 3_600_000).toISOString() : null });
      say(hours ? `${user.display_name} is muted for ${hours} h.` : `${user.display_name} may write again.`);
    });
  const remove = () =>
    showDialog(Confirm, {
      title: `Remove ${user.display_name} from the community?`,
      children: 'They lose access at once and may join again.',
      action: 'Remove member',
      danger: true,
      run: () => api.delete(base),
    });
  return html`<div class="actions start">
    <${Button} kind="quiet" onClick=${() => mute(1)}>Mute for 1 h<//>
    <${Button} kind="quiet" onClick=${() => mute(null)}>Unmute<//>
    <${Button} kind="quiet" onClick=${remove}>Remove…<//>
  </div>`;
}

function Profile({ user, room }) {
  const [full, setFull] = useState(user);
  useEffect(() => {
    api.get(`/v1/users/${user.id}`).then(
      (answer) => setFull({ ...user, ...person(answer) }),
      () => {},
    );
  }, []);
  const me = session.value.user.id === user.id;
  const write = () =>
    attempt(async () => {
      const direct = await openDirect([user.id]);
      closeDialog();
      navigate(`/dm/${direct.id}`);
    });
  const status = statusOf(user.id);
  return html`<${Dialog} title="Profile">
    <div class="profile">
      <${Avatar} id=${full.id} name=${full.display_name} size="huge" status=${status} />
      <div class="stack tight">
        <h3>${full.display_name}</h3>
        <p class="soft">@${full.handle} · ${status}</p>
        ${full.bio && html`<p>${full.bio}</p>`}
      </div>
    </div>
    <div class="actions start">
      ${me
        ? html`<${Button} icon="settings" onClick=${() => {
            closeDialog();
            navigate('/settings');
          }}>Edit profile<//>`
        : html`<${Button} kind="primary" icon="message-circle" onClick=${write}>Send a message<//>`}
    </div>
    ${!me && room?.community_id && mayModerate(room) && html`<${Moderate} user=${full} room=${room} />`}
  <//>`;
}

export function showProfile(user, room) {
  showDialog(Profile, { user, room });
}
