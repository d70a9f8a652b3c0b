// The page Models: a canary is begun, told of beside production, and ended; with the real binary its answers are counted.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { API, ENTITY, answer, findings, keep, launch, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const isReal = process.env.STREAMFLOW_PROJECT !== undefined;

/** The version that answers. */
async function answering() {
  const response = await fetch(`${API}/predict`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(ENTITY) });
  return (await response.json()).model.version;
}

test('a canary of all entities is begun, counted and ended', { skip: !isReal && 'the stand-in serves one model' }, async () => {
  await visit(browser, 'models', async (page) => {
    await settled(page);
    const begin = page.getByRole('button', { name: /^Canary of version/ }).first();
    const version = /\d+/.exec(await begin.getAttribute('aria-label'))[0];
    await begin.click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Share of the entities in percent').fill('100');
    assert.deepEqual(await findings(page), []);
    await page.keyboard.press('Enter');
    const canary = page.getByRole('region', { name: `Canary of version ${version}` });
    await canary.getByText(/answers 100 % of the entities/).waitFor();
    for (const deadline = Date.now() + 20_000; (await answering()) !== version; ) {
      assert.ok(Date.now() < deadline, 'the canary never answers');
      await new Promise((done) => setTimeout(done, 200));
    }
    for (let asked = 0; asked < 20; asked += 1) assert.equal(await answering(), version);
    // Counts are kept every second.
    await new Promise((done) => setTimeout(done, 2_500));
    await page.reload();
    await settled(page);
    const row = canary.locator('tbody tr').filter({ hasText: 'Canary' });
    await row.waitFor();
    const [requests] = await row.locator('td.num').allTextContents();
    assert.ok(Number(requests) >= 20, requests);
    await page.locator('td').getByText('Canary', { exact: true }).first().waitFor();
    assert.deepEqual(await findings(page), []);
    await keep(page, 'canary', { fullPage: true });
    await canary.getByRole('button', { name: 'End canary' }).click();
    await canary.waitFor({ state: 'detached' });
  });
});

test('a canary that is not loaded says so, and one that a run keeps is not changed by hand', async () => {
  const arm = (name, version) => ({ arm: name, version, requests: 0, errors: 0, error_rate: 0, latency_p50_seconds: null, latency_p99_seconds: null, mean_score: null, scored_entities: 0 });
  const canary = { version: 2, share: 0.1, since: '2026-01-31T10:04:00Z', actor: 'command', run_id: 7, trouble: 'version 2 of churn cannot be served', arms: [arm('production', 1), arm('candidate', 2)] };
  const version = (number) => ({ version: number, task: 'binary', created: '2026-01-31T10:00:00Z', trained_on: '2024-01-31', seed: 42, metrics: { auc: 0.85 }, production: number === 1, run_id: null, origin: null });
  const prepare = (page) => answer(page, '**/api/streamflow/models', { name: 'churn', production: 1, shadow: null, canary, versions: [version(2), version(1)] });
  await visit(
    browser,
    'models',
    async (page) => {
      const region = page.getByRole('region', { name: 'Canary of version 2' });
      await region.getByRole('alert').getByText(/production answers everybody: version 2 of churn cannot be served/).waitFor();
      await region.getByRole('link', { name: /7/ }).waitFor();
      assert.equal(await region.getByRole('button', { name: 'Change share' }).count(), 0);
      await region.getByRole('button', { name: 'End canary' }).waitFor();
      const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(inner <= outer, `${inner} in ${outer}`);
      assert.deepEqual(await findings(page), []);
      await keep(page, 'canary-small', { fullPage: true });
    },
    { prepare, width: 390, height: 800, scheme: 'dark', expected: ['404'] },
  );
});
