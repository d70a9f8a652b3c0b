// `npm run dev`: a real Prometheus, a stand-in for the prediction API with a day of past, and the built console.
// Prints where they listen; Ctrl-C stops all. STREAMFLOW_PROMETHEUS names Prometheus, with promtool beside it.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { backfill } from './backfill.mjs';
import { PredictionApi, rateAt } from './prediction-api.mjs';
import { Resources } from './resources.mjs';
import { consoleServer } from './server.mjs';

const { values } = parseArgs({
  options: {
    console: { type: 'string', default: '9090' },
    prefix: { type: 'string', default: '/' },
    hours: { type: 'string', default: '26' },
    rate: { type: 'string', default: '12' },
    password: { type: 'string' },
    side: { type: 'string' },
    'read-only': { type: 'boolean', default: false },
  },
});
const here = dirname(fileURLToPath(import.meta.url));
const prometheusBinary = process.env.STREAMFLOW_PROMETHEUS ?? '/usr/bin/prometheus';
const promtool = join(dirname(prometheusBinary), 'promtool');

const listen = (server, port) => new Promise((done) => server.listen(port, '127.0.0.1', () => done(server.address().port)));

const api = new PredictionApi(Date.now() % 1000);
const apiServer = createServer((request, response) => {
  if (request.url === '/metrics') {
    response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4' });
    return response.end(api.text());
  }
  request.resume();
  request.on('end', () => {
    const code = api.serve();
    response.writeHead(Number(code), { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ probability: 0.42, model: { name: 'churn', version: api.version } }));
  });
});
const apiPort = await listen(apiServer, 0);
const rate = Number(values.rate);
const traffic = setInterval(() => {
  for (let i = 0; i < (rate / 12) * rateAt(Date.now() / 1000) * 0.2; i += 1) api.serve();
}, 200);

const data = mkdtempSync(join(tmpdir(), 'streamflow-console-'));
mkdirSync(join(data, 'tsdb'));
const hours = Number(values.hours);
if (hours > 0) {
  const now = Math.floor(Date.now() / 15000) * 15;
  writeFileSync(join(data, 'past.txt'), backfill(now - hours * 3600, now - 15, 15));
  execFileSync(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', join(data, 'past.txt'), join(data, 'tsdb')], { stdio: 'ignore' });
}
const rules = { groups: [{ name: 'service', interval: '5s', rules: [
  { record: 'job:api_requests:rate5m', expr: 'sum by (job) (rate(api_requests_total[5m]))' },
  { alert: 'TargetDown', expr: 'up == 0', for: '1m', labels: { severity: 'page' }, annotations: { summary: '{{ $labels.instance }} does not answer' } },
  { alert: 'HighLatency', expr: 'histogram_quantile(0.95, sum by (le) (rate(streamflow_request_duration_seconds_bucket[5m]))) > 0.5', for: '5m', labels: { severity: 'ticket' }, annotations: { summary: 'p95 is over half a second', description: '95 of 100 requests take up to {{ $value | humanizeDuration }}.' } },
] }] };
writeFileSync(join(data, 'rules.yml'), JSON.stringify(rules));
const freePort = createServer();
const prometheusPort = await listen(freePort, 0);
await new Promise((done) => freePort.close(done));
writeFileSync(join(data, 'prometheus.yml'), JSON.stringify({
  global: { scrape_interval: '2s', evaluation_interval: '5s' },
  rule_files: ['rules.yml'],
  scrape_configs: [
    { job_name: 'api', static_configs: [{ targets: [`127.0.0.1:${apiPort}`], labels: { instance: 'api:8000' } }] },
    { job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${prometheusPort}`] }] },
    ...(values.side ? [{ job_name: 'side', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [`127.0.0.1:${values.side}`] }] }] : []),
    { job_name: 'batch', scrape_interval: '15s', static_configs: [{ targets: ['127.0.0.1:1'] }] },
  ],
}));
const prometheus = spawn(prometheusBinary, [`--config.file=${join(data, 'prometheus.yml')}`, `--storage.tsdb.path=${join(data, 'tsdb')}`, `--web.listen-address=127.0.0.1:${prometheusPort}`, '--log.level=error'], { stdio: ['ignore', 'inherit', 'inherit'] });
for (let tries = 0; tries < 150; tries += 1) {
  const ready = await fetch(`http://127.0.0.1:${prometheusPort}/-/ready`).catch(() => null);
  if (ready?.ok) break;
  await new Promise((done) => setTimeout(done, 100));
}

const resources = new Resources(api, { readOnly: values['read-only'], password: values.password ?? null });
const server = consoleServer({ dist: join(here, '../dist'), prometheus: `http://127.0.0.1:${prometheusPort}`, resources, prefix: values.prefix });
const port = await listen(server, Number(values.console));
process.stdout.write(`listening on http://127.0.0.1:${apiPort}\nconsole on http://127.0.0.1:${port}${values.prefix}\n`);

const stop = () => {
  clearInterval(traffic);
  prometheus.once('exit', () => {
    rmSync(data, { recursive: true, force: true });
    process.exit(0);
  });
  prometheus.kill();
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
