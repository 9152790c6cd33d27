/** A network between a client and the server, to be cut, to be slow, or to be away: a TCP relay of its own. */
import { connect, createServer } from 'node:net';

export async function layCable(base) {
  const target = new URL(base);
  const pairs = new Set();
  let away = false;
  const server = createServer((near) => {
    near.on('error', () => {});
    if (away) return near.destroy();
    const far = connect(Number(target.port), target.hostname);
    const pair = { near, far };
    pairs.add(pair);
    far.on('error', () => {});
    near.pipe(far);
    far.pipe(near);
    const end = () => {
      near.destroy();
      far.destroy();
      pairs.delete(pair);
    };
    near.on('close', end);
    far.on('close', end);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const each = (act) => [...pairs].forEach(act);
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    /** Ends every connection without a word; new ones pass unless `stayAway`. */
    cut({ stayAway = false } = {}) {
      away = stayAway;
      each(({ near, far }) => {
        near.destroy();
        far.destroy();
      });
    },
    mend() {
      away = false;
    },
    /** The client's side stops taking: nothing is read from the server any more. */
    clog() {
      each(({ near, far }) => {
        far.unpipe(near);
        far.pause();
      });
    },
    /** It reads again: first what was on its way. */
    unclog() {
      each(({ near, far }) => far.pipe(near));
    },
    remove() {
      this.cut();
      return new Promise((done) => server.close(done));
    },
  };
}
