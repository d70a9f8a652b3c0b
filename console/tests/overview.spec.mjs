import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { keep, launch, PATIENCE, predict, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** The newest number in the table behind the panel of the request rate; zero while it is empty. */
const newest = (page) =>
  page.evaluate(() => {
    const panel = [...document.querySelectorAll('section.panel')].find((one) => /^(Rate|Requests per second)$/.test(one.querySelector('h3')?.textContent ?? ''));
    return Number.parseFloat(panel?.querySelector('td.num')?.textContent ?? '') || 0;
  });

test('the overview shows a spike of 100 requests', async () => {
  await visit(browser, '?from=now-5m&refresh=5s', async (page) => {
    const rate = page.locator('section.panel', { has: page.getByRole('heading', { name: /^(Rate|Requests per second)$/ }) });
    await settled(page);
    await rate.getByRole('button', { name: /show as table/ }).click();
    const before = await newest(page);
    for (let i = 0; i < 100; i += 1) await predict();
    // Over five minutes 100 requests are a third of one a second.
    const deadline = Date.now() + 2 * PATIENCE;
    let after = before;
    while (after < before + 0.25 && Date.now() < deadline) {
      await page.waitForResponse(/query_range/);
      await page.waitForLoadState('networkidle');
      after = await newest(page);
    }
    assert.ok(after >= before + 0.25, `${before} before, ${after} after`);
    await rate.getByRole('button', { name: /show as chart/ }).click();
    await rate.locator('canvas').waitFor();
    await keep(page, 'overview-light');
  });
});

test('the status row has its numbers, and the charts their legends', async () => {
  await visit(browser, '?from=now-5m', async (page) => {
    for (let i = 0; i < 20; i += 1) await predict();
    await page.waitForFunction(() => document.querySelectorAll('.stat-value:not(.stat-none)').length >= 5);
    await page.waitForFunction(() => document.querySelectorAll('.legend-value').length >= 3);
    await keep(page, 'overview-dark');
  }, { scheme: 'dark' });
});

test('a drag zooms, the crosshair is shared, the way back is Back', async () => {
  await visit(browser, '?from=now-1h&refresh=off', async (page) => {
    await page.locator('.u-over').nth(1).waitFor();
    const box = await page.locator('.u-over').first().boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2);
    await page.waitForFunction(() => [...document.querySelectorAll('.legend-time')].filter((one) => one.textContent).length >= 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=\d{13}&.*to=\d{13}|to=\d{13}.*from=\d{13}/);
    const { from, to } = Object.fromEntries(new URL(page.url()).searchParams);
    const minutes = (Number(to) - Number(from)) / 60000;
    assert.ok(minutes > 10 && minutes < 20, `${minutes} minutes`);
    await page.goBack();
    assert.match(page.url(), /from=now-1h/);
  });
});

test('a permalink shows the range it names, in UTC when asked', async () => {
  await visit(browser, '?from=1769860800000&to=1769864400000', async (page) => {
    await page.getByLabel('Times').selectOption('utc');
    await page.getByRole('button', { name: '2026-01-31 12:00:00 – 13:00:00' }).waitFor();
  });
});

test('the picker chooses ranges by name and by hand, and says what it cannot read', async () => {
  await visit(browser, '', async (page) => {
    await page.getByRole('button', { name: 'Last 15 minutes' }).click();
    await page.getByRole('button', { name: 'Last 6 hours' }).click();
    await page.waitForURL(/from=now-6h/);
    await page.getByRole('button', { name: 'Last 6 hours' }).click();
    await page.getByLabel('From', { exact: true }).fill('soon');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText(/Write times as/).waitFor();
    await keep(page, 'range-picker');
    await page.getByLabel('From', { exact: true }).fill('now-45m');
    await page.getByLabel('To', { exact: true }).fill('now');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('button', { name: 'Last 45m' }).waitFor();
  });
});

test('a panel leads to Explore with its expression', async () => {
  await visit(browser, '?from=now-15m', async (page) => {
    await page.locator('section.panel canvas').first().waitFor();
    await page.locator('section.panel:has(canvas)').first().getByRole('link', { name: /open in Explore/ }).click();
    await page.waitForURL(/graph\?g0\.expr=.*range_input=15m/);
    await page.locator('.query canvas').first().waitFor();
  });
});

test('a panel that fails says so and offers to try again', async () => {
  let broken = true;
  await visit(
    browser,
    '?refresh=off',
    async (page) => {
      await page.getByText('the disk is full').first().waitFor();
      broken = false;
      await page.locator('.failure').first().getByRole('button', { name: 'Try again' }).click();
      await page.locator('section.panel canvas, .stat-value').first().waitFor();
    },
    {
      expected: ['422'],
      prepare: (page) =>
        page.route(/api\/v1\/query(_range)?\?/, (route) => (broken ? route.fulfill({ status: 422, contentType: 'application/json', body: '{"status":"error","errorType":"execution","error":"the disk is full"}' }) : route.fallback())),
    },
  );
});

test('a hidden tab asks nothing', async () => {
  await visit(browser, '?refresh=5s', async (page) => {
    await settled(page);
    let asked = 0;
    page.on('request', () => (asked += 1));
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForLoadState('networkidle');
    asked = 0;
    await page.clock.runFor(60_000);
    assert.equal(asked, 0);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForRequest(/query/);
  }, { prepare: (page) => page.clock.install() });
});
