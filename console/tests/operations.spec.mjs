import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { answer, ENTITY, keep, launch, predict, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a target that is stopped turns DOWN', async () => {
  const port = Number(process.env.STREAMFLOW_SIDE_PORT);
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4' }).end('side_value 1\n');
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  try {
    await visit(browser, 'targets?refresh=1s', async (page) => {
      const row = page.locator('tr', { hasText: `127.0.0.1:${port}` });
      await row.getByText('UP', { exact: true }).waitFor();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await row.getByText('DOWN', { exact: true }).waitFor();
      assert.notEqual((await row.locator('.row-error').textContent())?.trim(), '');
      await keep(page, 'targets');
      await page.getByRole('button', { name: /^Not up/ }).click();
      await page.waitForURL(/health=down/);
      await row.waitFor();
    });
  } finally {
    server.close();
  }
});

test('rules and alerts are shown, or how to add some', async () => {
  await visit(browser, 'alerts', async (page) => {
    await settled(page);
    await page.locator('.rules li, .empty').first().waitFor();
    await keep(page, 'alerts');
  });
});

test('a report opens', async () => {
  await visit(browser, 'drift', async (page) => {
    await page.locator('.reports a').first().click();
    await page.waitForURL(/drift\/.+/);
    await page.frameLocator('iframe.report').locator('h1').waitFor();
    await keep(page, 'drift');
  });
});

test('two snapshots are compared from the page', async () => {
  await visit(browser, 'drift', async (page) => {
    const form = page.getByRole('form', { name: 'Run a comparison' });
    await form.waitFor();
    const dates = await form.getByLabel('Reference').locator('option').allTextContents();
    assert.ok(dates.length >= 2);
    await form.getByLabel('Reference').selectOption(dates[1]);
    await form.getByLabel('Current').selectOption(dates[0]);
    await form.getByRole('button', { name: 'Compare' }).click();
    await page.waitForURL((url) => url.pathname.includes(`${dates[1]}_vs_${dates[0]}`));
    await page.locator('.reports .selected', { hasText: dates[0] }).waitFor();
  });
});

test('a prediction with its features', async () => {
  const [entity] = Object.values(ENTITY);
  await visit(browser, 'predict', async (page) => {
    await page.getByLabel('Entity').fill(String(entity));
    await page.getByRole('button', { name: 'Predict', exact: true }).click();
    await page.getByText('probability of the positive class').waitFor();
    assert.ok((await page.locator('.features li').count()) > 0);
    await page.locator('.histogram, .levels').first().waitFor();
    await keep(page, 'predict');
    await page.getByLabel('Entity').fill('nobody-knows');
    await page.getByRole('button', { name: 'Predict', exact: true }).click();
    await page.getByRole('alert').getByText(/Missing features/).waitFor();
  });
});

test('promote changes the version that answers, roll back changes it back', async () => {
  const served = async () => String((await predict()).body.model?.version);
  const until = async (version) => {
    for (let tries = 0; tries < 300 && (await served()) !== version; tries += 1) await new Promise((done) => setTimeout(done, 100));
    assert.equal(await served(), version);
  };
  const first = await served();
  await visit(browser, 'models', async (page) => {
    const button = page.getByRole('button', { name: /^Promote version/ }).first();
    const name = (await button.getAttribute('aria-label')) ?? '';
    await button.click();
    await keep(page, 'models-promote');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await served(), first);
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name }).click();
    const next = name.replace('Promote version ', '');
    await page.getByText(`answers with version ${next}`).waitFor();
    await until(next);
    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
    await page.getByText(`answers with version ${first}`).waitFor();
    await until(first);
  });
});

test('snapshots, runs and status', async () => {
  await visit(browser, 'data', async (page) => {
    await page.locator('details[open] td.num').first().waitFor();
    await keep(page, 'data');
  });
  await visit(browser, 'runs', async (page) => {
    await page.locator('td a').first().click();
    await page.waitForURL(/runs\/.+/);
    await page.getByRole('heading', { name: 'Steps' }).waitFor();
    await keep(page, 'run');
  });
  await visit(browser, 'status', async (page) => {
    await page.getByRole('heading', { name: /Effective configuration/ }).waitFor();
    await page.getByText('Sample store').waitFor();
    await keep(page, 'status');
  });
});

const session = (page, changes) =>
  page.route('**/api/streamflow/session', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), ...changes } });
  });

test('a read-only console offers no action', async () => {
  const prepare = (page) => session(page, { read_only: true });
  await visit(browser, 'models', async (page) => {
    await page.locator('td').first().waitFor();
    await page.getByText('Read-only').waitFor();
    assert.equal(await page.getByRole('button', { name: /Promote|Roll back/ }).count(), 0);
  }, { prepare });
  await visit(browser, 'drift', async (page) => {
    await page.locator('.reports a').first().waitFor();
    assert.equal(await page.getByRole('button', { name: 'Compare' }).count(), 0);
  }, { prepare });
});

test('the page of the server tells who changed what', async () => {
  await visit(browser, 'status', async (page) => {
    const rows = page.getByRole('region', { name: 'Changes' }).locator('tbody tr');
    await rows.first().waitFor();
    const texts = await rows.allTextContents();
    assert.ok(texts.some((text) => /promote churn version \d/.test(text) && text.includes('done')), texts.join('; '));
    assert.ok(texts.some((text) => text.includes('this machine')), texts.join('; '));
    await keep(page, 'changes', { fullPage: true });
  });
});

test('a viewer is offered no action, and signs out where no proxy names them', async () => {
  for (const [role, actions] of [['viewer', 0], ['operator', 1]]) {
    const prepare = (page) => session(page, { user: 'ada', role });
    await visit(browser, 'models', async (page) => {
      await page.locator('td').first().waitFor();
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
      assert.equal(await page.getByText('A viewer only reads').count(), 1 - actions);
      assert.equal(Math.min(1, await page.getByRole('button', { name: /Promote|Roll back/ }).count()), actions, role);
    }, { prepare });
    await visit(browser, 'drift', async (page) => {
      await page.locator('.reports a').first().waitFor();
      assert.equal(await page.getByRole('button', { name: 'Compare' }).count(), actions, role);
    }, { prepare });
    await visit(browser, 'flows', async (page) => {
      await page.getByRole('heading', { name: 'evaluate_month' }).waitFor();
      assert.equal(Math.min(1, await page.getByRole('button', { name: /Run now/ }).count()), actions, role);
    }, { prepare });
  }
  await visit(browser, 'models', async (page) => {
    await page.getByText('ada').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0);
  }, { prepare: (page) => session(page, { user: 'ada', role: 'viewer', named_by_proxy: true }) });
});

test('somebody whom a proxy names without a role is told why', async () => {
  await visit(browser, 'models', async (page) => {
    await page.getByRole('alert').getByText('user "eve" is in no group').waitFor();
  }, { prepare: (page) => session(page, { login_required: true, user: null, role: null, refusal: 'user "eve" is in no group that console.proxy_login gives a role' }) });
});

test('a console that asks for a login shows the form and nothing else', async () => {
  await visit(browser, 'models', async (page) => {
    await page.getByLabel('User').fill('somebody');
    await page.getByLabel('Password').fill('wrong');
    assert.equal(await page.getByRole('navigation').count(), 0);
    await keep(page, 'login');
  }, { prepare: (page) => session(page, { login_required: true, user: null }) });
});

test('a request that changes something carries the token', async () => {
  await visit(browser, 'predict', async (page) => {
    const [entity] = Object.values(ENTITY);
    await page.getByLabel('Entity').fill(String(entity));
    const asked = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/predict'));
    await page.getByRole('button', { name: 'Predict', exact: true }).click();
    assert.ok((await (await asked).allHeaders())['x-streamflow-token']);
  });
});

test('a firing alert says what it means, its templates expanded', async () => {
  const alert = { labels: { alertname: 'A' }, annotations: { summary: '53% of the columns', description: 'Drifted: age plan.', runbook_url: 'https://runbooks.example/a' }, state: 'firing', activeAt: '2024-05-01T00:00:00Z', value: '5.3e-01' };
  const rule = { name: 'A', query: 'x > 1', type: 'alerting', health: 'ok', state: 'firing', duration: 0, labels: {}, annotations: { summary: '{{ $value }} of the columns', description: 'Drifted: {{ range }}.' }, alerts: [alert] };
  await visit(browser, 'alerts', async (page) => {
    await page.getByText('Drifted: age plan.').waitFor();
    await page.getByText('53% of the columns').waitFor();
    assert.equal(await page.getByText('{{').count(), 0);
    assert.equal(await page.getByRole('link', { name: 'https://runbooks.example/a' }).count(), 1);
    await keep(page, 'alert-description');
  }, { prepare: (page) => answer(page, '**/api/v1/rules', { status: 'success', data: { groups: [{ name: 'g', file: 'rules.yml', interval: 60, rules: [rule, { ...rule, name: 'B', state: 'inactive', alerts: [] , annotations: {} }] }] } }) });
});
