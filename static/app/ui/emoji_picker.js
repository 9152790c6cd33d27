/** A small picker: the ones people use, found by name. */
import { useMemo, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Floating } from './dialog.js';

export const QUICK = ['👍', '❤️', '😂', '🎉', '👀', '🙏'];

const EMOJI = `👍 thumbs up yes good|👎 thumbs down no bad|❤️ heart love|😂 tears of joy laugh|🙂 smile|😀 grin happy|😉 wink|😍 heart eyes love|🤩 star struck wow
😎 cool sunglasses|🤔 thinking hmm|😅 sweat phew|😢 cry sad|😭 sob|😮 surprised wow|😱 scream|😡 angry|🥳 party celebrate|😴 sleep|🤯 mind blown
🙃 upside down|😇 angel|🤝 handshake deal|👏 clap applause|🙌 raised hands hooray|🙏 thanks please|💪 strong|👋 wave hello|✌️ peace|🤞 fingers crossed luck
👌 ok perfect|🫶 heart hands|👀 eyes look|🧠 brain|💯 hundred|🔥 fire hot|✨ sparkles|⭐ star|🎉 party tada|🎁 gift|🏆 trophy win|🚀 rocket ship
✅ check done|❌ cross no|⚠️ warning|❓ question|❗ important|💡 idea|📌 pin|📦 package parcel|🛒 cart shop|💶 money euro|🌞 sun|🌧️ rain|🌈 rainbow
🌱 plant|🌸 blossom|☕ coffee|🍕 pizza|🍝 pasta|🍷 wine|🍰 cake|🐶 dog|🐱 cat|🚲 bicycle|🚤 boat|🏠 house home|⏰ clock late|🎵 music|📷 camera|🎨 art`
  .split(/[|\n]/)
  .map((entry) => {
    const space = entry.indexOf(' ');
    return { emoji: entry.slice(0, space), name: entry.slice(space + 1) };
  });

const COLUMNS = 8;

function walk(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (!step) return;
  const cells = [...event.currentTarget.querySelectorAll('.emoji-grid button')];
  const at = cells.indexOf(document.activeElement);
  if (at === -1 && event.key !== 'ArrowDown') return;
  event.preventDefault();
  cells[at === -1 ? 0 : Math.max(0, Math.min(cells.length - 1, at + step))]?.focus();
}

export function EmojiPicker({ anchor, onPick, onClose, above }) {
  const [query, setQuery] = useState('');
  const found = useMemo(() => EMOJI.filter(({ name }) => name.includes(query.trim().toLowerCase())), [query]);
  const pick = (emoji) => {
    onClose();
    onPick(emoji);
  };
  return html`<${Floating} anchor=${anchor} onClose=${onClose} above=${above} role="dialog" label="Choose an emoji" className="emoji-picker">
    <div role="presentation" onKeyDown=${walk}>
      <input
        class="input"
        data-first
        type="search"
        placeholder="Find an emoji"
        aria-label="Find an emoji"
        value=${query}
        onInput=${(event) => setQuery(event.target.value)}
        onKeyDown=${(event) => {
          if (event.key === 'Enter' && found.length) pick(found[0].emoji);
        }}
      />
      <div class="emoji-grid">
        ${found.map(({ emoji, name }) => html`<button type="button" key=${emoji} aria-label=${name} title=${name} onClick=${() => pick(emoji)}>${emoji}</button>`)}
      </div>
      ${found.length === 0 && html`<p class="hint">Nothing has that name.</p>`}
    </div>
  <//>`;
}
