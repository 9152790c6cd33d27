/** One quiet line that appears only when the connection matters, and says what is being done about it. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Icon } from '../icons.js';
import { connection, reconnect } from '../live.js';
import { outbox } from '../store/outbox.js';

/** A blink shorter than this is nobody's business. */
const QUIET_MS = 800;
const BACK_SHOWN_MS = 2_500;

const ENDED = {
  4501: 'Your access to this community server has been withdrawn.',
  4502: 'This community server is suspended. Nothing is lost; its administrators can have it resumed.',
  4503: 'This community server has been closed.',
};

function useOnlineFlag() {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    addEventListener('online', update);
    addEventListener('offline', update);
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }, []);
  return online;
}

/** off | connecting | offline | ended | back; "connecting" only after a pause, "back" for a moment. */
function useLine() {
  const { phase, everOnline } = connection.value;
  const online = useOnlineFlag();
  const now = phase === 'ended' ? 'ended' : phase === 'online' || phase === 'idle' ? 'off' : online ? 'connecting' : 'offline';
  const [shown, setShown] = useState('off');
  useEffect(() => {
    if (now === shown) return undefined;
    if (now === 'off') {
      if (shown === 'off') return undefined;
      setShown(shown === 'back' || !everOnline ? 'off' : 'back');
      return undefined;
    }
    const timer = setTimeout(setShown, now === 'connecting' && shown === 'off' ? QUIET_MS : 0, now);
    return () => clearTimeout(timer);
  }, [now]);
  useEffect(() => {
    if (shown !== 'back') return undefined;
    const timer = setTimeout(setShown, BACK_SHOWN_MS, 'off');
    return () => clearTimeout(timer);
  }, [shown]);
  return shown;
}

export function ConnectionLine() {
  const line = useLine();
  const waiting = outbox.value.filter((entry) => entry.state !== 'failed').length;
  const kept = waiting ? ` ${waiting === 1 ? 'Your message is' : `Your ${waiting} messages are`} kept and will be sent.` : '';
  const words = {
    connecting: `Connection lost. Reconnecting…${kept}`,
    offline: `You are offline.${kept || ' What you write is kept and sent when you are back.'}`,
    back: 'Connected again.',
    ended: ENDED[connection.value.code] ?? 'The server ended the connection.',
  }[line];
  return html`<div class="connection-slot" role="status" aria-label="Connection">
    ${words &&
    html`<div class=${`connection-line ${line}`}>
      <${Icon} name=${line === 'back' ? 'check' : line === 'ended' ? 'circle-alert' : 'wifi-off'} size=${15} /><span>${words}</span>
      ${line === 'ended' && !ENDED[connection.value.code] && html`<button type="button" class="link" onClick=${reconnect}>Connect again</button>`}
    </div>`}
  </div>`;
}
