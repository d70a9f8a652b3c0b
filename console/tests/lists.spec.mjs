// Lists of any length and with any text in them. What the server says is made up in the browser, so that every server
// the tests run against shows the same.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { answer, findings, keep, launch, LONG, manyRuns, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const MANY = 5000;
const runs = manyRuns(MANY);
const manyReports = Array.from({ length: MANY }, (_, i) => ({
  name: `drift_a_vs_${i}`,
  reference: 'a',
  current: i === 7 ? LONG : String(i),
  profile: 'calibrated',
  drift_share: i === 3 ? null : (i % 100) / 100,
  threshold: 0.3,
  drifted: i % 30,
  columns: 30,
  decision: 'NO_ACTION',
  target_drift: null,
  created: new Date(Date.now() - i * 60_000).toISOString(),
  url: `reports/drift_a_vs_${i}.html`,
  run_id: i === 2 ? 41 : null,
}));

test('five thousand runs are listed, scrolled, filtered and sorted', async () => {
  await visit(browser, 'runs?refresh=off', async (page) => {
    const box = page.getByRole('region', { name: 'Runs' });
    await box.getByText('5000', { exact: true }).waitFor();
    assert.ok((await page.locator('tr').count()) < 500, 'only rows in sight are in the page');
    await box.evaluate((element) => (element.scrollTop = element.scrollHeight));
    await box.locator('tr[aria-rowindex="5001"]').waitFor();
    assert.ok((await page.locator('tr').count()) < 500);
    await page.getByLabel('Filter runs').fill('failed ingest');
    await page.getByText('34 of 5000 rows').waitFor();
    await page.waitForURL(/q=failed/);
    await page.getByRole('button', { name: 'Took' }).click();
    await page.waitForURL(/sort=took/);
    assert.equal(await page.locator('th[aria-sort="ascending"]').textContent(), 'Took');
    await page.getByRole('button', { name: 'Took' }).click();
    assert.equal(await page.locator('th[aria-sort="descending"]').textContent(), 'Took');
    await keep(page, 'runs-5000');
    assert.deepEqual(await findings(page), []);
    await page.getByLabel('Filter runs').fill('nobody');
    await page.getByText('Nothing matches “nobody”.').waitFor();
  }, { prepare: (page) => answer(page, '**/api/streamflow/runs?*', runs) });
});

test('a list is saved as it is filtered, texts of strangers as texts', async () => {
  const two = [{ ...runs[1], id: 2, message: '=HYPERLINK("x")', parameters: {} }, { ...runs[2], id: 1, flow: 'a "b", c' }];
  await visit(browser, 'runs?refresh=off&sort=id', async (page) => {
    const waiting = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save as CSV' }).click();
    const download = await waiting;
    assert.equal(download.suggestedFilename(), 'runs.csv');
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    assert.equal(lines[0], 'State,Flow,Parameters,Started by,Started,Took,Run');
    assert.match(lines[1], /^Completed,"a ""b"", c",reference=2024-01-31 current=2024-02-29,,\d{4}-.*Z,2,1$/);
    assert.match(lines[2], /^Completed,monitor_month,"'=HYPERLINK\(""x""\)",/);
  }, { prepare: (page) => answer(page, '**/api/streamflow/runs?*', two) });
});

test('five thousand reports: one is chosen far down, its columns without a test are named, its run is linked', async () => {
  const prepare = async (page) => {
    await answer(page, '**/api/streamflow/reports', manyReports);
    await answer(page, '**/api/streamflow/reports/*', { columns: [], not_tested: [{ column: LONG, reason: 'all current values are missing' }] });
    await page.route('**/reports/*.html', (route) => route.fulfill({ contentType: 'text/html', body: '<title>r</title><h1>Report</h1>' }));
  };
  await visit(browser, 'drift/drift_a_vs_4000?from=now-6h', async (page) => {
    await page.locator('tr.selected', { hasText: '4000' }).waitFor();
    assert.ok(await page.locator('tr.selected').evaluate((row) => row.getBoundingClientRect().top < window.innerHeight));
    assert.ok((await page.locator('.shares li').count()) <= 60);
    await page.getByLabel('Filter reports').fill('drift 41');
    await page.getByText('Nothing matches').waitFor();
    await page.getByLabel('Filter reports').fill('');
    await page.getByRole('region', { name: 'Reports' }).evaluate((element) => (element.scrollTop = 0));
    await page.getByRole('link', { name: '2', exact: true }).first().click();
    await page.waitForURL(/drift_a_vs_2\?.*from=now-6h/);
    await page.getByText('1 column', { exact: true }).waitFor();
    await page.getByText('all current values are missing').waitFor();
    await keep(page, 'drift-not-tested');
    await page.getByRole('link', { name: 'Run 41' }).waitFor();
  }, { prepare });
  for (const width of [360, 1360]) {
    await visit(browser, 'drift/drift_a_vs_7', async (page) => {
      await page.locator('.not-tested').waitFor();
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)) <= 0, `a long name fits into ${width} px`);
      await keep(page, `drift-long-name-${width}`);
    }, { prepare, width, height: 760 });
  }
});

test('a run links to its report', async () => {
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.getByRole('link', { name: 'drift_a_vs_b' }).waitFor();
  }, { prepare: (page) => answer(page, '**/api/streamflow/runs/7', { ...runs[9], id: 7, report: 'drift_a_vs_b', tasks: [], logs: [] }) });
});

test('the versions of a model fit a small screen with their actions, and a table that does not has a shade', async () => {
  const metrics = { auc: 0.8127, f1: 0.5787, log_loss: 0.4282, brier_score: 0.1384, expected_calibration_error: 0.02388, accuracy: 0.81, average_precision: 0.6 };
  const versions = [3, 2, 1].map((version) => ({ version, task: 'binary', how: `trained, ${100 + version} trees`, created: '2024-05-01T00:00:00Z', trained_on: '2024-04-30', metrics: { ...metrics, auc: 0.8 + version / 100 }, production: version === 2 }));
  const prepare = async (page) => {
    await answer(page, '**/api/streamflow/models', { name: 'churn', production: 2, versions });
    await answer(page, '**/api/streamflow/models/2/importance', { scale: 'log_odds', unexplained: null, features: [] });
  };
  for (const width of [1280, 1360, 1440]) {
    await visit(browser, 'models', async (page) => {
      const promote = await page.getByRole('button', { name: 'Promote version 3' }).boundingBox();
      const box = page.getByRole('region', { name: 'Versions of churn' });
      const { x, width: wide } = await box.boundingBox();
      assert.ok(promote.x + promote.width <= x + wide, `at ${width} px the actions end at ${promote.x + promote.width}, the table at ${x + wide}`);
      assert.ok(await box.evaluate((one) => one.scrollWidth <= one.clientWidth), `at ${width} px nothing is cut off`);
    }, { prepare, width });
  }
  await visit(browser, 'models', async (page) => {
    const box = page.getByRole('region', { name: 'Versions of churn' });
    const [inner, outer, shade] = await box.evaluate((one) => [one.scrollWidth, one.clientWidth, getComputedStyle(one).backgroundAttachment]);
    assert.ok(inner > outer, 'at 900 px the table scrolls');
    assert.match(shade, /local.*scroll/);
  }, { prepare, width: 900 });
});

test('the versions of a model are filtered and sorted', async () => {
  const versions = Array.from({ length: 300 }, (_, i) => ({ version: 300 - i, created: '2024-05-01T00:00:00Z', trained_on: '2024-04-30', metrics: { auc: i === 5 ? 0.99 : 0.8 - i / 1e4, f1: i === 4 ? 'NaN' : 0.5 }, production: i === 1 }));
  await visit(browser, 'models?sort=-auc', async (page) => {
    await page.locator('tbody tr').first().getByText('295', { exact: true }).waitFor();
    await page.getByLabel('Filter versions of churn').fill('production');
    await page.getByText('1 of 300 rows').waitFor();
    assert.equal(await page.getByRole('button', { name: /^Promote/ }).count(), 0);
  }, {
    prepare: async (page) => {
      await answer(page, '**/api/streamflow/models', { name: 'churn', production: 299, versions });
      await answer(page, '**/api/streamflow/models/299/importance', { scale: 'log_odds', unexplained: null, features: [] });
    },
  });
});
