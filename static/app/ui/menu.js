/** A button that opens a menu of actions. An action is {icon, label, run, danger} or null (left out). */
import { useRef, useState } from 'preact/hooks';
import { html, classes } from '../html.js';
import { Icon } from '../icons.js';
import { IconButton } from './basics.js';
import { Floating, walkMenu } from './dialog.js';

export function MenuItems({ actions, onDone }) {
  return actions.filter(Boolean).map(
    ({ icon, label, run, danger }) => html`<button
      type="button"
      role="menuitem"
      key=${label}
      class=${classes('menu-item', danger && 'danger')}
      onClick=${() => {
        onDone();
        run();
      }}
    >
      <${Icon} name=${icon} size=${16} /><span>${label}</span>
    </button>`,
  );
}

export function MenuButton({ icon = 'ellipsis', label, actions, small, onOpenChange, children }) {
  const [open, setOpen] = useState(false);
  const ref = useRef(null);
  const turn = (next) => {
    setOpen(next);
    onOpenChange?.(next);
  };
  const close = () => turn(false);
  return html`<${IconButton} icon=${icon} label=${label} small=${small} buttonRef=${ref} expanded=${open} aria-haspopup="menu" onClick=${() => turn(!open)} />
    ${open &&
    html`<${Floating} anchor=${ref.current} onClose=${close} role="menu" label=${label} className="menu">
      <div role="presentation" onKeyDown=${walkMenu}>
        ${children}
        <${MenuItems} actions=${actions} onDone=${() => {
          close();
          ref.current?.focus();
        }} />
      </div>
    <//>`}`;
}
