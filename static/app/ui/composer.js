/** Where messages are written. It never loses text: drafts are kept, and a refused message comes back into it. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { post, refusal } from '../store/outbox.js';
import { sayTyping, typing, typingDone } from '../store/people.js';
import { isDirect, roomName } from '../store/places.js';
import { session } from '../store/session.js';
import { logOf } from '../store/messages.js';
import { plain } from '../text/markdown.js';
import { Callout, IconButton } from './basics.js';
import { draftOf, editing, keepDraft, replying } from './compose_state.js';
import { EmojiPicker } from './emoji_picker.js';
import { MAX_TEXT, TextArea } from './text_area.js';

function names(people) {
  const all = people.map((one) => one.display_name);
  if (all.length === 1) return `${all[0]} is typing`;
  if (all.length === 2) return `${all[0]} and ${all[1]} are typing`;
  return `${all.length} people are typing`;
}

export function TypingLine({ roomId }) {
  const people = [...(typing.value.get(roomId)?.values() ?? [])];
  return html`<div class="typing" role="status" aria-label="Typing">
    ${people.length > 0 && html`<span class="typing-dots" aria-hidden="true"><i></i><i></i><i></i></span><span class="ellipsis">${names(people)}</span>`}
  </div>`;
}

/** Why it cannot be sent now, counting down where time will heal it. */
function RefusalNotice({ refused, slowModeSeconds }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const wait = refused.until === null ? null : Math.ceil((refused.until - now) / 1000);
  if (wait !== null && wait <= 0) {
    return html`<${Callout} icon="check" role="status">You can send it now. Your text is still here.<//>`;
  }
  if (wait !== null) {
    const why = slowModeSeconds > 0 ? 'Slow mode is on here' : 'That was very quick';
    return html`<${Callout} kind="wait" icon="timer" role="status">${why}. Your text is kept; you can send it in <span class="count">${wait}</span> s.<//>`;
  }
  return html`<${Callout} kind="danger" icon="circle-alert" role="alert">${refused.message} Your text is kept.<//>`;
}

function ReplyBar({ message, onCancel }) {
  return html`<div class="reply-bar">
    <${Icon} name="reply" size=${15} />
    <span class="ellipsis">Replying to <b>${message.author.display_name}</b> <span class="faint">${plain(message.text, 90)}</span></span>
    <${IconButton} icon="x" label="Cancel reply" small onClick=${onCancel} />
  </div>`;
}

function useText(roomId, areaRef) {
  const [text, setText] = useState(() => draftOf(roomId));
  const keep = (next) => {
    setText(next);
    keepDraft(roomId, next);
  };
  // A refusal gives the text back, before anything that was begun meanwhile.
  useLayoutEffect(() => {
    const refused = refusal.value;
    if (refused?.room_id !== roomId || refused.taken) return;
    const begun = areaRef.current?.value ?? '';
    keep(begun ? `${refused.text}\n${begun}` : refused.text);
    refusal.value = { ...refused, taken: true };
  }, [refusal.value]);
  return [text, keep];
}

function closedReason(room) {
  if (room.archived) return 'This room is archived. You can read it, but not write in it.';
  if (room.can_post === false) return room.kind === 'announcement' ? 'Only a few people write in this room. You can read and react.' : 'You cannot write in this room.';
  return null;
}

export function Composer({ room, known }) {
  const areaRef = useRef(null);
  const emojiRef = useRef(null);
  const [picking, setPicking] = useState(false);
  const [text, setText] = useText(room.id, areaRef);
  const reply = replying.value?.roomId === room.id ? replying.value.message : null;
  const refused = refusal.value?.room_id === room.id ? refusal.value : null;
  const closed = closedReason(room);
  const target = isDirect(room) ? roomName(room) : `#${room.name}`;
  useLayoutEffect(() => {
    if (matchMedia('(hover: hover)').matches) areaRef.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    if (reply) areaRef.current?.focus();
  }, [reply]);
  if (closed) return html`<div class="composer closed"><${Icon} name=${room.archived ? 'archive' : 'lock'} size=${16} /><p>${closed}</p></div>`;

  const trimmed = text.trim();
  const sendable = trimmed !== '' && [...trimmed].length <= MAX_TEXT;
  const send = () => {
    if (!sendable) return;
    post(room.id, trimmed, reply && { id: reply.id, offset: reply.offset, author: reply.author, excerpt: plain(reply.text) });
    setText('');
    replying.value = null;
    refusal.value = null;
    typingDone();
    areaRef.current.focus();
  };
  const onText = (next) => {
    setText(next);
    if (next.trim()) sayTyping(room.id);
  };
  const onKey = (event) => {
    if (event.key === 'Escape' && reply) replying.value = null;
    if (event.key !== 'ArrowUp' || text !== '') return;
    const mine = logOf(room.id).items.value.findLast((message) => message.author.id === session.value.user.id && !message.deleted_at);
    if (!mine) return;
    event.preventDefault();
    editing.value = mine.id;
  };
  const insert = (emoji) => {
    const area = areaRef.current;
    const at = area.selectionStart ?? text.length;
    setText(text.slice(0, at) + emoji + text.slice(area.selectionEnd ?? at));
    requestAnimationFrame(() => {
      area.focus();
      area.setSelectionRange(at + emoji.length, at + emoji.length);
    });
  };
  return html`<div class="composer-zone">
    ${refused && html`<${RefusalNotice} refused=${refused} slowModeSeconds=${room.slow_mode_s} />`}
    <form
      class="composer"
      aria-label="Write a message"
      onSubmit=${(event) => {
        event.preventDefault();
        send();
      }}
    >
      ${reply && html`<${ReplyBar} message=${reply} onCancel=${() => (replying.value = null)} />`}
      <div class="composer-row">
        <${TextArea} areaRef=${areaRef} label=${`Message ${target}`} placeholder=${`Message ${target}`} text=${text} onText=${onText} onSend=${send} onKey=${onKey} known=${known} />
        <${IconButton} icon="smile-plus" label="Insert an emoji" buttonRef=${emojiRef} expanded=${picking} onClick=${() => setPicking(!picking)} />
        <button type="submit" class="send" aria-label="Send message" title="Send message" disabled=${!sendable}><${Icon} name="arrow-up" /></button>
      </div>
    </form>
    ${picking && html`<${EmojiPicker} anchor=${emojiRef.current} above onPick=${insert} onClose=${() => setPicking(false)} />`}
    <div class="composer-foot">
      <${TypingLine} roomId=${room.id} />
      ${room.slow_mode_s > 0 && html`<span class="faint slow"><${Icon} name="timer" size=${13} />Slow mode: a message every ${room.slow_mode_s} s</span>`}
    </div>
  </div>`;
}
