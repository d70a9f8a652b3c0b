// Panels over made-up answers: what each shows of odd data.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { answer, keep, launch, LONG, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const panel = (more) => ({ title: 'A panel', description: 'What it shows.', empty: 'Nothing yet: run `streamflow up`.', kind: 'stat', unit: 'percentunit', width: 12, stacked: false, thresholds: [{ color: 'green' }, { value: 0.5, color: 'red' }], lines: [], targets: [{ expression: 'x', legend: '' }], ...more });
const dashboard = (panels) => ({ dashboards: [{ uid: 'd', title: 'D', description: '', rows: [{ title: 'Row', panels }] }] });
/** A range query's answer in which every series has these values all the time. */
const ranges = (...series) => (url) => {
  const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(url.searchParams.get(name)));
  const times = Array.from({ length: Math.floor((end - start) / step + 1e-9) + 1 }, (_, i) => start + i * step);
  return { status: 'success', data: { resultType: 'matrix', result: series.map(([metric, value]) => ({ metric, values: times.map((time) => [time, value]) })) } };
};
const drawn = (panels, answers) => async (page) => {
  await answer(page, '**/api/streamflow/panels', dashboard(panels));
  await answer(page, /api\/v1\/query_range/, answers);
  await answer(page, /api\/v1\/query\?/, { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [0, '0.4'] }] } });
};

test('without data a panel says what to do, and is not green', async () => {
  for (const answers of [ranges(), ranges([{}, 'NaN'])]) {
    await visit(browser, '', async (page) => {
      await page.locator('.nothing', { hasText: 'Nothing yet' }).nth(1).waitFor();
      assert.equal(await page.locator('.nothing code').first().textContent(), 'streamflow up');
      assert.equal(await page.locator('.v-good').count(), 0);
      await keep(page, 'overview-empty');
    }, { prepare: drawn([panel({}), panel({ title: 'Lines', kind: 'timeseries', hide_zeros: true })], answers) });
  }
});

test('a value within the first bucket is shown as below its bound', async () => {
  const latency = { unit: 'seconds', bounds: [0.00002, 10], thresholds: [] };
  await visit(browser, '', async (page) => {
    await page.locator('.stat-value', { hasText: /^<\s20\sµs$/ }).waitFor();
    await page.locator('.legend-value', { hasText: /^<\s20\sµs$/ }).waitFor();
    await page.getByRole('button', { name: 'Lines: show as table' }).click();
    await page.locator('td.num', { hasText: /^<\s20\sµs$/ }).first().waitFor();
  }, { prepare: drawn([panel(latency), panel({ ...latency, title: 'Lines', kind: 'timeseries' })], ranges([{ q: 'p95' }, '0.00002'])) });
});

test('a limit that is a setting colours the tile and is named', async () => {
  await visit(browser, '', async (page) => {
    await page.locator('.stat-value.v-bad', { hasText: '45' }).waitFor();
    await page.getByText(/^limit 40\s%$/).waitFor();
  }, { prepare: drawn([panel({ thresholds: [], limit: 'threshold' })], ranges([{}, '0.45'])) });
});

test('statuses without an answer stay out of the legend; the line next to the pointer is named', async () => {
  const lines = panel({ title: 'Lines', kind: 'timeseries', unit: 'reqps', width: 24, hide_zeros: true, thresholds: [], targets: [{ expression: 'x', legend: '{{code}}' }] });
  await visit(browser, '?refresh=off', async (page) => {
    await page.locator('canvas').waitFor();
    assert.deepEqual(await page.locator('.legend-label').allTextContents(), ['200', LONG]);
    const box = await page.locator('.u-over').boundingBox();
    // The axis runs from 0 to 10.6: the lines lie at a tenth and at nine tenths of the height.
    for (const [share, name] of [[0.15, '200'], [0.85, LONG]]) {
      await page.mouse.move(box.x + box.width / 2, box.y + box.height * share);
      await page.locator('.chart-tip', { hasText: name }).waitFor();
      assert.equal(await page.locator('.legend-item.near .legend-label').textContent(), name);
    }
    await keep(page, 'nearest-line');
    await page.mouse.move(1, 1);
    await page.locator('.chart-tip').waitFor({ state: 'hidden' });
  }, { prepare: drawn([lines], ranges([{ code: '200' }, '10'], [{ code: '500' }, '0'], [{ code: LONG }, '1'])) });
});

test('a chart is saved as CSV and as PNG', async () => {
  await visit(browser, '?refresh=off&from=1769860800000&to=1769860860000', async (page) => {
    const frame = page.locator('section.panel', { has: page.locator('canvas') });
    await frame.hover();
    const csv = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Lines: save as CSV' }).click();
    const text = readFileSync(await (await csv).path(), 'utf8');
    assert.match(text, /^time,a,b\r\n2026-01-31T12:00:00\.000Z,1\.5,2\r\n/);
    const png = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Lines: save as PNG' }).click();
    const download = await png;
    assert.equal(download.suggestedFilename(), 'lines.png');
    const bytes = readFileSync(await download.path());
    assert.equal(bytes.subarray(1, 4).toString(), 'PNG');
    assert.ok(bytes.readUInt32BE(16) > 300 && bytes.readUInt32BE(20) > 200, 'the picture has the size of the chart');
  }, { prepare: drawn([panel({ title: 'Lines', kind: 'timeseries', targets: [{ expression: 'x', legend: '{{n}}' }] })], ranges([{ n: 'a' }, '1.5'], [{ n: 'b' }, '2'])) });
});

test('the numbers of an axis differ from each other', async () => {
  for (const value of ['0.0000031', '0.004', '1', '123456.7', '98000000000']) {
    await visit(browser, '?refresh=off', async (page) => {
      await page.evaluate(() => {
        const fill = window.CanvasRenderingContext2D.prototype.fillText;
        window.texts = [];
        window.CanvasRenderingContext2D.prototype.fillText = function (text, ...more) {
          window.texts.push(text);
          return fill.call(this, text, ...more);
        };
      });
      await page.keyboard.press('d');
      await page.waitForFunction(() => window.texts.length > 4);
      const painted = (await page.evaluate(() => window.texts)).filter((text) => text.includes('req/s'));
      // It may have been painted twice: up to the first text that comes again.
      const numbers = painted.slice(0, painted.indexOf(painted[0], 1) >>> 0);
      assert.ok(numbers.length >= 2, `${value}: ${painted}`);
      assert.equal(new Set(numbers).size, numbers.length, `${value}: ${numbers}`);
    }, { prepare: drawn([panel({ kind: 'timeseries', unit: 'reqps' })], ranges([{}, value])) });
  }
});
