/** Dialogs and menus, on the browser's own <dialog> and popover geometry: focus trap, Escape and inertness come with them. */
import { signal } from '@preact/signals';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { explain } from '../api.js';
import { html, classes } from '../html.js';
import { Button, Callout, IconButton } from './basics.js';

/** The open dialog: a component and its properties. One at a time. */
export const openDialog = signal(null);

export function showDialog(component, properties = {}) {
  openDialog.value = { component, properties };
}

export function closeDialog() {
  openDialog.value = null;
}

export function DialogHost() {
  const open = openDialog.value;
  return open && html`<${open.component} ...${open.properties} />`;
}

/** The frame of a dialog. On a phone it is a sheet at the bottom. */
export function Dialog({ title, children, onClose = closeDialog, sheet }) {
  const ref = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => before?.isConnected && before.focus?.();
  }, []);
  const onBackdrop = (event) => event.target === ref.current && onClose();
  return html`<dialog
    ref=${ref}
    class=${classes('dialog', sheet && 'sheet')}
    aria-labelledby=${id}
    onCancel=${(event) => {
      event.preventDefault();
      onClose();
    }}
    onPointerDown=${onBackdrop}
  >
    <div class="dialog-body">
      <header class="dialog-head">
        <h2 id=${id}>${title}</h2>
        <${IconButton} icon="x" label="Close" onClick=${onClose} />
      </header>
      ${children}
    </div>
  </dialog>`;
}

/** A form's life: busy while it runs, its error in words, field errors where they belong. */
export function useForm(submit) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const alive = useRef(true);
  useEffect(() => {
    alive.current = true;
    return () => {
      alive.current = false;
    };
  }, []);
  const onSubmit = async (event) => {
    event?.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await submit();
    } catch (failure) {
      if (alive.current) setError(failure);
    } finally {
      if (alive.current) setBusy(false);
    }
  };
  return {
    busy,
    onSubmit,
    fieldError: (name) => (error?.field === name ? error.message : null),
    formError: (known = []) => (error && !known.includes(error.field) ? explain(error) : null),
    clear: () => setError(null),
  };
}

export function FormError({ children }) {
  return children ? html`<${Callout} kind="danger" icon="circle-alert" role="alert">${children}<//>` : null;
}

/** Asks before something that cannot be taken back. The button says what it does. */
export function Confirm({ title, children, action, danger, run, reasonLabel }) {
  const [reason, setReason] = useState('');
  const form = useForm(async () => {
    await run(reason.trim() || undefined);
    closeDialog();
  });
  return html`<${Dialog} title=${title}>
    <form class="stack" onSubmit=${form.onSubmit}>
      <div class="soft">${children}</div>
      ${reasonLabel &&
      html`<label class="stack tight"><span>${reasonLabel}</span>
        <input class="input" value=${reason} maxlength="200" onInput=${(event) => setReason(event.target.value)} /></label>`}
      <${FormError}>${form.formError()}<//>
      <div class="actions">
        <${Button} onClick=${closeDialog}>Cancel<//>
        <${Button} kind=${danger ? 'danger' : 'primary'} type="submit" busy=${form.busy} autofocus>${action}<//>
      </div>
    </form>
  <//>`;
}

/** Puts a floating box beside its anchor, inside the window. Positions are set as properties, which the style policy allows. */
export function place(box, anchor, { above = false, end = true } = {}) {
  const at = anchor.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const room = 8;
  const left = end ? at.right - width : at.left;
  let top = above ? at.top - height - 4 : at.bottom + 4;
  if (top + height > innerHeight - room) top = at.top - height - 4;
  if (top < room) top = Math.min(at.bottom + 4, innerHeight - height - room);
  box.style.left = `${Math.max(room, Math.min(left, innerWidth - width - room))}px`;
  box.style.top = `${Math.max(room, top)}px`;
}

/** A box that floats beside its anchor and goes at Escape, at a press outside, or when focus leaves it. */
export function Floating({ anchor, onClose, children, above, end, role, label, className }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const box = ref.current;
    place(box, anchor, { above, end });
    (box.querySelector('[data-first]') ?? box.querySelector('button, input, [tabindex]'))?.focus({ preventScroll: true });
    const outside = (event) => {
      if (!box.contains(event.target) && !anchor.contains(event.target)) onClose();
    };
    const escape = (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      onClose();
      anchor.focus?.();
    };
    const settle = () => place(box, anchor, { above, end });
    document.addEventListener('pointerdown', outside, true);
    box.addEventListener('keydown', escape);
    addEventListener('resize', settle);
    return () => {
      document.removeEventListener('pointerdown', outside, true);
      box.removeEventListener('keydown', escape);
      removeEventListener('resize', settle);
    };
  }, []);
  return html`<div ref=${ref} class=${classes('floating', className)} role=${role} aria-label=${label}>${children}</div>`;
}

/** Arrow keys walk the items of a menu. */
export function walkMenu(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step && event.key !== 'Home' && event.key !== 'End') return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll('[role^="menuitem"]')];
  const at = items.indexOf(document.activeElement);
  const to = event.key === 'Home' ? 0 : event.key === 'End' ? items.length - 1 : (at + step + items.length) % items.length;
  items[to]?.focus();
}
