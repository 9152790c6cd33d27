/** What is being written where: drafts per room (kept over a reload), the message being answered, the one being edited. */
import { signal } from '@preact/signals';
import { session } from '../store/session.js';

/** {roomId, message} or null. */
export const replying = signal(null);
/** The id of the message being edited, or null. */
export const editing = signal(null);

const keyOf = (roomId) => `rialto.draft.${session.value?.user.id}.${roomId}`;

export function draftOf(roomId) {
  try {
    return localStorage.getItem(keyOf(roomId)) ?? '';
  } catch {
    return '';
  }
}

export function keepDraft(roomId, text) {
  try {
    if (text) localStorage.setItem(keyOf(roomId), text);
    else localStorage.removeItem(keyOf(roomId));
  } catch {
    // The draft then lives as long as the page.
  }
}
