// The loop that closes itself: flows, their runs, the performance of versions, and what is marked on charts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { evaluations, flows, promotionReport } from '../dev/loop.mjs';
import { answer, findings, keep, launch, LONG, settled, visit } from './browser.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const at = (second) => new Date(Date.parse('2026-01-31T10:00:00Z') + second * 1000).toISOString();
const task = (name, attempt, second, more = {}) => ({ name, attempt, state: 'completed', state_name: 'Completed', started: at(second), duration_ms: 900, error: '', ...more });
const line = (id, level = 'info', message = `line ${id}`) => ({ id, time: at(id), level, message });
const run = (more) => ({
  id: 7, flow: 'monthly', state: 'completed', state_name: 'NO_ACTION', message: '', started: at(0), ended: at(90), due: null, period: '2024-02-29', cause: 'schedule', attempt: 1, report: 'drift_a_vs_b',
  parameters: { as_of: '2024-02-29', seed: null }, tasks: [task('ingest', 1, 0), task('fit', 1, 2)], logs: [line(1), line(2, 'warning'), line(3, 'error')],
  transitions: [{ task: null, state: 'scheduled', state_name: 'Scheduled', message: '', actor: 'schedule', at: at(0) }], approvals: [], ...more,
});
const failed = run({ state: 'failed', state_name: 'Failed', message: 'fit: no label', attempt: 2, tasks: [task('ingest', 1, 0), task('fit', 1, 2, { state: 'failed', state_name: 'Failed', error: 'no label' }), task('fit', 2, 60, { state: 'failed', state_name: 'Failed', error: `no label in ${LONG}` })] });
const paused = run({ state: 'paused', state_name: 'Suspended', message: 'Promote version 2?', ended: null, approvals: [{ run_id: 7, task: 'promote', question: 'Promote version 2? The AUC is higher.', asked_at: at(80), expires_at: at(90_000), answer: null, answered_by: null, answered_at: null, note: '' }] });

/** Answers for run 7, and keeps what is posted. */
const runs = (record, posted = []) => async (page) => {
  await answer(page, '**/api/streamflow/runs/7', record);
  await answer(page, /runs\/7\/logs/, { state: record.state, state_name: record.state_name, lines: [] });
  await posts(posted)(page);
};
const posts = (posted) => (page) =>
  page.route('**/api/streamflow/**', async (route) => {
    const request = route.request();
    if (request.method() !== 'POST') return route.fallback();
    posted.push([new URL(request.url()).pathname.replace(/.*streamflow\//, ''), request.postDataJSON()]);
    return route.fulfill({ json: { id: 8, flow: 'monthly', state: 'scheduled', runs: [8, 9] } });
  });
const readOnly = (page) =>
  page.route('**/api/streamflow/session', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), read_only: true } });
  });

test('a flow is run from its page, its run is followed, and its evaluation is shown', async () => {
  await visit(browser, 'flows', async (page) => {
    await page.getByRole('button', { name: 'Run now: evaluate_month' }).click();
    await page.getByRole('dialog').getByLabel('as_of').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click();
    await page.waitForURL(/runs\/\d+/);
    await page.locator('.run-state .chip', { hasText: /No action|Retraining triggered|Undecided/ }).waitFor();
    await page.locator('.step-name').first().waitFor();
    await keep(page, 'run-of-a-flow', { fullPage: true });
    await page.getByRole('navigation').getByRole('link', { name: 'Performance' }).click();
    await page.locator('.auc-chart a').first().waitFor();
    await page.getByRole('region', { name: 'All metrics' }).waitFor();
    await keep(page, 'performance', { fullPage: true });
  });
});

test('two versions are compared on the rows of a month, and a version tells where it comes from', async () => {
  await visit(browser, 'models', async (page) => {
    const form = page.getByRole('form', { name: 'Compare two versions' });
    await form.getByLabel('Candidate').waitFor();
    await form.getByRole('button', { name: 'Compare versions' }).click();
    await page.locator('.outcome').getByText(/rows were compared/).waitFor();
    await page.getByRole('link', { name: 'Lineage of version 2' }).click();
    await page.waitForURL(/models\/2/);
    const lineage = page.getByRole('region', { name: 'Lineage of version 2' });
    await lineage.getByRole('link').first().waitFor();
    await page.getByRole('region', { name: 'Promotions' }).getByText(/Promoted churn version/).first().waitFor();
    await keep(page, 'models', { fullPage: true });
  });
});

test('the parameters of a flow are asked for by their kinds, and only those given are sent', async () => {
  const posted = [];
  await visit(browser, 'flows', async (page) => {
    await page.getByRole('button', { name: 'Run now: monthly' }).click();
    const dialog = page.getByRole('dialog');
    assert.equal(await dialog.getByLabel('as_of').getAttribute('placeholder'), '2024-01-31 or 2024-01-31T13:00');
    assert.equal(await dialog.getByLabel('seed').getAttribute('step'), '1');
    await keep(page, 'flow-run');
    assert.deepEqual(await findings(page), []);
    await dialog.getByLabel('as_of').fill('2024-02-29');
    await dialog.getByLabel('drop').fill('drops/month_2024-02-29');
    await dialog.getByLabel('seed').fill('7');
    await dialog.getByLabel('promote').selectOption('ask');
    await page.keyboard.press('Enter');
    await page.waitForURL(/runs\/8/);
    assert.deepEqual(posted, [['flows/monthly/run', { parameters: { as_of: '2024-02-29', drop: 'drops/month_2024-02-29', seed: 7, promote: 'ask' } }]]);
  }, { expected: ['404'], prepare: async (page) => (await answer(page, '**/api/streamflow/flows', flows()), posts(posted)(page)) });
});

test('a schedule is told in words, paused, and months of the past are run', async () => {
  const posted = [];
  const months = ['2024-02-29', '2024-01-31'].map((as_of) => ({ as_of, tables: [] }));
  const prepare = async (page) => {
    await answer(page, '**/api/streamflow/flows', flows());
    await answer(page, '**/api/streamflow/snapshots', months);
    await posts(posted)(page);
  };
  await visit(browser, 'flows', async (page) => {
    const card = page.locator('.flow', { hasText: 'monthly' }).first();
    await card.getByText('at 06:00 on day 1 of every month').waitFor();
    await card.getByText('a new folder in drops').waitFor();
    await card.getByText(/^1 time/).click();
    await card.getByText('the server was not running').waitFor();
    await keep(page, 'flows', { fullPage: true });
    await page.getByRole('button', { name: 'Pause monthly' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Backfill monthly' }).click();
    await page.getByRole('dialog').getByLabel('From').selectOption('2024-01-31');
    await page.getByRole('dialog').getByLabel(/Only months/).check();
    await page.getByRole('dialog').getByRole('button', { name: 'Backfill', exact: true }).click();
    await page.waitForURL(/runs\?flow=monthly/);
    assert.deepEqual(posted, [['flows/monthly/schedule', { paused: true }], ['flows/monthly/backfill', { from: '2024-01-31', to: '2024-02-29', failed_only: true, parameters: {} }]]);
  }, { prepare });
  await visit(browser, 'flows', async (page) => {
    await page.getByText('at 06:00 on day 1 of every month').waitFor();
    assert.equal(await page.getByRole('button', { name: /Run|Pause|Backfill/ }).count(), 0);
  }, { prepare: async (page) => (await readOnly(page), prepare(page)) });
});

test('runs are chosen by flow, state and month', async () => {
  await visit(browser, 'runs?refresh=off', async (page) => {
    await page.getByRole('figure', { name: /Runs over time/ }).waitFor();
    for (const [name, value, query] of [['Flow', 'monitor_month', 'flow=monitor_month'], ['State', 'failed', 'state=failed']]) {
      const asked = page.waitForRequest((request) => request.url().includes(`runs?limit=5000`) && request.url().includes(query));
      await page.getByLabel(name, { exact: true }).selectOption(value);
      await asked;
      await page.waitForURL((url) => url.search.includes(query));
    }
  });
  await visit(browser, 'runs?period=1999-12-31', async (page) => {
    await page.getByText('No run is like that.').waitFor();
    assert.equal(await page.getByLabel('Month').inputValue(), '1999-12-31');
  });
});

test('ten thousand steps are walked by keys, and only those in sight are in the page', async () => {
  const tasks = Array.from({ length: 10_000 }, (_, i) => task(`step ${i}`, 1, i));
  tasks.push(task('step 3', 2, 10_000, { state: 'failed', state_name: 'Failed', error: 'no space left on device' }));
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.locator('[data-step="0"]').focus();
    assert.ok((await page.locator('.steps li').count()) < 60);
    await page.keyboard.press('End');
    await page.locator('[data-step="9999"]:focus').waitFor();
    assert.ok((await page.locator('.steps li').count()) < 60);
    await page.keyboard.press('Home');
    for (let i = 0; i < 3; i += 1) await page.keyboard.press('ArrowDown');
    await page.locator('[data-step="3"]:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.attempts').getByText('Attempt 2').waitFor();
    await page.locator('.attempts').getByText('no space left on device').waitFor();
    await keep(page, 'run-10000-steps');
    assert.deepEqual(await findings(page), []);
  }, { prepare: runs(run({ tasks, state: 'failed', state_name: 'Failed', attempt: 2 })) });
});

test('a failed run is tried again from a step, or repeated as it was', async () => {
  const posted = [];
  for (const width of [400, 1360]) {
    await visit(browser, 'runs/7?refresh=off', async (page) => {
      await settled(page);
      await page.locator('.run-state').getByText('fit: no label').waitFor();
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)) <= 0, `fits into ${width} px`);
      await keep(page, `run-failed-${width}`, { fullPage: true });
    }, { width, prepare: runs(failed) });
  }
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('dialog').getByLabel('Runs again').selectOption('from fit on');
    await page.getByRole('dialog').getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Run again' }).click();
    await page.waitForURL(/runs\/8/);
    assert.deepEqual(posted, [['runs/7/retry', { from: 'fit' }], ['flows/monthly/run', { parameters: { as_of: '2024-02-29' } }]]);
  }, { expected: ['404'], prepare: runs(failed, posted) });
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.getByRole('button', { name: 'Errors' }).click();
    assert.deepEqual(await page.locator('.log li').allTextContents().then((texts) => texts.map((text) => text.replace(/^\S+ /, ''))), ['ERROR line 3']);
    assert.equal(await page.getByRole('button', { name: /Retry|Run again|Cancel/ }).count(), 0);
  }, { prepare: async (page) => (await readOnly(page), runs(failed)(page)) });
});

test('the question of a paused run is answered with a note', async () => {
  const posted = [];
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.getByText(/^It waits: Promote version 2/).waitFor();
    await page.getByLabel('Note').fill('looks right');
    await keep(page, 'run-paused');
    assert.deepEqual(await findings(page), []);
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Approved: the run goes on.').waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Reject' }).click();
    await page.getByText('Rejected: the run goes on without it.').waitFor({ state: 'attached' });
    assert.deepEqual(posted, [['runs/7/answer', { approved: true, note: 'looks right' }], ['runs/7/answer', { approved: false, note: 'looks right' }]]);
  }, { prepare: runs(paused, posted) });
});

test('the log follows an active run to its end', async () => {
  let [asked, ended] = [0, false];
  const record = () => (ended ? run({ logs: [] }) : run({ state: 'running', state_name: 'Running', ended: null, logs: [line(1)] }));
  const prepare = async (page) => {
    await answer(page, '**/api/streamflow/runs/7', record);
    await answer(page, /runs\/7\/logs/, (url) => {
      const last = Number(url.searchParams.get('after'));
      asked += 1;
      ended = asked > 3;
      const { state, state_name } = record();
      return { state, state_name, lines: ended ? [] : [line(last + 1)] };
    });
  };
  await visit(browser, 'runs/7?refresh=off', async (page) => {
    await page.getByText('line 4').waitFor();
    await page.locator('.run-state .chip', { hasText: 'No action' }).waitFor();
    assert.deepEqual(await page.locator('.log li').allTextContents().then((texts) => texts.map((text) => /line \d+/.exec(text)?.[0])), ['line 1', 'line 2', 'line 3', 'line 4']);
  }, { prepare });
});

test('an estimate is told apart from what labels say', async () => {
  for (const [width, scheme] of [[1360, 'light'], [400, 'dark']]) {
    await visit(browser, 'performance', async (page) => {
      await page.locator('.auc-chart a').first().waitFor();
      const said = await page.locator('.auc-chart a').evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')));
      assert.ok(said.some((text) => text.includes('by its labels')) && said.some((text) => text.includes('estimated, without labels')));
      assert.notEqual(await page.locator('.auc-line path.estimate').first().evaluate((path) => getComputedStyle(path).strokeDasharray), 'none');
      await page.locator('.auc-chart a').last().focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(/performance\/2024-/);
      await page.goto(page.url().replace(/performance\/.*/, 'performance/2024-05-31/1'));
      await page.getByText('all that follows is an estimate').waitFor();
      await page.locator('.reports').getByRole('link', { name: '2024-04-30' }).first().click();
      await page.locator('.confusion').waitFor();
      await page.getByRole('region', { name: 'Worst slices' }).getByText('contract_type: month-to-month, and tenure_months: up to 4').waitFor();
      await keep(page, `performance-${width}`, { fullPage: true });
      assert.deepEqual(await findings(page), []);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)) <= 0, `fits into ${width} px`);
    }, { width, scheme, prepare: (page) => answer(page, '**/api/streamflow/performance', evaluations()) });
  }
  await visit(browser, 'performance', async (page) => {
    await page.locator('.empty').getByText('Labels come with the drop').waitFor();
    await page.locator('.empty').getByText('streamflow evaluate').waitFor();
  }, { prepare: (page) => answer(page, '**/api/streamflow/performance', []) });
});

test('a comparison of versions says what each interval is', async () => {
  const versions = [3, 2, 1].map((version) => ({ version, created: at(0), trained_on: '2024-01-31', metrics: {}, production: version === 2, run_id: version }));
  const prepare = async (page) => {
    await answer(page, '**/api/streamflow/models', { name: 'churn', production: 2, versions });
    await answer(page, '**/api/streamflow/models/compare', promotionReport());
    await answer(page, '**/api/streamflow/snapshots', [{ as_of: '2024-02-29', tables: [] }]);
  };
  await visit(browser, 'models', async (page) => {
    await page.getByRole('button', { name: 'Compare versions' }).click();
    await page.locator('.outcome').getByText('Better').waitFor();
    await page.locator('.outcome').getByText('+0.008 to +0.034').waitFor();
    await page.getByRole('region', { name: 'Lineage of version 2' }).getByRole('link', { name: 'run 2' }).waitFor();
    await keep(page, 'models-compare');
    assert.deepEqual(await findings(page), []);
  }, { prepare, width: 400 });
});

test('what happened is marked on charts, in words under the pointer', async () => {
  const end = Math.floor(Date.now() / 1000);
  const marks = (url) => [{ at: new Date((Number(url.searchParams.get('start')) + Number(url.searchParams.get('end'))) * 500).toISOString(), kind: 'promotion', text: 'churn version 2 promoted by ada', run_id: null }];
  await visit(browser, `?from=${(end - 3600) * 1000}&to=${end * 1000}&refresh=off`, async (page) => {
    const chart = page.locator('.kind-timeseries .chart').first();
    await chart.locator('canvas').waitFor();
    await page.waitForFunction(() => document.querySelector('.kind-timeseries .plot')?.getAttribute('aria-label')?.includes('; 1 mark of promotions'));
    const box = await chart.locator('.u-over').boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await chart.locator('.event-tip', { hasText: 'churn version 2 promoted by ada' }).waitFor();
    await keep(page, 'annotation');
    await page.mouse.move(box.x + box.width / 4, box.y + box.height / 2);
    await chart.locator('.event-tip').waitFor({ state: 'hidden' });
  }, { prepare: (page) => answer(page, /api\/streamflow\/annotations/, marks) });
});

test('a tile is red where an expression says so', async () => {
  const panel = { title: 'Model performance', description: 'AUC.', empty: 'Nothing yet.', kind: 'stat', unit: 'short', width: 12, thresholds: [], lines: [], alarm: 'fallen', targets: [{ expression: 'auc', legend: '' }] };
  for (const [fallen, shown] of [['1', '.v-bad'], ['0', '.v-plain']]) {
    await visit(browser, '?refresh=off', async (page) => {
      await page.locator(`.stat-value${shown}`, { hasText: '0.49' }).waitFor();
    }, {
      prepare: async (page) => {
        await answer(page, '**/api/streamflow/panels', { dashboards: [{ uid: 'd', title: 'D', description: '', rows: [{ title: 'Row', panels: [panel] }] }] });
        await answer(page, /api\/v1\/query_range/, (url) => ({ status: 'success', data: { resultType: 'matrix', result: [{ metric: {}, values: [[Number(url.searchParams.get('end')), '0.49']] }] } }));
        await answer(page, /api\/v1\/query\?/, { status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [0, fallen] }] } });
      },
    });
  }
});

test('notes on answers are a list with commands as code, and the share of labels is what the server says', async () => {
  const period = { period: '2024-04-01', version: '2', rows: 7047, labelled: 2219, entities: 7047, counted: 7047, counted_labelled: 2219, state: 'partial', state_words: 'partial 31 %', metric: 'roc_auc', realised: {}, estimated: null };
  const notes = ['1000 of the answers were made from 2024-03-31, which `streamflow evaluate --as-of 2024-03-31` leaves out.', 'What the labels say holds for the 2219 labelled answers only.'];
  const ofLabels = '2 labels name entities that their requests were not about, so they do not count (request r1, r2): send the entity of the request, or its request_id alone.';
  const prepare = (page) => answer(page, '**/api/streamflow/performance/answers**', { periods: [{ ...period, notes }], unknown_labels: 1, notes: [ofLabels] });
  await visit(browser, 'performance', async (page) => {
    await page.getByText('partial 31 %', { exact: true }).waitFor();
    const items = page.locator('.notes li');
    assert.deepEqual(await items.count(), 4);
    assert.equal(await items.nth(2).textContent(), ofLabels);
    assert.equal(await items.first().locator('code').textContent(), 'streamflow evaluate --as-of 2024-03-31');
    assert.equal(await items.last().textContent(), '1 label is of no answer of these days.');
    assert.ok(!(await page.locator('main').innerText()).includes('`'));
    assert.deepEqual(await findings(page), []);
    await items.first().scrollIntoViewIfNeeded();
    await keep(page, 'performance-notes');
  }, { prepare });
});
