/** Which stretch of time a page shows, and how often it is asked anew. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { zone } from '../preferences';
import { describeWindow, formatTime } from '../time/clock';
import { describeRelative, parseInstant, PRESETS, resolve } from '../time/range';
import { range, refresh, REFRESH_CHOICES, refreshNow, setRange, setRefresh, shiftView, view, zoomOut } from '../time/view';
import { Icon } from './Icon';

/** Pages without history show the refresh alone. */
export function TimeControls({ only }: { only?: 'refresh' }) {
  return (
    <div class="time-controls">
      {!only && (
        <>
          <button type="button" aria-label="Earlier" title="Earlier  [" onClick={() => shiftView(-0.5)}>
            <Icon name="left" />
          </button>
          <RangePicker />
          <button type="button" aria-label="Later" title="Later  ]" onClick={() => shiftView(0.5)}>
            <Icon name="right" />
          </button>
          <button type="button" aria-label="Zoom out" title="Zoom out  z" onClick={zoomOut}>
            <Icon name="minus" />
          </button>
        </>
      )}
      <span class="joined">
        <button type="button" aria-label="Refresh now" title="Refresh  r" onClick={refreshNow}>
          <Icon name="refresh" />
        </button>
        <select aria-label="Refresh every" value={refresh.value} onChange={(event) => setRefresh(event.currentTarget.value)}>
          {[...new Set<string>([...REFRESH_CHOICES, refresh.value])].map((choice) => (
            <option key={choice} value={choice}>
              {choice || 'Off'}
            </option>
          ))}
        </select>
      </span>
    </div>
  );
}

function RangePicker() {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const shown = describeRelative(range.value) ?? describeWindow(view.value.start, view.value.end, zone.value);
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
  const choose = (from: string, to = 'now'): void => {
    setRange({ from, to });
    setOpen(false);
  };
  return (
    <div class="range" ref={box}>
      <button type="button" aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="clock" />
        <span>{shown}</span>
        <Icon name="down" />
      </button>
      {open && (
        <div class="popover range-popover" role="dialog" aria-label="Time range">
          <ul>
            {PRESETS.map((preset) => (
              <li key={preset.from}>
                <button type="button" class="quiet" aria-pressed={range.value.from === preset.from} onClick={() => choose(preset.from)}>
                  {preset.label}
                </button>
              </li>
            ))}
          </ul>
          <AbsoluteRange choose={choose} />
        </div>
      )}
    </div>
  );
}

function AbsoluteRange({ choose }: { choose: (from: string, to: string) => void }) {
  const suffix = zone.value === 'utc' ? 'Z' : '';
  const [from, setFrom] = useState(formatTime(view.value.start * 1000, zone.value));
  const [to, setTo] = useState(formatTime(view.value.end * 1000, zone.value));
  const [error, setError] = useState<string | null>(null);
  const read = (text: string): string | null => {
    const trimmed = text.trim();
    if (trimmed.startsWith('now')) return parseInstant(trimmed, Date.now()) === null ? null : trimmed;
    const ms = parseInstant(/^\d{4}-/.test(trimmed) && !/Z|[+-]\d\d:\d\d$/.test(trimmed) ? trimmed.replace(' ', 'T') + suffix : trimmed, Date.now());
    return ms === null ? null : String(Math.round(ms));
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const [start, end] = [read(from), read(to)];
    if (start === null || end === null) setError('Write times as 2026-01-31 14:05, or as now-6h.');
    else if (!resolve({ from: start, to: end }, Date.now())) setError('The end must be after the start.');
    else choose(start, end);
  };
  return (
    <form onSubmit={submit}>
      <label>
        From
        <input value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <label>
        To
        <input value={to} onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      {error && <p role="alert">{error}</p>}
      <button class="primary">Apply</button>
      <small>{zone.value === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone}</small>
    </form>
  );
}
