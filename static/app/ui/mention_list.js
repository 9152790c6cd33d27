/** Completion of @handles: who is meant by what was typed so far. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api.js';
import { html, classes } from '../html.js';
import { person } from '../store/places.js';
import { statusOf } from '../store/people.js';
import { Avatar } from './basics.js';

const PAUSE_MS = 120;
const MAX_SHOWN = 6;
const OPEN = /(?:^|[\s(])@([a-z0-9_.-]{0,32})$/i;

/** The part of a handle before the caret, or null. */
export function openMention(text, caret) {
  return OPEN.exec(text.slice(0, caret))?.[1] ?? null;
}

/** The people for a prefix; people of the room (known already) come first. */
export function useMentions(prefix, known) {
  const [people, setPeople] = useState([]);
  const [at, setAt] = useState(0);
  const latest = useRef(0);
  useEffect(() => {
    setAt(0);
    latest.current += 1;
    const mine = latest.current;
    if (prefix === null) {
      setPeople([]);
      return undefined;
    }
    const small = prefix.toLowerCase();
    const fits = (one) => one.handle?.toLowerCase().startsWith(small) || one.display_name?.toLowerCase().startsWith(small);
    const near = known.filter(fits).slice(0, MAX_SHOWN);
    setPeople(near);
    const timer = setTimeout(async () => {
      try {
        const { items } = await api.get('/v1/users', { q: prefix, limit: MAX_SHOWN });
        if (mine !== latest.current) return;
        const all = new Map([...near, ...items.map(person)].map((one) => [one.id, one]));
        setPeople([...all.values()].filter((one) => one.handle).slice(0, MAX_SHOWN));
      } catch {
        // What is known here stays on offer.
      }
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [prefix]);
  return { people, at: Math.min(at, Math.max(0, people.length - 1)), setAt };
}

export function MentionList({ id, people, at, onPick }) {
  if (!people.length) return null;
  return html`<ul class="mention-list" role="listbox" id=${id} aria-label="People to mention">
    ${people.map(
      (one, index) => html`<li
        key=${one.id}
        id=${`${id}-${index}`}
        role="option"
        aria-selected=${index === at}
        class=${classes('mention-option', index === at && 'chosen')}
        onPointerDown=${(event) => {
          event.preventDefault();
          onPick(one);
        }}
      >
        <${Avatar} id=${one.id} name=${one.display_name} size="small" status=${statusOf(one.id)} />
        <span class="ellipsis">${one.display_name}</span><span class="faint ellipsis">@${one.handle}</span>
      </li>`,
    )}
  </ul>`;
}
