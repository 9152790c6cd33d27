/**
 * Every pair of colours that meets on the screen, computed from the tokens by WCAG 2: text at least 4.5, large text, icons and
 * edges of controls at least 3. Needs no browser.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const TOKENS = readFileSync(new URL('../../static/app/styles/tokens.css', import.meta.url), 'utf8');

/** oklch → linear sRGB → relative luminance (matrices: Björn Ottosson, "A perceptual color space for image processing"). */
function luminance(colour) {
  const [, lightness, chroma, hue] = /oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)/.exec(colour);
  const L = lightness / 100;
  const angle = (hue * Math.PI) / 180;
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (value) => Math.min(1, Math.max(0, value));
  const red = clip(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = clip(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = clip(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const COLOURS = Object.fromEntries([...TOKENS.matchAll(/--([\w-]+): light-dark\((oklch\([^/()]+\)), (oklch\([^/()]+\))\);/g)].map(([, name, light, dark]) => [name, { light, dark }]));

function contrast(one, two, theme) {
  const [high, low] = [luminance(COLOURS[one][theme]), luminance(COLOURS[two][theme])].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = ['rail', 'list', 'page', 'raised', 'field', 'hover', 'pressed'];
const TEXT = [
  ...['text', 'text-soft'].flatMap((text) => [...SURFACES, 'mention', 'flash'].map((surface) => [text, surface])),
  ...['rail', 'list', 'page', 'raised', 'field', 'hover', 'mention', 'pressed', 'flash'].map((surface) => ['text-faint', surface]),
  ...['list', 'page', 'raised', 'hover', 'mention'].map((surface) => ['accent', surface]),
  ...['page', 'raised', 'hover', 'list'].map((surface) => ['danger', surface]),
  ...['page', 'raised', 'hover', 'list'].map((surface) => ['brick', surface]),
  ['on-accent', 'accent'],
  ['on-accent', 'accent-strong'],
  ['on-accent-soft', 'accent-soft'],
  ['on-wait-soft', 'wait-soft'],
  ['on-danger', 'danger'],
  ['on-danger-soft', 'danger-soft'],
  ...Array.from({ length: 8 }, (_, index) => ['on-tint', `tint-${index}`]),
];
const SHAPES = [
  ...['page', 'raised', 'field', 'list'].flatMap((surface) => ['line-strong', 'accent', 'danger', 'good', 'wait'].map((shape) => [shape, surface])),
  ['accent', 'rail'],
  ['good', 'rail'],
  ['mention-edge', 'mention'],
];
/** An edge that only repeats what a background and a bold name already say. */
const ORNAMENT = { 'mention-edge': 2 };

for (const theme of ['light', 'dark']) {
  test(`text has a contrast of at least 4.5, ${theme}`, () => {
    for (const [text, surface] of TEXT) {
      const value = contrast(text, surface, theme);
      assert.ok(value >= 4.5, `${text} on ${surface}: ${value.toFixed(2)}`);
    }
  });

  test(`icons and edges of controls have a contrast of at least 3, ${theme}`, () => {
    for (const [shape, surface] of SHAPES) {
      const value = contrast(shape, surface, theme);
      assert.ok(value >= (ORNAMENT[shape] ?? 3), `${shape} on ${surface}: ${value.toFixed(2)}`);
    }
  });
}

test('every colour is written so that it can be computed', () => {
  const names = [...TOKENS.matchAll(/--([\w-]+): light-dark\(/g)].map(([, name]) => name).filter((name) => name !== 'scrim' && name !== 'shadow');
  assert.ok(names.length > 30);
  for (const name of names) assert.ok(COLOURS[name], name);
});
