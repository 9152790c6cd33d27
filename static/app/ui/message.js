/** One message: its author, text, answers, reactions, and what can be done with it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api.js';
import { classes, html } from '../html.js';
import { Icon } from '../icons.js';
import { deleteMessage, editMessage, toggleReaction, togglePin } from '../store/messages.js';
import { statusOf } from '../store/people.js';
import { roomPath } from '../store/places.js';
import { session } from '../store/session.js';
import { isEmojiOnly, markdown, plain } from '../text/markdown.js';
import { clockTime, exactTime } from '../text/time.js';
import { Avatar, Button, IconButton, Time } from './basics.js';
import { editing, replying } from './compose_state.js';
import { Confirm, Dialog, closeDialog, showDialog } from './dialog.js';
import { EmojiPicker, QUICK } from './emoji_picker.js';
import { MenuButton, MenuItems } from './menu.js';
import { showProfile } from './profile.js';
import { MAX_TEXT, TextArea } from './text_area.js';
import { attempt, say } from './toast.js';

const LONG_PRESS_MS = 450;

function react(message, emoji) {
  attempt(() => toggleReaction(message, emoji));
}

async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    say(said);
  } catch {
    say('The browser did not allow copying.', 'danger');
  }
}

function askDelete(message, mine) {
  showDialog(Confirm, {
    title: mine ? 'Delete this message?' : 'Remove this message?',
    children: mine ? 'Its text disappears for everyone. A one-line trace stays.' : 'Its text disappears for everyone. The trace says that a moderator removed it, and why.',
    action: mine ? 'Delete message' : 'Remove message',
    reasonLabel: mine ? undefined : 'Reason',
    danger: true,
    run: (reason) => deleteMessage(message, reason),
  });
}

function EditHistory({ message }) {
  const [edits, setEdits] = useState(null);
  useEffect(() => {
    api.get(`/v1/rooms/${message.room_id}/messages/${message.id}/edits`).then(
      ({ items }) => setEdits(items),
      () => setEdits([]),
    );
  }, []);
  return html`<${Dialog} title="Edits of this message">
    <ol class="edits">
      ${edits?.map((edit) => html`<li key=${edit.at}><${Time} at=${edit.at}>${exactTime(edit.at)}<//><div class="prose">${markdown(edit.text)}</div></li>`)}
      ${edits?.length === 0 && html`<li class="soft">Earlier versions are not available.</li>`}
    </ol>
  <//>`;
}

/** Everything that can be done with a message by this reader. */
function actionsFor(message, room, mine, canModerate) {
  return [
    room.can_post !== false && !room.archived && { icon: 'reply', label: 'Reply', run: () => (replying.value = { roomId: room.id, message }) },
    mine && { icon: 'pencil', label: 'Edit message', run: () => (editing.value = message.id) },
    { icon: 'copy', label: 'Copy text', run: () => copy(message.text, 'Text copied.') },
    { icon: 'link', label: 'Copy link', run: () => copy(`${location.origin}${roomPath(room)}?at=${message.offset}`, 'Link copied.') },
    (canModerate || room.kind === 'direct' || room.kind === 'group') && {
      icon: message.pinned_at ? 'pin-off' : 'pin',
      label: message.pinned_at ? 'Unpin' : 'Pin to room',
      run: () => attempt(() => togglePin(message)),
    },
    message.edited_at && { icon: 'history', label: 'See edits', run: () => showDialog(EditHistory, { message }) },
    (mine || canModerate) && { icon: 'trash-2', label: mine ? 'Delete message' : 'Remove message', danger: true, run: () => askDelete(message, mine) },
  ].filter(Boolean);
}

/** The same actions as a sheet, for fingers. */
function MessageSheet({ message, actions }) {
  return html`<${Dialog} title=${`Message from ${message.author.display_name}`} sheet>
    <div class="quick-row">
      ${QUICK.map((emoji) => html`<button
        type="button"
        key=${emoji}
        aria-label=${`React with ${emoji}`}
        onClick=${() => {
          closeDialog();
          react(message, emoji);
        }}
      >${emoji}</button>`)}
    </div>
    <div class="sheet-actions" role="menu"><${MenuItems} actions=${actions} onDone=${closeDialog} /></div>
  <//>`;
}

function Tools({ message, actions }) {
  const ref = useRef(null);
  const [picking, setPicking] = useState(false);
  const [menu, setMenu] = useState(false);
  const direct = actions.filter(({ label }) => label === 'Reply' || label === 'Edit message');
  return html`<div class=${classes('tools', (picking || menu) && 'held')} role="group" aria-label="Message actions">
    <${IconButton} icon="smile-plus" label="Add reaction" small buttonRef=${ref} expanded=${picking} onClick=${() => setPicking(!picking)} />
    ${direct.map(({ icon, label, run }) => html`<${IconButton} key=${label} icon=${icon} label=${label} small onClick=${run} />`)}
    <${MenuButton} label="More actions" small actions=${actions.filter((action) => !direct.includes(action))} onOpenChange=${setMenu} />
    ${picking && html`<${EmojiPicker} anchor=${ref.current} onPick=${(emoji) => react(message, emoji)} onClose=${() => setPicking(false)} />`}
  </div>`;
}

function Reactions({ message }) {
  if (!message.reactions.length) return null;
  return html`<div class="reactions" role="group" aria-label="Reactions">
    ${message.reactions.map(
      ({ emoji, count, me }) => html`<button
        type="button"
        key=${emoji}
        class=${classes('reaction', me && 'mine')}
        aria-pressed=${me}
        aria-label=${`${emoji}, ${count} ${count === 1 ? 'reaction' : 'reactions'}${me ? ', with yours' : ''}`}
        onClick=${() => react(message, emoji)}
      >
        <span aria-hidden="true">${emoji}</span><span class="count" aria-hidden="true">${count}</span>
      </button>`,
    )}
  </div>`;
}

function ReplyTo({ reply, onJump }) {
  return html`<button type="button" class="reply-to" onClick=${() => onJump(reply)} aria-label=${`In reply to ${reply.author?.display_name ?? 'a message'}; go to it`}>
    <${Icon} name="reply" size=${13} />
    <b>${reply.author?.display_name}</b>
    <span class="ellipsis">${reply.excerpt ? plain(reply.excerpt) : reply.excerpt === undefined ? '…' : 'This message was deleted.'}</span>
  </button>`;
}

function EditBox({ message, known }) {
  const areaRef = useRef(null);
  const [text, setText] = useState(message.text);
  const close = () => {
    editing.value = null;
    document.querySelector('.composer textarea')?.focus();
  };
  const save = () => {
    const next = text.trim();
    if (!next || [...next].length > MAX_TEXT) return;
    if (next === message.text) {
      close();
      return;
    }
    attempt(async () => {
      await editMessage(message, next);
      close();
    });
  };
  useEffect(() => {
    const area = areaRef.current;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  }, []);
  return html`<div class="edit-box">
    <div class="composer"><${TextArea} areaRef=${areaRef} label="Edit message" text=${text} onText=${setText} onSend=${save} onKey=${(event) => event.key === 'Escape' && close()} known=${known} /></div>
    <div class="edit-actions">
      <span class="hint">Enter saves, Escape cancels.</span>
      <${Button} kind="quiet" onClick=${close}>Cancel<//><${Button} kind="primary" onClick=${save}>Save<//>
    </div>
  </div>`;
}

export function Prose({ text }) {
  return html`<div class=${classes('prose', isEmojiOnly(text) && 'emoji-only')}>${markdown(text, { handle: session.value?.user.handle })}</div>`;
}

function traceOf(message) {
  if (!message.deletion?.by_moderator) return 'Message deleted';
  return message.deletion.reason ? `Removed by a moderator: ${message.deletion.reason}` : 'Removed by a moderator';
}

function useLongPress(run) {
  const timer = useRef(null);
  const cancel = () => clearTimeout(timer.current);
  return {
    onTouchStart: (event) => {
      if (event.target.closest('a, button, textarea')) return;
      timer.current = setTimeout(() => {
        navigator.vibrate?.(8);
        run();
      }, LONG_PRESS_MS);
    },
    onTouchMove: cancel,
    onTouchEnd: cancel,
    onTouchCancel: cancel,
  };
}

export function Message({ message, compact, room, flash, canModerate, known, onJump }) {
  const me = session.value.user;
  const mine = message.author.id === me.id;
  const actions = actionsFor(message, room, mine, canModerate);
  const press = useLongPress(() => showDialog(MessageSheet, { message, actions }));
  const { author } = message;
  if (message.deleted_at) {
    return html`<article class="message trace" data-id=${message.id} tabindex="-1" aria-label=${`Message from ${author.display_name}`}>
      <span class="gutter"><${Icon} name="trash-2" size=${14} /></span>
      <p><b>${author.display_name}</b> · ${traceOf(message)} · <${Time} at=${message.at}>${clockTime(message.at)}<//></p>
    </article>`;
  }
  const aboutMe = !mine && message.mentions?.includes(me.id);
  return html`<article
    class=${classes('message', compact && 'compact', aboutMe && 'about-me', flash && 'flash')}
    data-id=${message.id}
    tabindex="-1"
    aria-label=${`${author.display_name}, ${clockTime(message.at)}`}
    ...${press}
  >
    <span class="gutter">
      ${compact
        ? html`<${Time} at=${message.at}>${clockTime(message.at)}<//>`
        : html`<button type="button" class="avatar-button" aria-label=${`Profile of ${author.display_name}`} onClick=${() => showProfile(author, room)}>
            <${Avatar} id=${author.id} name=${author.display_name} status=${statusOf(author.id)} />
          </button>`}
    </span>
    <div class="message-body">
      ${message.reply_to && html`<${ReplyTo} reply=${message.reply_to} onJump=${onJump} />`}
      ${!compact &&
      html`<header class="message-head">
        <button type="button" class="author ellipsis" onClick=${() => showProfile(author, room)}>${author.display_name}</button>
        <${Time} at=${message.at}>${clockTime(message.at)}<//>
        ${message.pinned_at && html`<span class="pinned"><${Icon} name="pin" size=${12} />Pinned</span>`}
      </header>`}
      ${editing.value === message.id
        ? html`<${EditBox} message=${message} known=${known} />`
        : html`<${Prose} text=${message.text} />
            ${message.edited_at && html`<button type="button" class="edited" title=${exactTime(message.edited_at)} onClick=${() => showDialog(EditHistory, { message })}>(edited)</button>`}`}
      <${Reactions} message=${message} />
    </div>
    ${editing.value !== message.id && html`<${Tools} message=${message} actions=${actions} />`}
  </article>`;
}

/** A message that is not stored yet: dimmed while it is on its way, red when it was refused. */
export function PendingMessage({ entry, compact, onRetry, onDiscard }) {
  const me = session.value.user;
  const failed = entry.state === 'failed';
  return html`<article class=${classes('message pending', compact && 'compact', failed && 'failed')} data-id=${entry.client_id} tabindex="-1" aria-label=${`${me.display_name}, ${failed ? 'not sent' : 'being sent'}`}>
    <span class="gutter">
      ${compact ? html`<${Icon} name=${failed ? 'circle-alert' : 'clock'} size=${13} />` : html`<${Avatar} id=${me.id} name=${me.display_name} />`}
    </span>
    <div class="message-body">
      ${entry.reply_to && html`<div class="reply-to"><${Icon} name="reply" size=${13} /><b>${entry.reply_to.author?.display_name}</b><span class="ellipsis">${entry.reply_to.excerpt}</span></div>`}
      ${!compact && html`<header class="message-head"><span class="author ellipsis">${me.display_name}</span><${Time} at=${entry.at}>${clockTime(entry.at)}<//></header>`}
      <${Prose} text=${entry.text} />
      ${failed &&
      html`<p class="send-error" role="alert">
        <${Icon} name="circle-alert" size=${14} /><span>Not sent. ${entry.error}</span>
        <button type="button" class="link" onClick=${onRetry}>Retry</button>
        <button type="button" class="link" onClick=${onDiscard}>Discard</button>
      </p>`}
    </div>
  </article>`;
}
