/** Light, dark, or as the system has it. `theme.js` at the root applies the choice before the first paint. */
import { signal } from '@preact/signals';

const KEY = 'rialto.theme';

function kept() {
  try {
    return localStorage.getItem(KEY) ?? 'system';
  } catch {
    return 'system';
  }
}

export const theme = signal(kept());

export function setTheme(next) {
  theme.value = next;
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It then holds until the page is left.
  }
}
