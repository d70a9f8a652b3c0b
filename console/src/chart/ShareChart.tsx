/** Drift share period by period: a bar each, with the threshold of its report. */

import { linkTo } from '../location';
import type { Report } from '../resources';
import { formatValue } from '../units';

const HEIGHT = 148;
const TOP = 18;

/** Reports of one reference and one profile, oldest period first. */
export function ShareChart({ reports, selected }: { reports: readonly Report[]; selected: string | null }) {
  const most = Math.max(0.05, ...reports.flatMap((report) => [report.drift_share, report.threshold])) * 1.12;
  return (
    <ul class="shares" aria-label="Drift share by period">
      {reports.map((report) => {
        const share = report.drift_share;
        const over = share >= report.threshold;
        const y = (value: number): number => TOP + (HEIGHT - TOP) * (1 - value / most);
        return (
          <li key={report.name}>
            <a href={linkTo(`drift/${report.name}`)} aria-current={selected === report.name ? 'page' : undefined}>
              <svg viewBox={`0 0 64 ${HEIGHT}`} aria-hidden="true">
                <rect class={over ? 'over' : 'under'} x="16" width="32" y={y(share)} height={Math.max(1, HEIGHT - y(share))} rx="2" />
                <line x1="6" x2="58" y1={y(report.threshold)} y2={y(report.threshold)} />
                <text x="32" y={y(share) - 5} text-anchor="middle">
                  {formatValue(report.drift_share, 'percentunit', 2)}
                </text>
              </svg>
              <span>{report.current}</span>
              <span class="sr">
                : {formatValue(report.drift_share, 'percentunit')} drifted, {over ? 'at or over' : 'below'} the threshold {formatValue(report.threshold, 'percentunit')}
              </span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}
