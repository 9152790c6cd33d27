/** A bare WebSocket that speaks the protocol's JSON by hand: for what the SDK would never send, and for exact close codes. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { BASE } from './server.mjs';
import { until } from './until.mjs';

const WebSocket = createRequire(import.meta.url)('ws');

export function openWire(t, { base = BASE, tenant, query = '', protocols = [], headers = {}, answerPings = true } = {}) {
  const url = `${base.replace(/^http/, 'ws')}/connection/websocket${query}`;
  const socket = new WebSocket(url, protocols, { headers: { ...headers, ...(tenant ? { 'rialto-tenant': tenant } : {}) } });
  const replies = [];
  const frames = [];
  let closed = null;
  let refused = null;
  socket.on('error', () => {});
  socket.on('unexpected-response', (request, response) => {
    refused = { status: response.statusCode };
    let body = '';
    response.on('data', (piece) => { body += piece; });
    response.on('end', () => { refused = { status: response.statusCode, body }; });
    request.on('error', () => {});
  });
  socket.on('message', (data, isBinary) => {
    frames.push({ isBinary, data });
    if (isBinary) return;
    for (const line of data.toString().split('\n')) {
      if (line === '') continue;
      const reply = JSON.parse(line);
      replies.push(reply);
      if (line === '{}' && answerPings) socket.send('{}');
    }
  });
  socket.on('close', (code, reason) => { closed = { code, reason: reason.toString() }; });
  t.after(() => socket.terminate());
  let last = 0;
  const wire = {
    socket,
    replies,
    frames,
    opened: () => until('the socket opens', () => socket.readyState === WebSocket.OPEN),
    closed: (ms) => until(`the socket closes; replies ${JSON.stringify(replies.slice(-3))}`, () => closed, ms),
    refused: () => until('the upgrade is refused', () => refused?.body !== undefined && refused),
    isOpen: () => closed === null,
    send: (...commands) => socket.send(commands.map((command) => (typeof command === 'string' ? command : JSON.stringify(command))).join('\n')),
    reply: (id, ms) => until(`the reply to ${id}; have ${JSON.stringify(replies.slice(-3))}`, () => replies.find((reply) => reply.id === id), ms),
    /** Sends one command and answers its reply. */
    ask(command, ms) {
      last += 1;
      const id = 1000 + last;
      wire.send({ id, ...command });
      return wire.reply(id, ms);
    },
    async connect(who) {
      await wire.opened();
      const reply = await wire.ask({ connect: { token: who.token } });
      assert.ok(reply.connect, JSON.stringify(reply));
      return reply.connect;
    },
  };
  return wire;
}

/** A wire that is through the door. */
export async function connectWire(t, who, options) {
  const wire = openWire(t, { base: who.base, tenant: who.tenant, ...options });
  await wire.connect(who);
  return wire;
}

/** The SDK parses the reason as JSON and obeys it; an empty one makes it go by the code alone. */
export function assertPlainReason({ reason }) {
  assert.notEqual(reason, '');
  assert.throws(() => JSON.parse(reason), SyntaxError, reason);
}

export async function assertCloses(wire, code, ms) {
  const closed = await wire.closed(ms);
  assert.equal(closed.code, code, JSON.stringify(closed));
  assertPlainReason(closed);
  return closed;
}
