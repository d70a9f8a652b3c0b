// A page of the console in headless Chromium that fails its test for a console error, a page error, or a request to
// another host.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const required = (name) => process.env[name] ?? assert.fail(`${name} is not set: start the tests with \`npm run browser\``);

export const CONSOLE = required('STREAMFLOW_CONSOLE_URL').replace(/\/?$/, '/');
export const API = required('STREAMFLOW_API_URL').replace(/\/$/, '');
/** The body of a prediction that can be answered: the entity's field and an id. */
export const ENTITY = JSON.parse(required('STREAMFLOW_ENTITY'));
/** How long a page may take to show what it was asked for. */
export const PATIENCE = 30_000;

const artifacts = fileURLToPath(new URL('../test-artifacts/', import.meta.url));
mkdirSync(artifacts, { recursive: true });

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ARGUMENTS });

/** Runs `steps` on a page at `path`; `expected` are texts of console errors that the test provokes. */
export async function visit(browser, path, steps, { width = 1360, height = 860, scheme = 'light', expected = [], base = CONSOLE, prepare } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.some((text) => message.text().includes(text))) wrong.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => wrong.push(`page: ${error.stack}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.host !== new URL(base).host) wrong.push(`request to another host: ${request.url()}`);
  });
  try {
    await prepare?.(page);
    await page.goto(base + path);
    await steps(page);
    assert.deepEqual(wrong, []);
  } catch (error) {
    await page.screenshot({ path: `${artifacts}failed-${Date.now()}.png` }).catch(() => undefined);
    throw error;
  } finally {
    await context.close();
  }
}

export const keep = (page, name, options = {}) => page.screenshot({ path: `${artifacts}${name}.png`, ...options });

/** Resolves when nothing that can be seen is still loading. */
export const settled = (page) =>
  page.waitForFunction(() => {
    const waiting = [...document.querySelectorAll('.skeleton')].filter((one) => one.getBoundingClientRect().top < window.innerHeight);
    return waiting.length === 0 && document.querySelector('main h1, main .empty');
  });

/** Answers requests for `pattern` with this JSON, or with what it makes of the address. */
export const answer = (page, pattern, json) => page.route(pattern, (route) => route.fulfill({ json: typeof json === 'function' ? json(new URL(route.request().url())) : json }));

/** A name that is longer than any screen is wide. */
export const LONG = 'a_name_without_any_place_to_break_'.repeat(8);

/** Runs as the server lists them, the newest first: every third an ingest, every fiftieth failed with a long message. */
export const manyRuns = (count) =>
  Array.from({ length: count }, (_, i) => {
    const started = Date.now() - i * 3_600_000;
    return {
      id: count - i,
      flow: i % 3 ? 'monitor_month' : 'ingest_month',
      state: i % 50 ? 'completed' : 'failed',
      state_name: '',
      message: i % 50 ? '' : `${LONG} failed`,
      started: new Date(started).toISOString(),
      ended: i === 0 ? null : new Date(started + (i % 90) * 1000).toISOString(),
      parameters: { reference: '2024-01-31', current: i % 50 ? '2024-02-29' : LONG },
    };
  });

/** One prediction by the API; its status and body. */
export async function predict(body = ENTITY) {
  const response = await fetch(`${API}/predict`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

/** Waits until an expression gives something. */
export async function stored(expression) {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await new Promise((done) => setTimeout(done, 200))) {
    const answer = await fetch(`${CONSOLE}api/v1/query?${new URLSearchParams({ query: expression })}`).then((response) => response.json());
    if (answer.data?.result.length > 0) return;
  }
  assert.fail(`${expression} stays empty`);
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious and critical findings of axe, as lines. */
export async function findings(page) {
  // Evaluated by the debugger, which the policy of the page does not forbid.
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  assert.ok(passes.length > 10, 'axe looked at the page');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 4).map((node) => `${node.target.join(' ')} [${node.failureSummary?.split('\n')[1]?.trim()}]`).join(', ')}`);
}
