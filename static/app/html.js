/** Templates: htm bound to Preact, so that there is no build step. Values are set as properties, never parsed as HTML. */
import { h } from 'preact';
import htm from 'htm';

export const html = htm.bind(h);

/** Joins class names, leaving out the falsy ones. */
export function classes(...names) {
  return names.filter(Boolean).join(' ');
}
