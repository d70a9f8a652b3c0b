// The page Live: what drifts stands first, a window is chosen, and what is not judged says why.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answer, findings, keep, launch, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const statistic = (effect, z, since = null) => ({ statistic: 'location', effect, gate: 0.0282, z, detected_since: since });
const column = (live, statistics) => ({ live, basis: [35, 35, 30, 0], statistics, detected_since: statistics[0]?.detected_since ?? null });
const drifted = '2026-01-31T10:04:00Z';
const judged = [column([35, 34, 31, 0], [statistic(0.004, 0.3)]), column([5, 20, 75, 0], [statistic(0.24, 32.7, drifted)]), column([35, 35, 30, 0], [statistic(0.001, 0.1)])];
const window = (name, more) => ({ window: name, entities: 900, needed: 200, requests: 2510, is_enough: true, basis: 'same_clock_time', why: null, threshold: 5.32, share: 0.5, drifted: { features: 1, outputs: 0 }, words: '1 of 2 features drifted', columns: judged, errors: [], ...more });
const few = { entities: 77, is_enough: false, share: null, drifted: null, words: 'Too few: 77 of 200', basis: 'warming_up', why: 'Too few entities: 77 of 200 that are needed.', columns: judged.map((one) => ({ ...one, statistics: [], detected_since: null })) };
const certificate = {
  at: '2026-01-31T09:00:00.000Z', quarters: 768, judged: 700, from: '2026-01-23T09:00:00Z', until: '2026-01-31T09:00:00Z', alarms: 0, false_alarms_per_month: 0.5, verdict: { verdict: 'holds', words: 'Holds', why: null },
  shifts: [{ column: 'months_active', within_15m: 0.31, within_1h: 0.18, within_1d: 0.12 }, { column: 'monthly_fee', within_15m: null, within_1h: 0.4, within_1d: 0.15 }],
};
const live = {
  why: null,
  false_alarms_per_month: 0.5,
  versions: [
    {
      version: '3', is_served: true, source: 'the training snapshot 2024-03-31', first: drifted, at: drifted, statistics: 42, certificate,
      columns: [
        { name: 'months_active', is_feature: true, is_numerical: true, classes: ['\u2264 1', '\u2264 5', '> 5', 'missing'] },
        { name: 'monthly_fee', is_feature: true, is_numerical: true, classes: ['\u2264 9', '\u2264 12', '> 12', 'missing'] },
        { name: 'score', is_feature: false, is_numerical: true, classes: ['\u2264 0.1', '\u2264 0.6', '> 0.6', 'missing'] },
      ],
      windows: [window('15m', few), window('1h', {}), window('6h', { errors: [{ kind: 'unknown', share: 0.3, before: 0.1, z: 9, detected_since: drifted }] }), window('24h', { basis: 'training' })],
    },
  ],
};

test('what has drifted stands first, a window is chosen, and one that is not judged says why', async () => {
  const prepare = (page) => answer(page, '**/api/streamflow/live', live);
  await visit(
    browser,
    'live',
    async (page) => {
      await settled(page);
      const first = page.locator('.live-features tbody tr, .live-features [role=row]').filter({ hasText: 'monthly_fee' }).first();
      await first.getByText('Drifted').waitFor();
      const names = await page.locator('.live-features b').allTextContents();
      assert.equal(names[0], 'monthly_fee', names.join());
      await page.getByRole('img', { name: /Largest difference: > 12, live 75 %, reference 30 %/ }).waitFor();
      assert.deepEqual(await findings(page), []);
      await keep(page, 'live', { fullPage: true });
      // The tile counts features alone, as `live status` does, and says of what.
      await page.getByRole('button', { name: /^1 hour 1 of 2 features drifted/ }).waitFor();
      await page.getByRole('button', { name: /^15 minutes Too few: 77 of 200/ }).click();
      await page.getByText('Too few entities: 77 of 200 that are needed.').waitFor();
      await page.getByRole('button', { name: /6 hours/ }).click();
      await page.getByText('Requests for unknown entities (404)').waitFor();
      assert.match(page.url(), /window=6h/);
    },
    { prepare },
  );
});

test('on a small screen and in the dark nothing is wider than the page', async () => {
  const prepare = (page) => answer(page, '**/api/streamflow/live', live);
  await visit(
    browser,
    'live',
    async (page) => {
      await settled(page);
      await page.locator('.shape-pair').first().waitFor();
      const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
      assert.ok(inner <= outer, `${inner} in ${outer}`);
      assert.deepEqual(await findings(page), []);
      await keep(page, 'live-small', { fullPage: true });
    },
    { prepare, width: 390, height: 800, scheme: 'dark' },
  );
});

test('without traffic the page says what is missing', async () => {
  const prepare = (page) => answer(page, '**/api/streamflow/live', { why: 'No model is served yet: run `streamflow ingest` and `streamflow train`.', false_alarms_per_month: 0.5, versions: [] });
  await visit(browser, 'live', async (page) => page.getByText('No model is served yet').waitFor(), { prepare });
});

test('the certificate stands beside the budget, and is green only where it holds', async () => {
  const [version] = live.versions;
  const shown = (certificate) => ({ ...live, versions: [{ ...version, certificate }] });
  const see = (certificate, look) => visit(browser, 'live', look, { prepare: (page) => answer(page, '**/api/streamflow/live', shown(certificate)) });
  await see(certificate, async (page) => {
    await page.getByText(/\(768 quarters of an hour\) the rule raises no alarm\. The budget was 0\.5 alarms/).waitFor();
    await page.locator('.chip.v-good', { hasText: /^Holds$/ }).waitFor();
    const [text, filter] = await Promise.all(['.live-note.before >> nth=-1', '.tools >> nth=-1'].map((at) => page.locator(at).boundingBox()));
    assert.ok(filter.y - text.y - text.height >= 8, `the text touches the filter: ${text.y + text.height} and ${filter.y}`);
    const row = page.locator('.live-shifts tbody tr, .live-shifts [role=row]').filter({ hasText: 'monthly_fee' }).first();
    // Each of the two lists has its own filter.
    await page.getByLabel('Filter smallest shift that is seen').fill('monthly_fee');
    await page.getByText('1 of 2 rows').waitFor();
    assert.equal(await page.getByLabel('Filter features').inputValue(), '');
    assert.match(await row.innerText(), /none[\s\S]*0\.4 sd[\s\S]*0\.15 sd/);
    assert.deepEqual(await findings(page), []);
    await page.getByLabel('Filter smallest shift that is seen').fill('');
    await keep(page, 'live-certificate', { fullPage: true });
  });
  const outdated = 'The settings under [live] have changed since, so it does not hold for them: run `streamflow live certify` again.';
  const judged = (verdict, words, why, more = {}) => ({ ...certificate, ...more, verdict: { verdict, words, why } });
  await see(judged('not_yet_known', 'Not yet known (1 of 96)', 'A day of them is needed.', { quarters: 1, judged: 1 }), async (page) => {
    await page.locator('.chip.v-plain', { hasText: 'Not yet known (1 of 96)' }).waitFor();
    await page.getByText(/\(1 quarter of an hour\)/).waitFor();
  });
  await see(judged('exceeded', 'Exceeded', '1 alarm in 700 quarters of an hour.', { alarms: 1 }), async (page) => {
    await page.locator('.chip.v-bad', { hasText: 'Exceeded' }).waitFor();
    await page.getByText(/raises 1 alarm, false where/).waitFor();
    assert.deepEqual(await findings(page), []);
  });
  await see(judged('outdated', 'Outdated', outdated), async (page) => {
    await page.locator('.chip.v-warn', { hasText: 'Outdated' }).waitFor();
    await page.getByText(/run streamflow live certify again/).waitFor();
    await page.locator('.live-note code', { hasText: /^streamflow live certify$/ }).waitFor();
  });
  await see(null, async (page) => page.getByText('There is none of this version yet').waitFor());
});
