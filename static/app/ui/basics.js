/** Small parts that every screen uses. They hold no state of the application. */
import { useEffect, useId, useState } from 'preact/hooks';
import { html, classes } from '../html.js';
import { Icon } from '../icons.js';
import { exactTime } from '../text/time.js';

/** A button that is an icon; its label is its name and its tooltip. */
export function IconButton({ icon, label, onClick, pressed, expanded, disabled, danger, small, buttonRef, ...rest }) {
  return html`<button
    type="button"
    class=${classes('icon-button', danger && 'danger', small && 'small')}
    ref=${buttonRef}
    aria-label=${label}
    title=${label}
    aria-pressed=${pressed}
    aria-expanded=${expanded}
    disabled=${disabled}
    onClick=${onClick}
    ...${rest}
  >
    <${Icon} name=${icon} />
  </button>`;
}

/** `kind`: primary | plain | quiet | danger. While `busy` it keeps its width and its focus, and does nothing. */
export function Button({ kind = 'plain', type = 'button', icon, busy, disabled, onClick, children, ...rest }) {
  return html`<button
    type=${type}
    class=${`button ${kind}`}
    disabled=${disabled}
    aria-disabled=${busy ? 'true' : undefined}
    aria-busy=${busy ? 'true' : undefined}
    onClick=${busy ? (event) => event.preventDefault() : onClick}
    ...${rest}
  >
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </button>`;
}

/** A labelled field with its hint and its error, which are tied to it for those who do not see them. */
export function Field({ label, hint, error, optional, multiline, inputRef, ...input }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
  const shared = { id, class: 'input', 'aria-describedby': described || undefined, 'aria-invalid': error ? 'true' : undefined, ref: inputRef, ...input };
  return html`<div class="field">
    <label for=${id}>${label}${optional && html` <span class="faint">(optional)</span>`}</label>
    ${multiline ? html`<textarea rows="3" ...${shared}></textarea>` : html`<input ...${shared} />`}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="field-error" id=${`${id}-error`}><${Icon} name="circle-alert" size=${14} />${error}</p>`}
  </div>`;
}

export function PasswordField({ label = 'Password', ...rest }) {
  const [shown, setShown] = useState(false);
  return html`<div class="password">
    <${Field} label=${label} type=${shown ? 'text' : 'password'} autocapitalize="off" spellcheck=${false} ...${rest} />
    <${IconButton} icon=${shown ? 'eye-off' : 'eye'} label=${shown ? 'Hide password' : 'Show password'} onClick=${() => setShown(!shown)} />
  </div>`;
}

function tintOf(id) {
  let sum = 0;
  for (const letter of id ?? '') sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return sum % 8;
}

function initials(name) {
  const words = (name ?? '').trim().split(/\s+/);
  const first = [...(words[0] ?? '')][0] ?? '?';
  const last = words.length > 1 ? ([...words.at(-1)][0] ?? '') : '';
  return (first + last).toUpperCase();
}

const STATUS_WORDS = { online: 'online', away: 'away', offline: 'offline' };

/** A person's mark. Status is a dot with a shape of its own (full, ring, none) and a word, never colour alone. */
export function Avatar({ id, name, size = 'medium', status, square }) {
  return html`<span class=${classes('avatar', size, square && 'square', `tint-${tintOf(id)}`)}>
    <span aria-hidden="true">${initials(name)}</span>
    ${status && status !== 'offline' && html`<span class=${`status ${status}`} role="img" aria-label=${STATUS_WORDS[status]}></span>`}
  </span>`;
}

/** A number that wants attention. `what` says of what, for those who only hear it. */
export function Badge({ count, what, quiet }) {
  if (!count) return null;
  return html`<span class=${classes('badge count', quiet && 'quiet')}>
    <span aria-hidden="true">${count > 99 ? '99+' : count}</span><span class="unseen">${count} ${what}</span>
  </span>`;
}

export function Time({ at, children }) {
  return html`<time datetime=${at} title=${exactTime(at)}>${children}</time>`;
}

/** Shows its children only when waiting has become noticeable. */
export function AfterPause({ ms = 150, children }) {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    const timer = setTimeout(setWaited, ms, true);
    return () => clearTimeout(timer);
  }, []);
  return waited ? children : null;
}

export function Skeleton({ rows = 5, kind = 'row' }) {
  return html`<${AfterPause}>
    <div class="skeletons" role="status"><span class="unseen">Loading</span>
      ${Array.from({ length: rows }, (_, index) => html`<div class=${`skeleton ${kind} s${index % 4}`} key=${index} aria-hidden="true"><i></i><b></b><u></u></div>`)}
    </div>
  <//>`;
}

/** Nothing here, or something went wrong: what it means and what to do next. */
export function Notice({ icon, title, children, action, role }) {
  return html`<div class="notice" role=${role}>
    <span class="notice-icon"><${Icon} name=${icon} size=${26} /></span>
    <h2>${title}</h2>
    ${children && html`<p>${children}</p>`}
    ${action && html`<div class="notice-action">${action}</div>`}
  </div>`;
}

export function Callout({ kind = 'info', icon = 'info', children, role }) {
  return html`<div class=${`callout ${kind}`} role=${role}><${Icon} name=${icon} size=${16} /><div>${children}</div></div>`;
}

/** Three arches over water: the bridge. */
export function Mark({ size = 32 }) {
  return html`<svg class="mark" width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true">
    <rect class="mark-ground" width="32" height="32" rx="7" />
    <path class="mark-line" d="M5 23h22M7 23c0-6.500 4-11 9-11s9 4.500 9 11M12 23c0-3 1.700-5 4-5s4 2 4 5M6.500 14.500 16 8l9.500 6.500" />
  </svg>`;
}
