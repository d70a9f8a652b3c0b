// Weighs the scripts of the build as a browser loads them, compressed as gzip -9, and fails over the budget.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const assets = fileURLToPath(new URL('dist/assets/', import.meta.url));
const BUDGETS = [
  { name: 'first load of Overview', entries: ['index', 'Overview'], bytes: 60_000 },
  { name: 'Explore, beyond Overview', entries: ['Explore'], without: ['index', 'Overview'], bytes: 170_000 },
];

const files = readdirSync(assets).filter((file) => file.endsWith('.js'));
const entryOf = (name) => files.find((file) => file.startsWith(`${name}-`)) ?? fail(`there is no chunk ${name}; build first`);

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** The chunk and all that it imports at once (not those it imports when they are needed). */
function reach(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(assets + file, 'utf8');
  for (const [, other] of text.matchAll(/(?:from|import)\s*["'`]\.\/([^"'`]+\.js)["'`]/g)) reach(other, seen);
  return seen;
}

const weigh = (file) => gzipSync(readFileSync(assets + file), { level: 9 }).length;
const union = (names) => new Set(names.flatMap((name) => [...reach(entryOf(name))]));

let over = false;
for (const { name, entries, without = [], bytes } of BUDGETS) {
  const base = union(without);
  const chunks = [...union(entries)].filter((file) => !base.has(file));
  const total = chunks.reduce((sum, file) => sum + weigh(file), 0);
  over ||= total > bytes;
  process.stdout.write(`${name}: ${(total / 1000).toFixed(1)} kB of ${bytes / 1000} kB gzip${total > bytes ? ', TOO MUCH' : ''}\n`);
  for (const file of chunks) process.stdout.write(`  ${(weigh(file) / 1000).toFixed(1).padStart(7)} kB  ${file}\n`);
}
process.exit(over ? 1 : 0);
