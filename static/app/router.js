/**
 * Every place has a URL, and the URL alone says which place it is: back, forward, reload and a pasted link all work the same way.
 */
import { signal } from '@preact/signals';

const ROUTES = [
  ['home', '/'],
  ['login', '/login'],
  ['register', '/register'],
  ['forgot', '/forgot'],
  ['verify', '/verify'],
  ['reset', '/reset'],
  ['invite', '/invite/:code'],
  ['communities', '/communities'],
  ['community', '/c/:community'],
  ['room', '/c/:community/r/:room'],
  ['directs', '/dm'],
  ['direct', '/dm/:room'],
  ['settings', '/settings'],
].map(([name, pattern]) => [name, new RegExp(`^${pattern.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`)]);

function match(location) {
  for (const [name, pattern] of ROUTES) {
    const found = pattern.exec(location.pathname);
    if (found) {
      const params = Object.fromEntries(Object.entries(found.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]));
      return { name, params, query: new URLSearchParams(location.search), path: location.pathname + location.search };
    }
  }
  return { name: 'lost', params: {}, query: new URLSearchParams(location.search), path: location.pathname };
}

export const route = signal(match(location));

/** Goes to a path of this application. `replace` is for redirects, which must not trap the back button. */
export function navigate(path, { replace = false } = {}) {
  if (path === location.pathname + location.search) return;
  history[replace ? 'replaceState' : 'pushState']({ inside: true }, '', path);
  route.value = match(location);
}

/** Goes back where there is a page of ours to go back to, else to the given one. */
export function goBack(fallback) {
  if (history.state?.inside) history.back();
  else navigate(fallback, { replace: true });
}

addEventListener('popstate', () => {
  route.value = match(location);
});

/** Plain links stay plain links (new tab, copy address); only an ordinary click on one of ours is taken. */
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.('a[href]');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (match(link).name === 'lost') return;
  event.preventDefault();
  navigate(link.pathname + link.search);
});
