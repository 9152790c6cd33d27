/** Short words at the edge of the page: what was done, or what failed and what was kept. */
import { signal } from '@preact/signals';
import { explain } from '../api.js';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { IconButton } from './basics.js';

const SHOWN_MS = 5_000;
const MAX_SHOWN = 3;
const toasts = signal([]);
let next = 0;

function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function say(text, kind = 'good') {
  next += 1;
  const id = next;
  toasts.value = [...toasts.value.slice(1 - MAX_SHOWN), { id, text, kind }];
  setTimeout(dismiss, SHOWN_MS, id);
}

export function sayError(error) {
  say(explain(error), 'danger');
}

/** Runs something and says so when it fails. */
export async function attempt(work) {
  try {
    await work();
  } catch (error) {
    sayError(error);
  }
}

export function Toasts() {
  return html`<div class="toasts" role="status">
    ${toasts.value.map(
      ({ id, text, kind }) => html`<div class=${`toast ${kind}`} key=${id}>
        <${Icon} name=${kind === 'danger' ? 'circle-alert' : 'check'} size=${16} /><span>${text}</span>
        <${IconButton} icon="x" label="Dismiss" small onClick=${() => dismiss(id)} />
      </div>`,
    )}
  </div>`;
}
