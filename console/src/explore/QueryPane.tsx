/** One query: editor, controls, and its answer. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../http';
import { zone } from '../preferences';
import { formatQuery } from '../prometheus';
import { Icon } from '../shell/Icon';
import { formatTime } from '../time/clock';
import { formatDuration, parseDuration } from '../time/duration';
import { parseInstant } from '../time/range';
import { refreshNow } from '../time/view';
import type { Query } from './address';
import { Editor } from './Editor';
import { GraphAnswer } from './GraphAnswer';
import { addToHistory, readHistory } from './history';
import { findPosition } from './position';
import { TableAnswer } from './TableAnswer';

export interface QueryPaneProps {
  number: number;
  query: Query;
  onChange: (query: Query, replace?: boolean) => void;
  onRemove?: () => void;
}

export function QueryPane({ number, query, onChange, onRemove }: QueryPaneProps) {
  const [text, setText] = useState(query.expression);
  const [given, setGiven] = useState({ text: query.expression });
  const [error, setError] = useState<string | null>(null);
  const replace = (next: string): void => {
    setText(next);
    setGiven({ text: next });
  };
  useEffect(() => replace(query.expression), [query.expression]);
  useEffect(() => setError(null), [query.expression, query.tab]);
  const run = (expression = text): void => {
    addToHistory(expression);
    if (expression === query.expression) refreshNow();
    else onChange({ ...query, expression });
  };
  const format = (): void => {
    formatQuery(text).then(replace, (failure: unknown) => setError(messageOf(failure)));
  };
  const position = error === null ? null : findPosition(error, text);
  const Answer = query.tab === 'graph' ? GraphAnswer : TableAnswer;
  return (
    <section class="query" aria-label={`Query ${number + 1}`}>
      <div class="query-line">
        <Editor given={given} label={`PromQL expression ${number + 1}`} onChange={setText} onRun={() => run()} errorAt={position?.index ?? null} autofocus={number === 0 && query.expression === ''} />
        <button type="button" class="primary" onClick={() => run()}>
          Run
        </button>
        <span class="query-tools">
          <button type="button" onClick={format} disabled={text.trim() === ''}>
            Format
          </button>
          <History
            choose={(expression) => {
              replace(expression);
              run(expression);
            }}
          />
          {onRemove && (
            <button type="button" class="quiet" aria-label={`Remove query ${number + 1}`} onClick={onRemove}>
              <Icon name="close" />
            </button>
          )}
        </span>
      </div>
      {error !== null && <QueryError message={error} text={text} />}
      <Controls query={query} onChange={onChange} />
      {query.expression.trim() === '' ? (
        <p class="nothing">Type an expression and press Enter. Completion knows every metric, label and function; an example is <code>sum by (job) (up)</code>.</p>
      ) : (
        <Answer query={query} onError={setError} onChange={onChange} />
      )}
    </section>
  );
}

/** What was wrong, and the place in the query as a compiler shows it. */
function QueryError({ message, text }: { message: string; text: string }) {
  const position = findPosition(message, text);
  return (
    <div class="failure query-error" role="alert">
      <p>
        {position ? `Line ${position.line}, column ${position.column + 1}: ${position.reason}` : message}
      </p>
      {position && (
        <pre aria-hidden="true">
          {position.text}
          {'\n'}
          {' '.repeat(position.column)}^
        </pre>
      )}
    </div>
  );
}

const RANGES = [60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

function Controls({ query, onChange }: { query: Query; onChange: QueryPaneProps['onChange'] }) {
  const graph = query.tab === 'graph';
  return (
    <div class="controls">
      <div class="segments" role="group" aria-label="View">
        <button type="button" aria-pressed={!graph} onClick={() => onChange({ ...query, tab: 'table' })}>
          Table
        </button>
        <button type="button" aria-pressed={graph} onClick={() => onChange({ ...query, tab: 'graph' })}>
          Graph
        </button>
      </div>
      {graph && (
        <span class="joined">
          <button type="button" aria-label="Shorter range" onClick={() => onChange({ ...query, rangeS: RANGES.findLast((one) => one < query.rangeS) ?? query.rangeS })}>
            <Icon name="minus" />
          </button>
          <Field query={query} label="Range" size={6} value={formatDuration(query.rangeS)} read={(text) => withRange(query, text)} onChange={onChange} />
          <button type="button" aria-label="Longer range" onClick={() => onChange({ ...query, rangeS: RANGES.find((one) => one > query.rangeS) ?? query.rangeS })}>
            <Icon name="plus" />
          </button>
        </span>
      )}
      <EndField query={query} onChange={onChange} />
      {graph && (
        <>
          <label class="inline">
            Step
            <Field query={query} label="Step" size={5} placeholder="auto" value={query.stepS === null ? '' : formatDuration(query.stepS)} read={(text) => withStep(query, text)} onChange={onChange} />
          </label>
          <label class="inline">
            <input type="checkbox" checked={query.stacked} onChange={(event) => onChange({ ...query, stacked: event.currentTarget.checked })} />
            Stacked
          </label>
        </>
      )}
    </div>
  );
}

function withRange(query: Query, text: string): Query | null {
  const seconds = parseDuration(text);
  return seconds === null ? null : { ...query, rangeS: seconds };
}

function withStep(query: Query, text: string): Query | null {
  const seconds = parseDuration(text);
  if (text.trim() === '') return { ...query, stepS: null };
  return seconds === null ? null : { ...query, stepS: seconds };
}

function EndField({ query, onChange }: { query: Query; onChange: QueryPaneProps['onChange'] }) {
  const move = (share: number): void => onChange({ ...query, endS: (query.endS ?? Date.now() / 1000) + query.rangeS * share });
  const read = (text: string): Query | null => {
    if (text.trim() === '' || text.trim() === 'now') return { ...query, endS: null };
    const ms = parseInstant(zone.value === 'utc' && !/Z$/.test(text) ? `${text.trim().replace(' ', 'T')}Z` : text, Date.now());
    return ms === null ? null : { ...query, endS: ms / 1000 };
  };
  return (
    <span class="joined">
      <button type="button" aria-label="Earlier" onClick={() => move(-0.5)}>
        <Icon name="left" />
      </button>
      <Field query={query} label="End time" size={18} placeholder="now" value={query.endS === null ? '' : formatTime(query.endS * 1000, zone.value)} read={read} onChange={onChange} />
      <button type="button" aria-label="Later" onClick={() => move(0.5)}>
        <Icon name="right" />
      </button>
    </span>
  );
}

interface FieldProps {
  query: Query;
  label: string;
  size: number;
  value: string;
  placeholder?: string;
  /** The query with the text in it, null when the text makes no sense. */
  read: (text: string) => Query | null;
  onChange: QueryPaneProps['onChange'];
}

/** Takes effect on Enter or when left; marked when it cannot be read. */
function Field({ query, label, size, value, placeholder, read, onChange }: FieldProps) {
  const [bad, setBad] = useState(false);
  useEffect(() => setBad(false), [value]);
  const take = (text: string): void => {
    const next = text === value ? query : read(text);
    setBad(next === null);
    if (next && next !== query) onChange(next);
  };
  return (
    <input
      type="text"
      aria-label={label}
      aria-invalid={bad}
      size={size}
      value={value}
      placeholder={placeholder}
      onBlur={(event) => take(event.currentTarget.value)}
      onKeyDown={(event) => event.key === 'Enter' && take(event.currentTarget.value)}
    />
  );
}

function History({ choose }: { choose: (expression: string) => void }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  const past = open ? readHistory() : [];
  useEffect(() => {
    if (!open) return undefined;
    const leave = (event: Event): void => {
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !(event.target instanceof Node && box.current?.contains(event.target))) setOpen(false);
    };
    document.addEventListener('pointerdown', leave);
    document.addEventListener('keydown', leave);
    return () => {
      document.removeEventListener('pointerdown', leave);
      document.removeEventListener('keydown', leave);
    };
  }, [open]);
  return (
    <span class="range" ref={box}>
      <button type="button" aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        History
      </button>
      {open && (
        <div class="popover history" role="dialog" aria-label="Queries run before">
          {past.length === 0 && <p class="nothing">Queries you run are kept here, in this browser.</p>}
          <ul>
            {past.map((expression) => (
              <li key={expression}>
                <button type="button" class="quiet" onClick={() => {
                    setOpen(false);
                    choose(expression);
                  }}
                >
                  <code>{expression}</code>
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </span>
  );
}
