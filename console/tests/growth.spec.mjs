// Memory of a page that stays open.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a console left open does not grow', async (t) => {
  await visit(browser, '?from=now-5m&refresh=off', async (page) => {
    await settled(page);
    const client = await page.context().newCDPSession(page);
    // The least of a few looks: what a timer or an answer still holds is no growth.
    const heap = async () => {
      let least = Infinity;
      for (let i = 0; i < 4; i += 1) {
        await client.send('HeapProfiler.collectGarbage');
        least = Math.min(least, (await client.send('Runtime.getHeapUsage')).usedSize / 1e6);
        await page.waitForTimeout(250);
      }
      return least;
    };
    // Refreshes pressed by hand: each waits for the answers of the one before.
    const refresh = async (times) => {
      for (let i = 0; i < times; i += 1) {
        const answered = page.waitForResponse(/api\/v1\/query/);
        await page.keyboard.press('r');
        await answered;
        await page.waitForLoadState('networkidle');
      }
    };
    await refresh(10);
    const before = await heap();
    const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
    await refresh(40);
    const after = await heap();
    t.diagnostic(`heap ${before.toFixed(2)} MB, after 40 refreshes ${after.toFixed(2)} MB`);
    assert.ok(after - before < 0.5, `grew by ${(after - before).toFixed(2)} MB`);
    assert.ok(Math.abs((await page.evaluate(() => document.querySelectorAll('*').length)) - nodes) < 200);
  });
});
