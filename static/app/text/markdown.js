/**
 * The Markdown subset of messages: bold, italic, strike, code, code blocks, quotes, lists, links, mentions.
 *
 * It builds elements and text nodes and never HTML, so that nothing a person writes can become markup. Parsing is one pass with
 * a bound on depth; what does not parse stays as it was typed.
 */
import { h } from 'preact';

const MAX_DEPTH = 6;
const FENCE = /^```([\w+-]{0,20})\s*$/;
const BULLET = /^[-*] +(.*)$/;
const NUMBER = /^(\d{1,9})[.)] +(.*)$/;

/** In the order in which they are tried at each position. The first group is the content. */
const INLINE = [
  { pattern: /`([^`\n]+)`/y, build: (match) => h('code', null, match[1]) },
  { pattern: /\*\*(?=\S)([^]*?\S)\*\*/y, build: (match, context) => h('strong', null, inline(match[1], context)) },
  { pattern: /~~(?=\S)([^]*?\S)~~/y, build: (match, context) => h('s', null, inline(match[1], context)) },
  { pattern: /\*(?=[^\s*])([^*\n]*?[^\s*])\*(?!\*)/y, build: (match, context) => h('em', null, inline(match[1], context)) },
  { pattern: /_(?=[^\s_])([^_\n]*?[^\s_])_(?!\w)/y, startsWord: true, build: (match, context) => h('em', null, inline(match[1], context)) },
  { pattern: /\[([^\]\n]{1,400})\]\((https?:\/\/[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)\)/y, build: (match, context) => link(match[2], inline(match[1], { ...context, inLink: true }), context) },
  { pattern: /https?:\/\/[^\s<>"']*[^\s<>"'.,:;!?)\]*_~]/y, startsWord: true, build: (match, context) => link(match[0], match[0], context) },
  { pattern: /@([a-z0-9](?:[a-z0-9_.-]{0,30}[a-z0-9_])?)/iy, startsWord: true, build: (match, context) => mention(match, context) },
];
const STARTS = /[`*~_[h@]/g;

function link(address, content, context) {
  if (context.inLink) return content;
  return h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow ugc' }, content);
}

function mention(match, context) {
  const handle = match[1].toLowerCase();
  const mine = handle === context.handle || handle === 'here';
  return h('span', { class: mine ? 'mention mention-me' : 'mention' }, match[0]);
}

function inline(text, context) {
  if (context.depth >= MAX_DEPTH) return text;
  const deeper = { ...context, depth: context.depth + 1 };
  const out = [];
  let from = 0;
  STARTS.lastIndex = 0;
  const starts = new RegExp(STARTS);
  for (let hit = starts.exec(text); hit; hit = starts.exec(text)) {
    const at = hit.index;
    const afterWord = at > 0 && /\w/.test(text[at - 1]);
    for (const { pattern, startsWord, build } of INLINE) {
      if (startsWord && afterWord) continue;
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match) continue;
      if (at > from) out.push(text.slice(from, at));
      const end = pattern.lastIndex;
      out.push(build(match, deeper));
      from = end;
      starts.lastIndex = end;
      break;
    }
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}

function withBreaks(lines, context) {
  return inline(lines.join('\n'), context);
}

/** Takes lines from `at` on while `keep` answers something for them. */
function take(lines, at, keep) {
  const taken = [];
  while (at + taken.length < lines.length) {
    const kept = keep(lines[at + taken.length]);
    if (kept === null) break;
    taken.push(kept);
  }
  return taken;
}

function blocks(lines, context) {
  const out = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (FENCE.test(line)) {
      const end = lines.findIndex((other, index) => index > at && other.trimEnd() === '```');
      const code = lines.slice(at + 1, end === -1 ? undefined : end);
      out.push(h('pre', { tabIndex: 0 }, h('code', null, code.join('\n'))));
      at = end === -1 ? lines.length : end + 1;
    } else if (line.startsWith('>') && context.depth < MAX_DEPTH) {
      const quoted = take(lines, at, (other) => (other.startsWith('>') ? other.slice(1).replace(/^ /, '') : null));
      out.push(h('blockquote', null, blocks(quoted, { ...context, depth: context.depth + 1 })));
      at += quoted.length;
    } else if (BULLET.test(line)) {
      const items = take(lines, at, (other) => BULLET.exec(other)?.[1] ?? null);
      out.push(h('ul', null, items.map((item) => h('li', null, inline(item, context)))));
      at += items.length;
    } else if (NUMBER.test(line)) {
      const items = take(lines, at, (other) => NUMBER.exec(other)?.[2] ?? null);
      out.push(h('ol', { start: Number(NUMBER.exec(line)[1]) }, items.map((item) => h('li', null, inline(item, context)))));
      at += items.length;
    } else if (line.trim() === '') {
      at += 1;
    } else {
      const plain = take(lines, at, (other) =>
        other.trim() === '' || FENCE.test(other) || other.startsWith('>') || BULLET.test(other) || NUMBER.test(other) ? null : other,
      );
      // A quote beyond the depth bound is plain text; it must still move on.
      const taken = plain.length ? plain : [line];
      out.push(h('p', null, withBreaks(taken, context)));
      at += taken.length;
    }
  }
  return out;
}

/** Renders a message's text. `handle` is the reader's, whose mentions stand out. */
export function markdown(text, { handle = '' } = {}) {
  return blocks(text.replaceAll('\r', '').split('\n'), { handle: handle.toLowerCase(), depth: 0, inLink: false });
}

const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|[\u{1F3FB}-\u{1F3FF}])*\s*){1,3}$/u;

/** One to three emoji alone are shown large. */
export function isEmojiOnly(text) {
  return text.length <= 40 && EMOJI_ONLY.test(text.trim());
}

/** The text without its marks, for excerpts and announcements. */
export function plain(text, length = 140) {
  const flat = text
    .replace(/```[\w+-]*\n?/g, '')
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replace(/\*\*|~~|`/g, '')
    .replace(/(^|[\s(])[*_](\S(?:[^*_\n]*\S)?)[*_](?![\w*_])/g, '$1$2')
    .replace(/\s+/g, ' ')
    .trim();
  return flat.length > length ? `${flat.slice(0, length - 1)}…` : flat;
}
