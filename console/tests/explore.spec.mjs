import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { keep, launch, predict, stored, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const editor = (page) => page.getByLabel('PromQL expression 1');

test('a metric name is completed and its rate drawn', async () => {
  for (let i = 0; i < 5; i += 1) await predict();
  await stored('rate(api_requests_total[5m])');
  await visit(browser, 'graph', async (page) => {
    await editor(page).click();
    await page.keyboard.type('rate(api_requests_tot');
    await page.locator('.cm-tooltip-autocomplete li', { hasText: 'api_requests_total' }).first().waitFor();
    await keep(page, 'explore-completion');
    await page.locator('.cm-tooltip-autocomplete li[aria-selected]').waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.type('[5m])');
    assert.equal((await editor(page).textContent())?.trim(), 'rate(api_requests_total[5m])');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.locator('.query canvas').waitFor();
    await page.locator('.legend-item').first().waitFor();
    assert.match(decodeURIComponent(page.url()), /graph\?g0\.expr=rate\(api_requests_total\[5m\]\)&g0\.tab=0/);
    await keep(page, 'explore-graph');
  });
});

test('a bad query shows its error and where it is', async () => {
  await visit(
    browser,
    'graph?g0.expr=sum(up&g0.tab=1',
    async (page) => {
      const error = page.getByRole('alert');
      await error.waitFor();
      assert.match((await error.textContent()) ?? '', /^Line 1, column \d+: .*paren/);
      assert.match((await error.locator('pre').textContent()) ?? '', /^sum\(up\n +\^$/);
      await page.locator('.cm-error-here').waitFor();
      await keep(page, 'explore-error');
    },
    { expected: ['400'] },
  );
});

test('an address of Prometheus opens with all it says', async () => {
  await visit(browser, 'graph?g0.expr=up&g0.tab=0&g0.range_input=30m&g0.step_input=15&g0.stacked=1&g1.expr=vector(42)&g1.tab=1', async (page) => {
    await page.locator('.query canvas').waitFor();
    assert.equal(await page.getByLabel('Range', { exact: true }).inputValue(), '30m');
    assert.equal(await page.getByLabel('Step', { exact: true }).first().inputValue(), '15s');
    assert.equal(await page.getByLabel('Stacked').isChecked(), true);
    await page.getByText(/a point every 15s/).waitFor();
    assert.equal(await page.getByRole('region', { name: 'Query 2' }).locator('td.num').textContent(), '42');
    await page.getByRole('button', { name: 'Remove query 2' }).click();
    assert.equal(await page.locator('.query').count(), 1);
  });
});

test('queries that were run are kept; a query can be written in good form', async () => {
  await visit(browser, 'graph', async (page) => {
    await editor(page).click();
    await page.keyboard.type('sum( up )');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await page.locator('td.num').waitFor();
    await page.getByRole('button', { name: 'Format' }).click();
    await page.waitForFunction(() => document.querySelector('.editor')?.shadowRoot?.querySelector('.cm-content')?.textContent === 'sum(up)');
    await page.reload();
    await page.getByRole('button', { name: 'History' }).click();
    await page.getByRole('button', { name: 'sum( up )' }).click();
    await page.locator('td.num').waitFor();
  });
});

test('a raw range, a scalar and nothing have their answers', async () => {
  await visit(browser, 'graph?g0.expr=up[30s]&g1.expr=time()&g2.expr=no_such_metric', async (page) => {
    await page.getByRole('region', { name: 'Query 1' }).getByText(/@ \d{4}-/).first().waitFor();
    await page.getByRole('region', { name: 'Query 2' }).getByText('scalar').waitFor();
    await page.getByText('The expression gives no series at this time.').waitFor();
  });
});
