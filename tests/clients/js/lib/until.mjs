/** Waiting for what happens at its own time, and saying what did not. */
import assert from 'node:assert/strict';

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Polls until `check` answers something true, and answers that. */
export async function until(what, check, ms = 10_000) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await check();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await sleep(25);
  }
  return assert.fail(`did not happen in ${ms} ms: ${what} (last: ${last?.message ?? JSON.stringify(last)})`);
}

/** A payload as JSON, whether the SDK parsed it or, with Protobuf, left it as it came. */
export const fromBytes = (data) => (data instanceof Uint8Array ? (data.length ? JSON.parse(new TextDecoder().decode(data)) : undefined) : data);

function decoded(ctx) {
  if (!ctx || typeof ctx !== 'object') return ctx;
  const entries = ctx.entries?.map(decoded);
  return { ...ctx, ...('data' in ctx ? { data: fromBytes(ctx.data) } : {}), ...(entries ? { entries } : {}) };
}

/** Writes down the events of an SDK object, in order, to be asked for later. */
export function listen(emitter, ...names) {
  const heard = [];
  for (const name of names) emitter.on(name, (ctx) => heard.push({ event: name, ...decoded(ctx) }));
  return {
    heard,
    of: (name) => heard.filter(({ event }) => event === name),
    /** The first event after the `from`th that fits. */
    next: (what, fits, { from = 0, ms } = {}) => until(`${what}; heard ${names}`, () => heard.slice(from).find(fits), ms)
      .catch((error) => assert.fail(`${error.message}\nheard: ${JSON.stringify(heard.slice(-10))}`)),
    event: (name, { from = 0, ms } = {}) => until(`event ${name}`, () => heard.slice(from).find(({ event }) => event === name), ms)
      .catch((error) => assert.fail(`${error.message}\nheard: ${JSON.stringify(heard.slice(-10))}`)),
  };
}
