// `npm run browser [SPEC…]`, `npm run bench`: starts what the specs need, runs them, stops what it started.
// STREAMFLOW_BIN: the real binary with its sample data. Without it the stand-in of dev/ with a real Prometheus.
// STREAMFLOW_CONSOLE_URL, STREAMFLOW_API_URL and STREAMFLOW_ENTITY: servers that run already.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const environment = { ...process.env };
const stops = [];

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

/** Starts a server and waits for the lines that say where it listens. */
function start(command, options, patterns) {
  const child = spawn(command, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => new Promise((done) => {
    if (child.exitCode !== null) return done();
    child.once('exit', done);
    child.kill('SIGTERM');
  }));
  return new Promise((done, fail) => {
    let text = '';
    child.once('exit', (code) => fail(new Error(`${command} ended with ${code}:\n${text}`)));
    child.stdout.on('data', (part) => {
      text += part;
      const found = patterns.map((pattern) => pattern.exec(text)?.[1]);
      if (found.every(Boolean)) done(found);
    });
  });
}

/** A folder of the demonstration whose server scrapes itself every second, and what the tests start at `sidePort`. */
async function startBinary(binary, sidePort) {
  const dir = mkdtempSync(join(tmpdir(), 'streamflow-browser-'));
  stops.push(() => rmSync(dir, { recursive: true, force: true }));
  execFileSync(binary, ['init', dir], { stdio: 'ignore' });
  const [apiPort, consolePort] = [await freePort(), await freePort()];
  const job = (name, port) => `  - job_name: ${name}\n    static_configs: [{targets: ["127.0.0.1:${port}"]}]\n`;
  const interval = 'global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nscrape_configs:\n';
  writeFileSync(join(dir, 'browser.yml'), interval + job('api', apiPort) + job('streamflow', consolePort) + job('side', sidePort));
  const config = join(dir, 'streamflow.toml');
  writeFileSync(config, readFileSync(config, 'utf8').replace('\n[metrics]\n', '\n[metrics]\nprometheus_config = "browser.yml"\n'));
  const [api, console, entity] = await start(binary, ['demo', dir, '--listen', `127.0.0.1:${apiPort}`, '--console', `127.0.0.1:${consolePort}`, '--rate', '0'], [
    /listening on (http:\S+)/,
    /console on (http:\S+)/,
    /-d '(\{.*?\})'/,
  ]);
  // A second version, for the page that promotes one.
  const months = readdirSync(join(dir, 'drops')).map((folder) => folder.replace('month_', '')).sort();
  execFileSync(binary, ['--config', config, 'train', '--as-of', months[1]], { stdio: 'inherit' });
  return { api, console, entity, project: config };
}

async function startStandIn(sidePort) {
  const [api, console] = await start(process.execPath, [join(here, '../dev/start.mjs'), '--console', '0', '--rate', '0', '--hours', '0', '--side', String(sidePort)], [/listening on (http:\S+)/, /console on (http:\S+)/]);
  return { api, console, entity: '{"user_id":"7590-VHVEG"}' };
}

async function servers() {
  const sidePort = await freePort();
  environment.STREAMFLOW_SIDE_PORT ??= String(sidePort);
  if (environment.STREAMFLOW_CONSOLE_URL) return;
  const binary = process.env.STREAMFLOW_BIN;
  const started = binary ? await startBinary(binary, sidePort) : await startStandIn(sidePort);
  environment.STREAMFLOW_API_URL = started.api;
  environment.STREAMFLOW_CONSOLE_URL = started.console;
  environment.STREAMFLOW_ENTITY = started.entity;
  if (started.project) environment.STREAMFLOW_PROJECT = started.project;
}

try {
  if (!process.env.STREAMFLOW_BIN && !existsSync(join(here, '../dist/index.html'))) throw new Error('dist/ is missing: run `npm run build` first');
  await servers();
  const named = process.argv.slice(2);
  const specs = named.length ? named : readdirSync(here).filter((file) => file.endsWith('.spec.mjs')).sort().map((file) => join(here, file));
  const child = spawn(process.execPath, ['--test', '--test-concurrency=1', '--test-timeout=300000', '--test-reporter=spec', ...specs], { stdio: 'inherit', env: environment });
  process.exitCode = await new Promise((done) => child.once('exit', (status) => done(status ?? 1)));
} finally {
  for (const stop of stops.reverse()) await stop();
}
