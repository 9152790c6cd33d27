/**
 * The live side: one Centrifuge connection for the whole page, and watches on its channels.
 *
 * Screens come and go faster than subscriptions should: a watch is counted, and the subscription lingers a while after its last
 * watcher. A stream's subscription object is kept even then, because it remembers the position from which the server recovers.
 */
import '/static/vendor/centrifuge@5.8.0/centrifuge.js';
import { signal } from '@preact/signals';
import { ApiError, freshToken } from './api.js';

const { Centrifuge } = globalThis;

const LINGER_MS = { stream: 30_000, plain: 2_000, map: 5_000 };
/** Streams whose position is kept; the oldest idle one goes first. Well under the server's bound of subscriptions. */
const MAX_KEPT = 64;

/** What the connection is doing: `phase` is idle | connecting | online | ended. */
export const connection = signal({ phase: 'idle', everOnline: false, code: 0 });

let client = null;
const channels = new Map();
const onOnline = new Set();
const onUserEvent = new Set();

/** Called each time the connection is up, with whether it was up before. Answers a function that takes the callback back. */
export function whenOnline(callback) {
  onOnline.add(callback);
  return () => onOnline.delete(callback);
}

/** Called with every event of the server-side `user:` stream, and with null when events of it were lost. */
export function whenUserEvent(callback) {
  onUserEvent.add(callback);
  return () => onUserEvent.delete(callback);
}

function endpoints() {
  const socket = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/connection/websocket`;
  return [
    { transport: 'websocket', endpoint: socket },
    { transport: 'http_stream', endpoint: `${location.origin}/connection/http_stream` },
    { transport: 'sse', endpoint: `${location.origin}/connection/sse` },
  ];
}

async function connectionToken() {
  try {
    return await freshToken();
  } catch (error) {
    // Only a refusal ends the session; everything else is worth another try, which the SDK makes.
    if (error instanceof ApiError && error.status === 401) throw new Centrifuge.UnauthorizedError('signed out');
    throw error;
  }
}

export function start() {
  if (client) return;
  client = new Centrifuge(endpoints(), {
    getToken: connectionToken,
    emulationEndpoint: `${location.origin}/emulation`,
    name: 'rialto-web',
    minReconnectDelay: 300,
    maxReconnectDelay: 8_000,
  });
  client.on('connecting', ({ code }) => {
    connection.value = { ...connection.value, phase: 'connecting', code };
  });
  client.on('connected', () => {
    const again = connection.value.everOnline;
    connection.value = { phase: 'online', everOnline: true, code: 0 };
    for (const callback of onOnline) callback(again);
  });
  client.on('disconnected', ({ code }) => {
    connection.value = { ...connection.value, phase: code === 0 ? 'idle' : 'ended', code };
  });
  client.on('publication', ({ channel, data }) => {
    if (channel.startsWith('user:')) for (const callback of onUserEvent) callback(data);
  });
  client.on('subscribed', ({ wasRecovering, recovered }) => {
    if (wasRecovering && !recovered) for (const callback of onUserEvent) callback(null);
  });
  client.connect();
}

export function stop() {
  if (!client) return;
  for (const entry of channels.values()) clearTimeout(entry.timer);
  channels.clear();
  const old = client;
  client = null;
  old.disconnect();
  connection.value = { phase: 'idle', everOnline: false, code: 0 };
}

/** Tries again at once after the server ended the connection. */
export function reconnect() {
  client?.connect();
}

/** Calls a method of the server over the socket; rejects at once while there is no connection. */
export async function rpc(method, data) {
  if (connection.value.phase !== 'online') throw new Error('not connected');
  return (await client.rpc(method, data)).data;
}

function tell(entry, name, argument) {
  for (const watcher of entry.watchers) watcher[name]?.(argument);
}

function open(channel, kind) {
  const sub =
    kind === 'map'
      ? client.newMapSubscription(channel)
      : client.newSubscription(channel, kind === 'stream' ? { recoverable: true, positioned: true } : {});
  const entry = { channel, kind, sub, watchers: new Set(), timer: null };
  sub.on('subscribed', (context) => tell(entry, 'subscribed', context));
  sub.on('publication', (context) => tell(entry, 'publication', context));
  if (kind === 'map') {
    sub.on('sync', ({ entries }) => tell(entry, 'sync', entries));
    sub.on('update', (context) => tell(entry, 'update', context));
  }
  // An error handler must exist; the SDK tries again by itself after temporary ones.
  sub.on('error', () => {});
  sub.on('unsubscribed', (context) => {
    if (context.code !== 0) tell(entry, 'gone', context);
  });
  channels.set(channel, entry);
  return entry;
}

function forget(entry) {
  channels.delete(entry.channel);
  entry.sub.removeAllListeners();
  entry.sub.on('error', () => {});
  if (entry.kind === 'map') client?.removeMapSubscription(entry.sub);
  else client?.removeSubscription(entry.sub);
}

function rest(entry) {
  if (entry.kind !== 'stream') {
    forget(entry);
    return;
  }
  entry.sub.unsubscribe();
  const idle = [...channels.values()].filter((other) => other.kind === 'stream' && other.watchers.size === 0);
  for (const oldest of idle.slice(0, Math.max(0, idle.length - MAX_KEPT))) forget(oldest);
}

/**
 * Watches a channel. `kind` is stream (durable, recovered), plain (what flows now) or map (a snapshot, then changes).
 * The watcher may have: subscribed, publication, gone, and for maps sync and update. Answers the function that ends the watch.
 * A watcher that joins a live map gets no snapshot of its own, so one store owns each map channel.
 */
export function watch(channel, kind, watcher) {
  if (!client) return () => {};
  const owner = client;
  const entry = channels.get(channel) ?? open(channel, kind);
  clearTimeout(entry.timer);
  entry.watchers.add(watcher);
  if (entry.sub.state === 'unsubscribed') entry.sub.subscribe();
  return () => {
    if (!entry.watchers.delete(watcher) || entry.watchers.size > 0 || client !== owner) return;
    entry.timer = setTimeout(rest, LINGER_MS[kind], entry);
  };
}
