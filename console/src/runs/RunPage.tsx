/** One run: how it stands and why, its steps on the time, its log, and what happened to it. */

import { Fragment, type ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { linkTo } from '../location';
import { zone } from '../preferences';
import { fetchModels, fetchRun, type Approval, type Run, type Transition } from '../resources';
import { useResource } from '../resource';
import { PageHead } from '../shell/PageHead';
import { Loaded } from '../shell/states';
import { TimeControls } from '../shell/TimeControls';
import { DataTable, type Column } from '../table/DataTable';
import { formatTime, isoTime, toMillis } from '../time/clock';
import { ticks } from '../time/view';
import { Actions, Question } from './Actions';
import { Log, useLog } from './Log';
import { hasEnded, isActive, pairsOf, Parameters, StateChip, stateOf, took } from './state';
import { Timeline } from './Timeline';

export function RunPage({ id }: { id: string }) {
  const run = useResource((signal) => fetchRun(id, signal), [id]);
  const active = run.data !== undefined && isActive(run.data.state);
  const lines = useLog(run.data, run.reload);
  useEffect(() => {
    if (active) run.reload();
  }, [ticks.value]);
  return (
    <>
      <PageHead title={`Run ${id.slice(0, 8)}`} about={<a href={linkTo('runs')}>All runs</a>}>
        {run.data && String(run.data.id) === id && <Actions run={run.data} changed={run.reload} />}
        <TimeControls only="refresh" />
      </PageHead>
      <Loaded resource={run}>
        {(one) => (
          <>
            <Facts run={one} />
            {one.state === 'paused' && one.approvals?.filter(({ answer }) => answer === null).map((approval) => <Question key={approval.task} run={one} approval={approval} changed={run.reload} />)}
            <section class="block">
              <h2>Steps</h2>
              <Timeline key={String(one.id)} run={one} />
            </section>
            <section class="block">
              <h2>Log</h2>
              <Log key={String(one.id)} run={one} lines={lines} />
            </section>
            {one.transitions && <Transitions list={one.transitions} />}
          </>
        )}
      </Loaded>
    </>
  );
}

function Facts({ run }: { run: Run }) {
  const models = useResource(fetchModels, [run.id, run.state]);
  const trained = models.data?.versions.filter((version) => version.run_id != null && String(version.run_id) === String(run.id)) ?? [];
  const moment = (value: string | number | null | undefined): string | null => (Number.isFinite(toMillis(value)) ? formatTime(toMillis(value), zone.value) : null);
  const rows: [name: string, value: ComponentChildren][] = [
    ['Flow', <a href={linkTo('runs', { flow: run.flow })}>{run.flow}</a>],
    ['Started by', run.cause],
    ['Attempt', run.attempt],
    ['Month', run.period && <a href={linkTo(`data/${run.period}`)}>{run.period}</a>],
    ['Due', moment(run.due)],
    ['Started', moment(run.started)],
    ['Ended', moment(run.ended)],
    ['Took', hasEnded(run.state) ? took(run) : null],
    ['Report', run.report && <a href={linkTo(`drift/${run.report}`)}>{run.report}</a>],
    ['Model', trained.length > 0 && trained.map(({ version }) => <a key={version} href={linkTo(`models/${version}`)}>version {version}</a>)],
    ['Parameters', pairsOf(run.parameters).length > 0 && <Parameters value={run.parameters} />],
  ];
  return (
    <section class="card run-facts" aria-label="The run">
      <p class="run-state">
        <StateChip run={run} />
        {run.message && <span class={run.state === 'failed' || run.state === 'crashed' ? 'row-error' : ''}>{/^(scheduled|pending|paused)$/.test(run.state) ? `It waits: ${run.message}` : run.message}</span>}
      </p>
      <dl class="facts pairs">
        {rows
          .filter(([, value]) => value !== null && value !== undefined && value !== false && value !== '')
          .map(([name, value]) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </Fragment>
          ))}
      </dl>
      {run.approvals?.filter(({ answer }) => answer !== null).map((approval) => <Answered key={approval.task} approval={approval} />)}
    </section>
  );
}

function Answered({ approval: { question, answer, answered_by: by, answered_at: at, note } }: { approval: Approval }) {
  return (
    <p class="after">
      {question} <b>{answer}</b> by {by} at {formatTime(toMillis(at), zone.value)}
      {note && <>: “{note}”</>}
    </p>
  );
}

const COLUMNS: readonly Column<Transition & { row: number }>[] = [
  { key: 'at', title: 'At', className: 'when', value: ({ at }) => isoTime(at), cell: ({ at }) => formatTime(toMillis(at), zone.value, true) },
  { key: 'what', title: 'What', value: ({ task }) => task ?? 'the run' },
  { key: 'state', title: 'State', value: (line) => stateOf(line), cell: (line) => <StateChip run={line} /> },
  { key: 'message', title: 'Message', value: ({ message }) => message },
  { key: 'by', title: 'By', value: ({ actor }) => actor },
];

function Transitions({ list }: { list: readonly Transition[] }) {
  return (
    <section class="block">
      <h2>Transitions</h2>
      <DataTable title="Transitions" className="transitions" columns={COLUMNS} rows={list.map((line, row) => ({ ...line, row }))} rowKey={({ row }) => row} />
    </section>
  );
}
