/** The writing field of the composer and of the edit box: grows with its text, completes mentions, knows its limit. */
import { useEffect, useId, useLayoutEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { MentionList, openMention, useMentions } from './mention_list.js';

export const MAX_TEXT = 8_000;
const COUNT_FROM = 7_500;

function grow(area) {
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}

const coarse = matchMedia('(pointer: coarse)');

/**
 * `onKey` sees keys that the field does not use itself. Enter sends and Shift+Enter makes a new line; with a touch keyboard,
 * which has no Shift+Enter, Enter makes the line and the button sends.
 */
export function TextArea({ areaRef, label, placeholder, text, onText, onSend, onKey, known }) {
  const id = useId();
  const [prefix, setPrefix] = useState(null);
  const { people, at, setAt } = useMentions(prefix, known);
  const open = prefix !== null && people.length > 0;
  useLayoutEffect(() => grow(areaRef.current), [text]);
  useEffect(() => {
    const refit = () => areaRef.current && grow(areaRef.current);
    addEventListener('resize', refit);
    return () => removeEventListener('resize', refit);
  }, []);

  const look = () => {
    const area = areaRef.current;
    setPrefix(area.selectionStart === area.selectionEnd ? openMention(area.value, area.selectionStart) : null);
  };
  const pick = (one) => {
    const area = areaRef.current;
    const caret = area.selectionStart;
    const from = caret - prefix.length;
    const next = `${area.value.slice(0, from)}${one.handle} ${area.value.slice(caret)}`;
    onText(next);
    setPrefix(null);
    requestAnimationFrame(() => {
      area.focus();
      const to = from + one.handle.length + 1;
      area.setSelectionRange(to, to);
    });
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    if (open) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        setAt((at + step + people.length) % people.length);
        return;
      }
      if (event.key === 'Enter' || event.key === 'Tab') {
        event.preventDefault();
        pick(people[at]);
        return;
      }
      if (event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        setPrefix(null);
        return;
      }
    }
    if (event.key === 'Enter' && !event.shiftKey && !coarse.matches) {
      event.preventDefault();
      onSend();
      return;
    }
    onKey?.(event);
  };
  const left = MAX_TEXT - [...text].length;
  return html`<div class="text-area">
    ${open && html`<${MentionList} id=${`${id}-people`} people=${people} at=${at} onPick=${pick} />`}
    <textarea
      ref=${areaRef}
      rows="1"
      aria-label=${label}
      placeholder=${placeholder}
      aria-autocomplete="list"
      aria-controls=${open ? `${id}-people` : undefined}
      aria-activedescendant=${open ? `${id}-people-${at}` : undefined}
      value=${text}
      onInput=${(event) => {
        onText(event.target.value);
        look();
      }}
      onClick=${look}
      onKeyUp=${(event) => event.key.startsWith('Arrow') && !open && look()}
      onBlur=${() => setPrefix(null)}
      onKeyDown=${onKeyDown}
      enterkeyhint=${coarse.matches ? 'enter' : 'send'}
      autocomplete="off"
    ></textarea>
    ${text.length > COUNT_FROM && html`<span class=${left < 0 ? 'text-left count over' : 'text-left count'} role="status">${left < 0 ? `${-left} too many` : `${left} left`}</span>`}
  </div>`;
}
