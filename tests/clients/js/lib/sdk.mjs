/** The SDK as an application would set it up, over each of its transports; nothing of it is replaced but its window to the network. */
import { createRequire } from 'node:module';
import { Centrifuge as JsonCentrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import EventSource from 'eventsource';
import { BASE } from './server.mjs';
import { fromBytes, until } from './until.mjs';

const WebSocket = createRequire(import.meta.url)('ws');

/** Each way to connect: what the SDK calls the transport, and which bytes it should see. */
export const WAYS = [
  { way: 'WebSocket, JSON', transport: 'websocket', format: 'json' },
  { way: 'WebSocket, Protobuf', transport: 'websocket', format: 'protobuf' },
  { way: 'HTTP-stream, JSON', transport: 'http_stream', format: 'json' },
  { way: 'HTTP-stream, Protobuf', transport: 'http_stream', format: 'protobuf' },
  { way: 'SSE', transport: 'sse', format: 'json' },
];

/** A WebSocket that writes down which kind of frames went each way, and may say which tenant it means. */
function watchedWebSocket(frames, headers) {
  return class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers });
      this.on('message', (data, isBinary) => frames.received.push({ isBinary, bytes: data.length }));
      this.on('close', (code, reason) => frames.closes.push({ code, reason: reason.toString() }));
    }

    send(data, ...rest) {
      frames.sent.push({ isBinary: typeof data !== 'string' });
      return super.send(data, ...rest);
    }
  };
}

/** Fetch, writing down media types. */
function watchedFetch(frames, headers) {
  return async (url, options) => {
    const response = await fetch(url, { ...options, headers: { ...options.headers, ...headers } });
    frames.fetched.push({ path: new URL(url).pathname, status: response.status, type: response.headers.get('content-type') });
    return response;
  };
}

/** With Protobuf the SDK hands payloads through as bytes; an application writes and reads its JSON itself. */
const toBytes = (value) => new TextEncoder().encode(JSON.stringify(value));

function speakJson(object) {
  for (const verb of ['publish', 'rpc']) {
    const act = object[verb]?.bind(object);
    if (!act) continue;
    object[verb] = async (...args) => {
      const answer = await act(...args.slice(0, -1), toBytes(args.at(-1)));
      return answer?.data === undefined ? answer : { ...answer, data: fromBytes(answer.data) };
    };
  }
  const history = object.history?.bind(object);
  if (!history) return;
  object.history = async (...args) => {
    const page = await history(...args);
    return { ...page, publications: page.publications.map((publication) => ({ ...publication, data: fromBytes(publication.data) })) };
  };
}

const ENDPOINTS = { websocket: '/connection/websocket', http_stream: '/connection/http_stream', sse: '/connection/sse' };

/** A client that is not connected yet. */
export function makeClient(how, who, { base = who?.base ?? BASE, ...options } = {}) {
  const frames = { sent: [], received: [], closes: [], fetched: [] };
  const headers = who?.tenant ? { 'rialto-tenant': who.tenant } : {};
  const Centrifuge = how.format === 'protobuf' ? ProtobufCentrifuge : JsonCentrifuge;
  const endpoint = (how.transport === 'websocket' ? base.replace(/^http/, 'ws') : base) + ENDPOINTS[how.transport];
  const client = new Centrifuge([{ transport: how.transport, endpoint }], {
    token: who?.token ?? '',
    emulationEndpoint: `${base}/emulation`,
    websocket: watchedWebSocket(frames, headers),
    fetch: watchedFetch(frames, headers),
    readableStream: ReadableStream,
    eventsource: class extends EventSource {
      constructor(url, init) {
        super(url, { ...init, headers });
      }
    },
    minReconnectDelay: 50,
    maxReconnectDelay: 300,
    ...options,
  });
  client.frames = frames;
  if (how.format === 'protobuf') {
    speakJson(client);
    for (const kind of ['newSubscription', 'newMapSubscription']) {
      const make = client[kind].bind(client);
      client[kind] = (...args) => {
        const subscription = make(...args);
        speakJson(subscription);
        return subscription;
      };
    }
  }
  // An emitter without a listener for `error` throws.
  client.on('error', () => {});
  return client;
}

/** Clients of one test, disconnected at its end whatever happened. */
export function clientsOf(t) {
  const open = [];
  t.after(() => open.forEach((client) => client.disconnect()));
  const make = (...args) => {
    const client = makeClient(...args);
    open.push(client);
    return client;
  };
  return {
    make,
    async connect(...args) {
      const client = make(...args);
      client.connect();
      await client.ready(10_000);
      return client;
    },
  };
}

/** Subscribes and waits for it. */
export async function subscribe(client, channel, options) {
  const subscription = client.newSubscription(channel, options);
  subscription.on('error', () => {});
  subscription.subscribe();
  await subscription.ready(10_000);
  return subscription;
}

export const onRoom = (room) => `room:${room.id}`;
/** What the SDK says a command failed with. */
export const failing = (code, words) => (error) => error.code === code && typeof error.message === 'string' && error.message !== ''
  && (!words || words.test(error.message));

/** Waits until a subscription has delivered so many publications. */
export const count = (ear, n, ms) => until(`${n} publications, there are ${ear.of('publication').length}`, () => ear.of('publication').length >= n, ms);
export const offsets = (ear) => ear.of('publication').map(({ offset }) => offset);
