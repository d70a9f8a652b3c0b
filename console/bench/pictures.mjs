// The two pictures of the README, of the demonstration's own story: `npm run pictures`, with STREAMFLOW_BIN.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { CONSOLE, launch, settled, visit } from '../tests/browser.mjs';

const PICTURES = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));
const MOST_BYTES = 200_000;
const SIZE = { width: 1180, height: 760 };

const evaluate = (version) => execFileSync(process.env.STREAMFLOW_BIN, ['--config', process.env.STREAMFLOW_PROJECT, 'evaluate', '--history', '--model', String(version)], { stdio: 'ignore' });

/** A picture that is small enough for a page that many read. */
async function take(page, name) {
  await page.evaluate(() => document.fonts.ready);
  const path = `${PICTURES}${name}.png`;
  await page.screenshot({ path });
  const { size } = statSync(path);
  assert.ok(size <= MOST_BYTES, `${name}.png has ${size} bytes`);
}

test('the pictures of the README', async () => {
  mkdirSync(PICTURES, { recursive: true });
  for (const version of [1, 2]) evaluate(version);
  const browser = await launch();
  try {
    const months = await (await fetch(`${CONSOLE}api/streamflow/performance`)).json();
    const { period } = months.find(({ version, evaluation }) => version === 1 && evaluation.verdict.decision === 'fallen');
    await visit(browser, `performance/${period}/1`, async (page) => {
      await page.locator('.auc-chart > svg').waitFor();
      await settled(page);
      await take(page, 'console');
    }, SIZE);
    const reports = await (await fetch(`${CONSOLE}api/streamflow/reports`)).json();
    const { name } = reports.find((report) => report.current === period);
    await visit(browser, `reports/${name}.html`, (page) => take(page, 'report'), SIZE);
  } finally {
    await browser.close();
  }
});
