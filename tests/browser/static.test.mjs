/** The files as they lie: licences, the import map, preloads, no way around the policy. Needs no browser and no server. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const STATIC = resolve(dirname(fileURLToPath(import.meta.url)), '../../static');
const INDEX = readFileSync(join(STATIC, 'index.html'), 'utf8');
const IMPORTS = JSON.parse(/<script type="importmap">([^]*?)<\/script>/.exec(INDEX)[1]).imports;

function filesUnder(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile() && path.endsWith(ending));
}

const onDisk = (url) => join(STATIC, url.replace(/^\/static\//, ''));
const MODULES = filesUnder(join(STATIC, 'app'), '.js');

function importsOf(path) {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/(?:^|[\s;])(?:import|export)\s*(?:[\w*{}\s,$]+\s*from\s*)?['"]([^'"]+)['"]/g)].map(([, specifier]) => {
    if (specifier.startsWith('/static/')) return onDisk(specifier);
    if (specifier.startsWith('.')) return resolve(dirname(path), specifier);
    assert.ok(IMPORTS[specifier], `${specifier} in ${relative(STATIC, path)} is in the import map`);
    return onDisk(IMPORTS[specifier]);
  });
}

test('every vendored folder has a licence, a version and a row in the README', () => {
  const readme = readFileSync(join(STATIC, 'vendor/README.md'), 'utf8');
  const folders = readdirSync(join(STATIC, 'vendor'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.ok(folders.length >= 6);
  for (const { name } of folders) {
    assert.match(name, /@\d+\.\d+\.\d+$/);
    assert.ok(existsSync(join(STATIC, 'vendor', name, 'LICENSE')), `${name} has its licence`);
    assert.ok(readme.includes(`\`${name}\``), `${name} is in the README`);
  }
});

test('everything that the page and its modules name exists', () => {
  for (const [, url] of INDEX.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)) assert.ok(existsSync(onDisk(url)), url);
  for (const url of Object.values(IMPORTS)) assert.ok(existsSync(onDisk(url)), url);
  for (const path of MODULES) for (const target of importsOf(path)) assert.ok(existsSync(target), `${relative(STATIC, target)} named by ${relative(STATIC, path)}`);
  for (const path of filesUnder(join(STATIC, 'app/styles'), '.css'))
    for (const [, url] of readFileSync(path, 'utf8').matchAll(/url\('([^']+)'\)/g)) assert.ok(existsSync(onDisk(url)), url);
});

test('exactly the modules that the first page needs are preloaded, so that they come in one round', () => {
  const seen = new Set();
  const visit = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    importsOf(path).forEach(visit);
  };
  visit(join(STATIC, 'app/main.js'));
  const needed = [...seen].map((path) => `/static/${relative(STATIC, path)}`).sort();
  const preloaded = [...INDEX.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, url]) => url).sort();
  assert.deepEqual(preloaded, needed);
});

test('no module is left over', () => {
  const named = new Set([join(STATIC, 'app/main.js'), join(STATIC, 'app/theme.js')]);
  for (const path of MODULES) for (const target of importsOf(path)) named.add(target);
  assert.deepEqual(MODULES.filter((path) => !named.has(path)), []);
});

test('nothing goes around the policy: no markup from strings, no inline styles, no other hosts', () => {
  for (const path of MODULES) {
    const text = readFileSync(path, 'utf8');
    const name = relative(STATIC, path);
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|new Function|eval\(/, name);
    assert.doesNotMatch(text, /\sstyle=["$]/, `${name} sets no style attribute`);
    assert.doesNotMatch(text, /https?:\/\/(?!\[|\()[a-z]/, `${name} names no other host`);
  }
  assert.doesNotMatch(INDEX, /\sstyle=|<style|\son\w+=/);
});

test('icons that are asked for are drawn', () => {
  const icons = readFileSync(join(STATIC, 'app/icons.js'), 'utf8');
  const drawn = new Set([...icons.matchAll(/^ {2}'([\w-]+)':/gm)].map(([, name]) => name));
  for (const path of MODULES) {
    if (path.endsWith('icons.js')) continue;
    for (const [, name] of readFileSync(path, 'utf8').matchAll(/(?:icon(?:=|:\s*)|Icon\} name=|name=)["']([a-z][a-z0-9-]+)["']/g)) {
      if (['email', 'name', 'password', 'join_policy', 'kind', 'theme'].includes(name)) continue;
      assert.ok(drawn.has(name), `${name} in ${relative(STATIC, path)}`);
    }
  }
});

test('the first load fits 200 KiB compressed', (t) => {
  const urls = [...INDEX.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, url]) => url);
  let raw = Buffer.byteLength(INDEX);
  let packed = gzipSync(INDEX).length;
  for (const url of new Set(urls)) {
    const bytes = readFileSync(onDisk(url));
    raw += bytes.length;
    packed += url.endsWith('.woff2') ? bytes.length : gzipSync(bytes).length;
  }
  t.diagnostic(`${urls.length + 1} files, ${raw} bytes raw, ${packed} bytes compressed`);
  assert.ok(packed <= 200 * 1024, `${packed} bytes`);
});
