/** The dialogs that make and change places. */
import { useEffect, useState } from 'preact/hooks';
import { api, readAll } from '../api.js';
import { html } from '../html.js';
import { navigate } from '../router.js';
import { changeRoom, createCommunity, createRoom, joinCommunity, keepCommunity, openDirect, person, roomPath } from '../store/places.js';
import { exactTime } from '../text/time.js';
import { Avatar, Button, Callout, Field, IconButton, Notice, Skeleton } from './basics.js';
import { Dialog, FormError, closeDialog, useForm } from './dialog.js';
import { attempt, say } from './toast.js';

/** One of a few, each with what it means. */
function Choice({ legend, name, value, options, onChange }) {
  return html`<fieldset class="choice">
    <legend>${legend}</legend>
    ${options.map(
      ([key, label, meaning]) => html`<label key=${key} class="choice-option">
        <input type="radio" name=${name} value=${key} checked=${value === key} onChange=${() => onChange(key)} />
        <span><b>${label}</b><span class="hint">${meaning}</span></span>
      </label>`,
    )}
  </fieldset>`;
}

function Actions({ busy, action, kind = 'primary' }) {
  return html`<div class="actions"><${Button} onClick=${closeDialog}>Cancel<//><${Button} kind=${kind} type="submit" busy=${busy}>${action}<//></div>`;
}

export function NewCommunity() {
  const [fields, setFields] = useState({ name: '', description: '', join_policy: 'open', guidelines: '' });
  const set = (name) => (event) => setFields({ ...fields, [name]: event.target.value });
  const form = useForm(async () => {
    const community = await createCommunity({
      name: fields.name.trim(),
      join_policy: fields.join_policy,
      description: fields.description.trim() || undefined,
      guidelines: fields.guidelines.trim() || undefined,
    });
    closeDialog();
    navigate(`/c/${community.id}`);
  });
  return html`<${Dialog} title="Create a community">
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="Name" required maxlength="80" autofocus value=${fields.name} onInput=${set('name')} error=${form.fieldError('name')} />
      <${Field} label="What it is about" optional multiline maxlength="1000" value=${fields.description} onInput=${set('description')} error=${form.fieldError('description')} />
      <${Choice}
        legend="Who may join"
        name="join_policy"
        value=${fields.join_policy}
        onChange=${(join_policy) => setFields({ ...fields, join_policy })}
        options=${[
          ['open', 'Everybody', 'Anyone here finds it and joins.'],
          ['request', 'On request', 'Anyone finds it; you approve who joins.'],
          ['invite', 'By invitation', 'Only those with an invite link find it.'],
        ]}
      />
      <${Field} label="Guidelines to accept" optional multiline maxlength="8000" hint="Shown before joining. Keep it short." value=${fields.guidelines} onInput=${set('guidelines')} error=${form.fieldError('guidelines')} />
      <${FormError}>${form.formError(['name', 'description', 'guidelines'])}<//>
      <${Actions} busy=${form.busy} action="Create community" />
    </form>
  <//>`;
}

export function JoinDialog({ community, invite }) {
  const [accepted, setAccepted] = useState(false);
  const [note, setNote] = useState('');
  const [asked, setAsked] = useState(false);
  const byRequest = community.join_policy === 'request' && !invite;
  const form = useForm(async () => {
    const answer = await joinCommunity(community.id, {
      invite,
      accept_guidelines: community.guidelines ? accepted : undefined,
      note: note.trim() || undefined,
    });
    if (answer.status === 'requested') {
      keepCommunity({ ...answer.community, requested: true });
      setAsked(true);
      return;
    }
    closeDialog();
    navigate(`/c/${community.id}`);
  });
  if (asked) {
    return html`<${Dialog} title="Request sent">
      <div class="stack">
        <p>The people who run <b>${community.name}</b> will see your request. The community appears in your list once they approve it.</p>
        <div class="actions"><${Button} kind="primary" onClick=${closeDialog}>Done<//></div>
      </div>
    <//>`;
  }
  return html`<${Dialog} title=${`Join ${community.name}`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      ${community.guidelines
        ? html`<div class="guidelines" tabindex="0">${community.guidelines}</div>
            <label class="check"><input type="checkbox" required checked=${accepted} onChange=${(event) => setAccepted(event.target.checked)} /><span>I have read the guidelines and will keep to them</span></label>`
        : html`<p class="soft">${community.description || 'You can leave again at any time.'}</p>`}
      ${byRequest && html`<${Field} label="A word to those who decide" optional maxlength="500" value=${note} onInput=${(event) => setNote(event.target.value)} />`}
      <${FormError}>${form.formError()}<//>
      <${Actions} busy=${form.busy} action=${byRequest ? 'Ask to join' : 'Join'} />
    </form>
  <//>`;
}

export function NewRoom({ communityId }) {
  const [fields, setFields] = useState({ name: '', topic: '', kind: 'public' });
  const form = useForm(async () => {
    const room = await createRoom(communityId, { name: fields.name.trim(), kind: fields.kind, topic: fields.topic.trim() || undefined });
    closeDialog();
    navigate(roomPath(room));
  });
  return html`<${Dialog} title="Create a room">
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="Name" required maxlength="80" autofocus placeholder="kitchen-garden" value=${fields.name} onInput=${(event) => setFields({ ...fields, name: event.target.value })} error=${form.fieldError('name')} />
      <${Field} label="Topic" optional maxlength="500" value=${fields.topic} onInput=${(event) => setFields({ ...fields, topic: event.target.value })} error=${form.fieldError('topic')} />
      <${Choice}
        legend="Kind"
        name="kind"
        value=${fields.kind}
        onChange=${(kind) => setFields({ ...fields, kind })}
        options=${[
          ['public', 'Public', 'Every member reads and writes.'],
          ['private', 'Private', 'Only people who are added.'],
          ['announcement', 'Announcements', 'Every member reads, few write.'],
        ]}
      />
      <${FormError}>${form.formError(['name', 'topic'])}<//>
      <${Actions} busy=${form.busy} action="Create room" />
    </form>
  <//>`;
}

const SLOW_CHOICES = [0, 5, 15, 30, 60, 300];

export function EditRoom({ room }) {
  const [fields, setFields] = useState({ name: room.name, topic: room.topic ?? '', slow_mode_s: room.slow_mode_s ?? 0 });
  const form = useForm(async () => {
    await changeRoom(room.id, { name: fields.name.trim(), topic: fields.topic.trim(), slow_mode_s: Number(fields.slow_mode_s) });
    closeDialog();
  });
  return html`<${Dialog} title="Edit room">
    <form class="stack" onSubmit=${form.onSubmit}>
      <${Field} label="Name" required maxlength="80" value=${fields.name} onInput=${(event) => setFields({ ...fields, name: event.target.value })} error=${form.fieldError('name')} />
      <${Field} label="Topic" optional maxlength="500" value=${fields.topic} onInput=${(event) => setFields({ ...fields, topic: event.target.value })} error=${form.fieldError('topic')} />
      <label class="field"><span class="label">Slow mode</span>
        <select class="input" value=${fields.slow_mode_s} onChange=${(event) => setFields({ ...fields, slow_mode_s: event.target.value })}>
          ${SLOW_CHOICES.map((seconds) => html`<option key=${seconds} value=${seconds}>${seconds === 0 ? 'Off' : seconds < 60 ? `A message every ${seconds} s` : `A message every ${seconds / 60} min`}</option>`)}
        </select></label>
      <${FormError}>${form.formError(['name', 'topic'])}<//>
      <${Actions} busy=${form.busy} action="Save" />
    </form>
  <//>`;
}

export function InvitePeople({ community }) {
  const [link, setLink] = useState(null);
  const [fields, setFields] = useState({ days: '7', uses: '' });
  const form = useForm(async () => {
    const invite = await api.post(`/v1/communities/${community.id}/invites`, {
      expires_in_s: fields.days ? Number(fields.days) * 86_400 : undefined,
      max_uses: fields.uses ? Number(fields.uses) : undefined,
    });
    setLink({ ...invite, url: `${location.origin}/invite/${invite.code}` });
  });
  const copy = () =>
    attempt(async () => {
      await navigator.clipboard.writeText(link.url);
      say('Invite link copied.');
    });
  return html`<${Dialog} title=${`Invite people to ${community.name}`}>
    <form class="stack" onSubmit=${form.onSubmit}>
      ${link
        ? html`<div class="copy-row"><input class="input" readonly aria-label="Invite link" value=${link.url} onFocus=${(event) => event.target.select()} />
              <${Button} kind="primary" icon="copy" onClick=${copy}>Copy<//></div>
            <p class="hint">${link.expires_at ? `Works until ${exactTime(link.expires_at)}` : 'Does not expire'}${link.max_uses ? `, for ${link.max_uses} ${link.max_uses === 1 ? 'person' : 'people'}` : ''}.</p>
            <div class="actions"><${Button} onClick=${closeDialog}>Done<//></div>`
        : html`<label class="field"><span class="label">Valid for</span>
              <select class="input" value=${fields.days} onChange=${(event) => setFields({ ...fields, days: event.target.value })}>
                <option value="1">1 day</option><option value="7">7 days</option><option value="30">30 days</option><option value="">No end</option>
              </select></label>
            <${Field} label="How many people" optional type="number" min="1" max="10000" placeholder="No limit" value=${fields.uses} onInput=${(event) => setFields({ ...fields, uses: event.target.value })} error=${form.fieldError('max_uses')} />
            <${FormError}>${form.formError(['max_uses'])}<//>
            <${Actions} busy=${form.busy} action="Create invite link" />`}
    </form>
  <//>`;
}

/** Who asks to join. */
export function Requests({ community }) {
  const [items, setItems] = useState(null);
  useEffect(() => {
    readAll(`/v1/communities/${community.id}/requests`).then(
      (all) => setItems(all.map(person)),
      () => setItems([]),
    );
  }, []);
  const decide = (user, approve) =>
    attempt(async () => {
      await api.post(`/v1/communities/${community.id}/requests/${user.id}`, { approve });
      setItems((before) => before.filter((other) => other.id !== user.id));
    });
  return html`<${Dialog} title="Requests to join">
    ${items === null && html`<${Skeleton} rows=${3} />`}
    ${items?.length === 0 && html`<${Notice} icon="inbox" title="Nobody is waiting" />`}
    <ul class="stack">
      ${items?.map(
        (user) => html`<li key=${user.id} class="request">
          <${Avatar} id=${user.id} name=${user.display_name} />
          <div class="grow"><b>${user.display_name}</b>${user.note && html`<p class="soft">${user.note}</p>`}</div>
          <${Button} onClick=${() => decide(user, false)}>Decline<//><${Button} kind="primary" onClick=${() => decide(user, true)}>Approve<//>
        </li>`,
      )}
    </ul>
  <//>`;
}

const MAX_OTHERS = 9;

/** Finds one person, or a few, to write to. `onPicked` adds to a room instead of starting a conversation. */
export function PickPeople({ title = 'New conversation', action = 'Start', onPicked }) {
  const [query, setQuery] = useState('');
  const [found, setFound] = useState(null);
  const [picked, setPicked] = useState([]);
  useEffect(() => {
    let current = true;
    const timer = setTimeout(
      () =>
        api.get('/v1/users', { q: query.trim(), limit: 12 }).then(
          ({ items }) => current && setFound(items.map(person)),
          () => current && setFound([]),
        ),
      150,
    );
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [query]);
  const turn = (user) => setPicked((before) => (before.some(({ id }) => id === user.id) ? before.filter(({ id }) => id !== user.id) : [...before, user].slice(0, MAX_OTHERS)));
  const form = useForm(async () => {
    if (!picked.length) return;
    if (onPicked) {
      await onPicked(picked);
      closeDialog();
      return;
    }
    const room = await openDirect(picked.map(({ id }) => id));
    closeDialog();
    navigate(`/dm/${room.id}`);
  });
  return html`<${Dialog} title=${title}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <div class="chips">
        ${picked.map((user) => html`<span class="chip" key=${user.id}>${user.display_name}<${IconButton} icon="x" small label=${`Remove ${user.display_name}`} onClick=${() => turn(user)} /></span>`)}
      </div>
      <${Field} label="Find people" type="search" autofocus placeholder="Name or handle" value=${query} onInput=${(event) => setQuery(event.target.value)} />
      <ul class="people-found" aria-label="People found">
        ${found?.map((user) => {
          const chosen = picked.some(({ id }) => id === user.id);
          return html`<li key=${user.id}><button type="button" class="person" aria-pressed=${chosen} onClick=${() => turn(user)}>
            <${Avatar} id=${user.id} name=${user.display_name} size="small" /><span class="ellipsis">${user.display_name}</span><span class="faint ellipsis">@${user.handle}</span>
          </button></li>`;
        })}
        ${found?.length === 0 && html`<li class="hint">${query ? 'Nobody has that name.' : 'Type a name to find people.'}</li>`}
      </ul>
      <${Callout}>Up to ${MAX_OTHERS} others. Only the people in a conversation can read it.<//>
      <${FormError}>${form.formError()}<//>
      <div class="actions"><${Button} onClick=${closeDialog}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy} disabled=${!picked.length}>${action}<//></div>
    </form>
  <//>`;
}
