import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { CONSOLE, findings, keep, launch, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const PAGES = ['', 'graph?g0.expr=up&g0.tab=0', 'graph?g0.expr=up&g0.tab=1', 'targets', 'alerts', 'drift', 'live', 'performance', 'predict', 'models', 'data', 'flows', 'runs', 'status', 'no-such-page'];

for (const scheme of ['light', 'dark']) {
  test(`axe finds nothing serious, ${scheme}`, async () => {
    for (const path of PAGES) {
      await visit(browser, path, async (page) => {
        await settled(page);
        assert.deepEqual(await findings(page), [], path || 'overview');
      }, { scheme });
    }
  });
}

test('on a phone nothing is wider than the screen', async () => {
  for (const path of PAGES) {
    await visit(browser, path, async (page) => {
      await settled(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wide <= 0, `${path || 'overview'} is ${wide} px too wide`);
      await keep(page, `phone-${path.replace(/\W.*/, '') || 'overview'}`);
    }, { width: 360, height: 740 });
  }
});

test('the menu of a phone opens, leads and closes', async () => {
  await visit(browser, '', async (page) => {
    await page.getByRole('button', { name: 'Menu' }).click();
    await keep(page, 'phone-menu');
    await page.getByRole('navigation').getByRole('link', { name: 'Targets' }).click();
    await page.waitForURL(/targets/);
    await page.getByRole('navigation').waitFor({ state: 'hidden' });
  }, { width: 360, height: 740, scheme: 'dark' });
});

test('all pages are reached by keys', async () => {
  await visit(browser, '', async (page) => {
    await settled(page);
    for (const [key, path] of [['t', 'targets'], ['a', 'alerts'], ['d', 'drift'], ['l', 'live'], ['q', 'performance'], ['p', 'predict'], ['m', 'models'], ['s', 'data'], ['f', 'flows'], ['r', 'runs'], ['u', 'status'], ['o', '']]) {
      await page.evaluate(() => document.activeElement?.blur());
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL(CONSOLE + path);
      await page.locator('main h1').waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await keep(page, 'keys');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
});

test('the first stop of Tab skips to the content, and focus can be seen', async () => {
  await visit(browser, 'targets', async (page) => {
    await settled(page);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to content');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none');
  });
});

test('a chart is read and moved by keys', async () => {
  await visit(browser, '?from=now-1h&refresh=off', async (page) => {
    const plot = page.locator('.plot').first();
    await plot.locator('canvas').waitFor();
    assert.match((await plot.getAttribute('aria-label')) ?? '', /chart of \d+ series|heatmap of/);
    await plot.focus();
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(() => document.querySelector('.legend-time')?.textContent !== '');
    await page.keyboard.press('Shift+ArrowLeft');
    await page.waitForURL(/from=\d{13}/);
  });
});

test('theme and time zone stay with the browser', async () => {
  await visit(browser, '', async (page) => {
    await page.getByLabel('Theme').selectOption('dark');
    await page.getByLabel('Times').selectOption('utc');
    await page.reload();
    await page.locator('main h1').waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    assert.equal(await page.getByLabel('Times').inputValue(), 'utc');
    assert.doesNotMatch(page.url(), /dark|utc/);
  });
});

test('the console works below a path', async () => {
  const prefix = '/team/flow/';
  const proxy = createServer((request, response) => {
    if (!request.url?.startsWith(prefix)) return response.writeHead(404).end();
    const target = new URL(request.url.slice(prefix.length), CONSOLE);
    const headers = { ...request.headers, host: target.host };
    delete headers['accept-encoding'];
    if (headers.origin) headers.origin = target.origin;
    const onward = httpRequest(target, { method: request.method, headers }, (answer) => {
      if (!answer.headers['content-type']?.startsWith('text/html')) {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        return answer.pipe(response);
      }
      let html = '';
      answer.on('data', (part) => (html += part));
      answer.on('end', () => {
        const headers = { ...answer.headers };
        delete headers['content-length'];
        response.writeHead(answer.statusCode ?? 500, headers);
        response.end(html.replace(/<base href="[^"]*"/, `<base href="${prefix}"`));
      });
    });
    request.pipe(onward);
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  try {
    const base = `http://127.0.0.1:${proxy.address().port}${prefix}`;
    await visit(browser, 'runs', async (page) => {
      await page.locator('td a').first().click();
      await page.waitForURL((url) => url.href.startsWith(`${base}runs/`));
      await page.reload();
      await page.getByRole('heading', { name: 'Steps' }).waitFor();
      await page.getByRole('link', { name: 'Overview' }).click();
      await page.locator('section.panel').first().waitFor();
      assert.equal(page.url(), base);
    }, { base });
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

test('the stretch of time stays from page to page and leads into Explore', async () => {
  await visit(browser, '?from=now-6h&refresh=1m', async (page) => {
    await settled(page);
    await page.getByRole('navigation').getByRole('link', { name: 'Runs' }).click();
    await page.waitForURL(/runs\?from=now-6h&refresh=1m$/);
    await page.getByRole('navigation').getByRole('link', { name: 'Explore' }).click();
    await page.waitForURL(/graph\?from=now-6h&refresh=1m$/);
    await page.getByRole('button', { name: 'Graph' }).click();
    await page.waitForURL(/g0\.range_input=6h.*from=now-6h/);
    await page.keyboard.press('Escape');
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.getByRole('button', { name: 'Last 6 hours' }).waitFor();
  });
});

test('while the server is gone the last data stay under one banner', async () => {
  for (const [path, ready] of [['?from=now-5m', '.stat-value'], ['runs', 'td a'], ['targets', 'td']]) {
    let gone = false;
    await visit(
      browser,
      `${path}${path.includes('?') ? '&' : '?'}refresh=1s`,
      async (page) => {
        await page.locator(ready).first().waitFor();
        await settled(page);
        const before = await page.locator(ready).count();
        gone = true;
        await page.getByRole('alert').getByText(/has not answered since/).waitFor();
        await page.waitForTimeout(2500);
        assert.equal(await page.getByRole('alert').count(), 1);
        assert.ok((await page.locator(ready).count()) >= before, path);
        await keep(page, `gone-${path.replace(/\W.*/, '') || 'overview'}`);
        gone = false;
        await page.getByRole('alert').waitFor({ state: 'detached' });
      },
      { expected: ['ERR_', 'Failed to load'], prepare: (page) => page.route('**/api/**', (route) => (gone ? (path === 'runs' ? route.fulfill({ status: 502, body: 'Bad Gateway' }) : route.abort('connectionrefused')) : route.fallback())) },
    );
  }
});
