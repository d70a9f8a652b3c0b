/** What was ingested: a snapshot a period, its tables, and how they stood up to their expectations. */

import { zone } from '../preferences';
import { fetchSnapshots, type Expectation, type Snapshot, type SnapshotTable } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { PageHead } from '../shell/PageHead';
import type { PageProps } from '../shell/pages';
import { Empty, Loaded } from '../shell/states';
import { formatTime, toMillis } from '../time/clock';
import { counted, formatNumber, formatValue } from '../units';

export function Data({ rest }: PageProps) {
  const snapshots = useResource(fetchSnapshots, []);
  return (
    <>
      <PageHead title="Data" about="Snapshots that were validated whole and committed whole." />
      <Loaded resource={snapshots}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="Nothing is ingested yet">
              <p>A folder with one file a table becomes a snapshot:</p>
              <pre>streamflow ingest --as-of 2024-01-31 drops/month_2024-01-31</pre>
            </Empty>
          ) : (
            all.map((snapshot, n) => <SnapshotBlock key={snapshot.as_of} snapshot={snapshot} open={rest === '' ? n === 0 : rest === snapshot.as_of} />)
          )
        }
      </Loaded>
    </>
  );
}

function verdictOf(table: SnapshotTable): { passed: number; failed: number } {
  return { failed: table.failed, passed: table.passed };
}

function SnapshotBlock({ snapshot, open }: { snapshot: Snapshot; open: boolean }) {
  const { tables } = snapshot;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const failed = tables.reduce((sum, table) => sum + verdictOf(table).failed, 0);
  return (
    <details class="card fold" open={open}>
      <summary>
        <b>{snapshot.as_of}</b>
        <Chip tone={failed ? 'bad' : 'good'}>{failed ? `${failed} failed` : 'Valid'}</Chip>
        <small>
          {counted(tables.length, 'table')}, {counted(rows, 'row')}
        </small>
      </summary>
      <p class="after">
        Ingested {formatTime(toMillis(snapshot.ingested), zone.value)}
      </p>
      <div class="table-box" tabIndex={0} role="region" aria-label={`Tables of ${snapshot.as_of}`}>
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col" class="num">
                Rows
              </th>
              <th scope="col" class="num">
                Size
              </th>
              <th scope="col">Expectations</th>
            </tr>
          </thead>
          <tbody>
            {tables.map((table) => (
              <TableRow key={table.name} table={table} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** `expect_column_values_to_be_between` of monthly_fee as `monthly_fee: values to be between, min value 0, max value 500`. */
function sayExpectation({ expectation_config: config }: Expectation): string {
  const { column, ...others } = config?.kwargs ?? {};
  const rule = (config?.type ?? '').replace(/^expect_(column_)?/, '').replace(/_/g, ' ');
  const limit = Object.entries(others)
    .filter(([name]) => name !== 'batch_id')
    .map(([name, value]) => `, ${name.replace(/_/g, ' ')} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return `${typeof column === 'string' ? `${column}: ` : ''}${rule}${limit.join('')}`;
}

function sayOutcome({ success, result }: Expectation): string {
  if (result?.observed_value != null) return `found ${JSON.stringify(result.observed_value)}`;
  return success === false && result?.unexpected_count ? `${counted(result.unexpected_count, 'row')} ${result.unexpected_count === 1 ? 'does' : 'do'} not` : '';
}

function TableRow({ table }: { table: SnapshotTable }) {
  const { passed, failed } = verdictOf(table);
  const list = table.expectations;
  const summary = passed + failed === 0 ? 'none' : failed ? `${failed} of ${passed + failed} failed` : `${passed} passed`;
  return (
    <tr>
      <td>{table.name}</td>
      <td class="num">{formatNumber(table.rows, 9)}</td>
      <td class="num">{formatValue(table.bytes, 'bytes')}</td>
      <td>
        {list.length === 0 ? (
          <span class={failed ? 'v-bad' : ''}>{summary}</span>
        ) : (
          <details>
            <summary class={failed ? 'v-bad' : ''}>{summary}</summary>
            <ul class="expectations">
              {list.map((one, i) => (
                <li key={i}>
                  <Chip tone={one.success === false ? 'bad' : 'good'}>{one.success === false ? 'failed' : 'passed'}</Chip> {sayExpectation(one)} <small>{sayOutcome(one)}</small>
                </li>
              ))}
            </ul>
          </details>
        )}
      </td>
    </tr>
  );
}
