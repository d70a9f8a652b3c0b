/** A list of any length: filtered, sorted and saved as CSV; only the rows in sight are in the page. */

import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { place, setParameters } from '../location';
import { Icon } from '../shell/Icon';
import { counted, formatNumber } from '../units';
import { compare, matching, nextSort, readSort, type CellValue, type Sort } from './rows';
import { useNearChunks } from './useNearChunks';

export interface Column<Row> {
  /** Empty for a column of actions: it is not sorted by nor saved. */
  key: string;
  title: string;
  /** A number, aligned right. */
  num?: boolean;
  className?: string;
  /** What is searched, sorted by and saved. */
  value: (row: Row) => CellValue;
  /** What is shown; the value itself without it. */
  cell?: (row: Row) => ComponentChildren;
  /** Shown when the pointer rests on the cell. */
  hint?: (row: Row) => string;
}

export interface DataTableProps<Row> {
  title: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string | number;
  selected?: string | number | null;
  className?: string;
  /** Begins the names of filter and order in the address, so that a page may have a second list. */
  prefix?: string;
  /** What is said where there is no row to choose from. */
  none?: string;
  /** More ways to choose among the rows, before the search. */
  children?: ComponentChildren;
}

/** Rows that come and go together. */
const CHUNK = 40;

export function DataTable<Row>({ title, columns, rows, rowKey, selected = null, className = '', prefix = '', none, children }: DataTableProps<Row>) {
  const search = place.value.parameters.get(`${prefix}q`) ?? '';
  const order = place.value.parameters.get(`${prefix}sort`) ?? '';
  const sort = (by: string): void => setParameters({ [`${prefix}sort`]: by }, true);
  const texts = useMemo(() => rows.map((row) => columns.map((column) => column.value(row) ?? '').join('\n').toLowerCase()), [rows, columns]);
  const shown = useMemo(() => arrange(rows, columns, matching(texts, search), readSort(order)), [rows, columns, texts, search, order]);
  const exportCsv = (): void => {
    const saved = columns.filter(({ key }) => key !== '');
    const cells = shown.map((row) => saved.map((column) => column.value(row)));
    void import('../export').then(({ saveCsv }) => saveCsv(title, saved.map((column) => column.title), cells));
  };
  return (
    <>
      <div class="tools">
        {children}
        <input type="search" aria-label={`Filter ${title.toLowerCase()}`} placeholder="Filter" value={search} onInput={(event) => setParameters({ [`${prefix}q`]: event.currentTarget.value }, true)} />
        <SortChoice columns={columns} order={order} sort={sort} />
        <button type="button" onClick={exportCsv} disabled={shown.length === 0}>
          Save as CSV
        </button>
        <small role="status">{shown.length === rows.length ? '' : `${formatNumber(shown.length, 9)} of `}{counted(rows.length, 'row')}</small>
      </div>
      {shown.length === 0 ? <p class="nothing">{none !== undefined && rows.length === 0 ? none : `Nothing matches “${search}”.`}</p> : <Rows title={title} columns={columns} rows={shown} rowKey={rowKey} selected={selected} className={className} order={order} sort={sort} view={`${search}\n${order}`} />}
    </>
  );
}

function arrange<Row>(rows: readonly Row[], columns: readonly Column<Row>[], found: readonly number[], sort: Sort | null): Row[] {
  const left = found.flatMap((i) => rows.slice(i, i + 1));
  const column = columns.find((one) => one.key === sort?.key);
  if (!column || !sort) return left;
  const keyed = left.map((row) => ({ row, value: column.value(row) }));
  return keyed.sort((a, b) => compare(a.value, b.value, sort.descending)).map(({ row }) => row);
}

interface Sorting<Row> {
  columns: readonly Column<Row>[];
  order: string;
  sort: (by: string) => void;
}

/** On a phone, where the columns have no heads to click on. */
function SortChoice<Row>({ columns, order, sort }: Sorting<Row>) {
  return (
    <select class="sort-choice" aria-label="Sort by" value={order} onChange={(event) => sort(event.currentTarget.value)}>
      <option value="">As listed</option>
      {columns.filter(({ key }) => key !== '').flatMap(({ key, title }) => [
        <option key={key} value={key}>
          {title} ↑
        </option>,
        <option key={`-${key}`} value={`-${key}`}>
          {title} ↓
        </option>,
      ])}
    </select>
  );
}

interface RowsProps<Row> extends Required<Omit<DataTableProps<Row>, 'children' | 'none' | 'prefix'>>, Sorting<Row> {
  /** Changes with the choice and the order of the rows. */
  view: string;
}

function Rows<Row>({ title, columns, rows, rowKey, selected, className, order, sort, view }: RowsProps<Row>) {
  const box = useRef<HTMLDivElement>(null);
  const chunks = Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, n) => rows.slice(n * CHUNK, (n + 1) * CHUNK));
  const place = useMemo(() => Math.max(0, selected === null ? 0 : rows.findIndex((row) => rowKey(row) === selected)), [view]);
  const { near, heightOf } = useNearChunks(box, chunks.length, view, Math.floor(place / CHUNK));
  useLayoutEffect(() => {
    const row = box.current?.querySelector<HTMLElement>('tr.selected');
    if (box.current && row && place > 0) box.current.scrollTop = row.offsetTop - box.current.clientHeight / 2;
  }, [view]);
  return (
    <div class={`table-box long ${className}`} tabIndex={0} role="region" aria-label={title} ref={box}>
      <table class="data stacking" aria-rowcount={rows.length + 1}>
        <Heads columns={columns} order={order} sort={sort} />
        {chunks.map((chunk, n) =>
          near.has(n) ? (
            <tbody key={n} data-chunk={n} data-rows={chunk.length}>
              {chunk.map((row, i) => (
                <Line key={rowKey(row)} columns={columns} row={row} index={n * CHUNK + i + 2} selected={rowKey(row) === selected} />
              ))}
            </tbody>
          ) : (
            <tbody key={n} data-chunk={n} aria-hidden="true">
              <tr class="beyond" style={{ height: `${heightOf(n, chunk.length)}px` }}>
                <td colSpan={columns.length} />
              </tr>
            </tbody>
          ),
        )}
      </table>
    </div>
  );
}

function Heads<Row>({ columns, order, sort }: Sorting<Row>) {
  const present = readSort(order);
  return (
    <thead>
      <tr>
        {columns.map(({ key, title, num }) => {
          const own = present?.key === key ? present : null;
          if (key === '') {
            return (
              <th scope="col" key={key}>
                <span class="sr">{title}</span>
              </th>
            );
          }
          return (
            <th scope="col" key={key} class={num ? 'num' : ''} aria-sort={own ? (own.descending ? 'descending' : 'ascending') : 'none'}>
              <button type="button" class="head" onClick={() => sort(nextSort(present, key))}>
                {title}
                {own && <Icon name={own.descending ? 'down' : 'up'} />}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

function Line<Row>({ columns, row, index, selected }: { columns: readonly Column<Row>[]; row: Row; index: number; selected: boolean }) {
  return (
    <tr aria-rowindex={index} class={selected ? 'selected' : ''}>
      {columns.map(({ key, title, num, className, value, cell, hint }) => (
        <td key={key} data-label={title} class={`${num ? 'num' : ''} ${className ?? ''}`} title={hint?.(row)}>
          {cell ? cell(row) : (value(row) ?? '–')}
        </td>
      ))}
    </tr>
  );
}
