/**
 * The servers that these tests talk to: the one that the runner started (RIALTO_URL), or one of their own with other limits or one that
 * is to die (RIALTO_BIN).
 */
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { chmod, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.mjs';

export const BASE = (process.env.RIALTO_URL ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
const BIN = process.env.RIALTO_BIN ?? '';

/** Tests that start their own server say so; without a program to start they are skipped, not passed. */
export const needsProgram = { skip: BIN ? false : 'RIALTO_BIN names no program to start' };

const MANY = '{attempts=1000000, within="1h"}';
/** Many strangers sign up from one address here; guessing is tested elsewhere. */
const ROOMY = {
  RIALTO_LIMITS__SIGNING_IN__REGISTER_PER_ADDRESS: MANY,
  RIALTO_LIMITS__SIGNING_IN__LOGIN_PER_ADDRESS: MANY,
  RIALTO_LIMITS__SIGNING_IN__LOGIN_PER_ACCOUNT: MANY,
};

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts a server with these settings in its environment; nothing is left of it after `remove`. */
export async function startServer(settings = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'rialto-clients-'));
  // Started as root it becomes a service user, who has to pass through.
  await chmod(dir, 0o711);
  const data = join(dir, 'data');
  const log = join(dir, 'log');
  const listen = `127.0.0.1:${await freePort()}`;
  const { RIALTO_URL: _url, RIALTO_BIN: _bin, ...inherited } = process.env;
  const base = `http://${listen}`;
  const tail = async () => (await readFile(log, 'utf8')).split('\n').slice(-20).join('\n');
  let child, ended;
  async function launch() {
    const out = await open(log, 'a');
    child = spawn(BIN, ['serve', '--demo', '--listen', listen, '--data-dir', data], {
      env: { ...inherited, ...ROOMY, ...settings },
      stdio: ['ignore', out.fd, out.fd],
    });
    await out.close();
    // For the runner, should this process be killed.
    await writeFile(join(dir, 'pid'), `${child.pid}\n`);
    ended = new Promise((done) => child.once('exit', done));
    try {
      await until('the server is ready', async () => {
        if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
        return (await fetch(`${base}/health/ready`)).ok;
      }, 90_000);
    } catch (error) {
      child.kill('SIGKILL');
      error.message += `\n${await tail()}`;
      throw error;
    }
  }
  await launch();
  return {
    base,
    terminate: () => child.kill('SIGTERM'),
    ended: () => ended,
    /** Another one, with the same address and data; the first must have ended. */
    launch,
    /** A verb of the operator's, such as `tenant suspend`, beside the running server; answers its JSON. */
    async run(...args) {
      const { stdout } = await promisify(execFile)(BIN, [...args, '--data-dir', data], { timeout: 60_000, env: { ...inherited, ...settings } });
      return JSON.parse(stdout);
    },
    /** A statement behind the server's back, as the store's superuser; answers its rows, fields separated by `|`. */
    async sql(statement) {
      const socketDir = (await readFile(join(data, 'postgres/cluster/postmaster.pid'), 'utf8')).split('\n')[4];
      const { uid, gid } = await stat(data);
      const who = process.getuid() === 0 ? { uid, gid } : {};
      const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'postgres', '-d', 'rialto', '-h', socketDir, '-c', statement];
      const { stdout } = await promisify(execFile)('psql', args, { ...who, cwd: '/', timeout: 60_000 });
      return stdout.trim().split('\n').map((row) => row.split('|'));
    },
    async remove() {
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        const kill = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await ended;
        clearTimeout(kill);
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
