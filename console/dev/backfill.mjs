// A day of the stand-in's past as OpenMetrics text, for `promtool tsdb create-blocks-from openmetrics`.

import { PredictionApi, rateAt, series } from './prediction-api.mjs';

/** Text from `start` to `end` (seconds), a sample of every series each `step` seconds. */
export function backfill(start, end, step) {
  const api = new PredictionApi();
  const families = new Map();
  for (let now = start; now <= end; now += step) {
    const count = Math.round(rateAt(now) * step);
    const load = rateAt(now) > 40 ? 4 : 1;
    for (let i = 0; i < Math.min(count, 400); i += 1) api.serve(load);
    for (const [name, labels, value, type] of api.samples(now)) {
      const family = type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : type === 'counter' ? name.replace(/_total$/, '') : name;
      const entry = families.get(family) ?? { type, series: new Map() };
      families.set(family, entry);
      const key = series(name, { ...labels, job: 'api', instance: 'api:8000' });
      const lines = entry.series.get(key) ?? [];
      entry.series.set(key, lines);
      lines.push(`${key} ${value} ${now}`);
    }
    const up = families.get('up') ?? { type: 'gauge', series: new Map([['up', []]]) };
    families.set('up', up);
    up.series.get('up').push(`up{job="api",instance="api:8000"} 1 ${now}`);
  }
  let out = '';
  for (const [family, { type, series: all }] of families) {
    out += `# TYPE ${family} ${type}\n`;
    // OpenMetrics wants the samples of a family together; promtool takes any order of times.
    for (const lines of all.values()) out += `${lines.join('\n')}\n`;
  }
  return `${out}# EOF\n`;
}
