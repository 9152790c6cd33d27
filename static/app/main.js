/** Starts the application: session, live side, and the page that the address names. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { explain } from './api.js';
import { html } from './html.js';
import { start, stop } from './live.js';
import { navigate, route } from './router.js';
import { forgetLogs } from './store/messages.js';
import { startOutbox } from './store/outbox.js';
import { startOwnStatus } from './store/people.js';
import { roomName, rooms, startPlaces, stopPlaces, totalUnread } from './store/places.js';
import { restore, session, sessionError } from './store/session.js';
import { AfterPause, Button, Mark } from './ui/basics.js';
import { DialogHost, closeDialog } from './ui/dialog.js';
import { forgetReading } from './ui/reading.js';
import { Toasts } from './ui/toast.js';
import { InviteView } from './views/communities.js';
import { ForgotView, LoginView, RegisterView, ResetView, VerifyView } from './views/gate.js';
import { Shell } from './views/shell.js';

/** Pages that need nobody signed in. */
const OPEN_VIEWS = { invite: InviteView, verify: VerifyView, reset: ResetView };
const DOOR_VIEWS = { login: LoginView, register: RegisterView, forgot: ForgotView };

/** Everything that lives exactly as long as somebody is signed in. */
function useLife(userId) {
  useEffect(() => {
    if (!userId) return undefined;
    start();
    startPlaces(userId);
    const stopOutbox = startOutbox(userId);
    const stopStatus = startOwnStatus();
    return () => {
      stopStatus();
      stopOutbox();
      stopPlaces();
      forgetLogs();
      forgetReading();
      closeDialog();
      stop();
    };
  }, [userId]);
}

function Starting() {
  const error = sessionError.value;
  return html`<main class="gate" id="content">
    ${error
      ? html`<div class="gate-card"><${Mark} size=${44} /><h1>Rialto cannot be reached</h1><p class="soft" role="alert">${explain(error)}</p><${Button} kind="primary" onClick=${restore}>Try again<//></div>`
      : html`<${AfterPause} ms=${300}><div class="starting" role="status"><${Mark} size=${56} /><span class="unseen">Loading</span></div><//>`}
  </main>`;
}

function Page() {
  const { name, path } = route.value;
  const who = session.value;
  useLife(who?.user.id);
  const Open = OPEN_VIEWS[name];
  const Door = DOOR_VIEWS[name] ?? LoginView;
  useEffect(() => {
    if (who === null && !Open && !DOOR_VIEWS[name]) navigate(name === 'home' ? '/login' : `/login?next=${encodeURIComponent(path)}`, { replace: true });
  }, [who, name, path]);
  if (who === undefined) return html`<${Starting} />`;
  if (Open) return html`<${Open} />`;
  return who ? html`<${Shell} />` : html`<${Door} />`;
}

function App() {
  return html`<${Page} /><${DialogHost} /><${Toasts} />`;
}

const TITLES = { login: 'Sign in', register: 'Create account', forgot: 'New password', reset: 'New password', verify: 'Confirm address', communities: 'Communities', directs: 'Messages', settings: 'Settings', invite: 'Invitation' };

effect(() => {
  const { name, params } = route.value;
  const room = rooms.value.get(params.room);
  const place = room ? roomName(room) : TITLES[name];
  const count = session.value ? totalUnread.value : 0;
  document.title = `${count > 0 ? `(${count > 99 ? '99+' : count}) ` : ''}${place ? `${place} · ` : ''}Rialto`;
});

/** Keeps the composer above an on-screen keyboard where the layout viewport does not shrink for it. */
function fitKeyboard() {
  const { visualViewport } = window;
  if (!visualViewport) return;
  const fit = () => document.documentElement.style.setProperty('--height', `${Math.round(visualViewport.height)}px`);
  visualViewport.addEventListener('resize', fit);
  fit();
}

// While the server is away at start, try again by ourselves now and then.
effect(() => {
  if (sessionError.value) setTimeout(() => sessionError.peek() && restore(), 3_000);
});

fitKeyboard();
restore();
render(html`<${App} />`, document.getElementById('app'));
