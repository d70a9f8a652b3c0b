/** The frame around a panel: title, what it means, its states, and the way to its table and to Explore. */

import type { ComponentChildren } from 'preact';
import { Icon } from '../shell/Icon';

export interface FrameProps {
  id: string;
  title: string;
  description?: string;
  exploreHref?: string;
  /** Present when the panel can be shown as a table. */
  table?: { shown: boolean; toggle: () => void };
  /** Present when the panel's numbers, or its picture, can be saved. */
  save?: { csv: () => void; png?: (() => void) | undefined } | undefined;
  notes?: readonly string[];
  busy?: boolean;
  className?: string;
  children: ComponentChildren;
}

export function Frame({ id, title, description, exploreHref, table, save, notes = [], busy = false, className = '', children }: FrameProps) {
  return (
    <section class={`panel ${className}`} aria-labelledby={`panel-${id}`} aria-busy={busy}>
      <header class="panel-head">
        <h3 id={`panel-${id}`}>{title}</h3>
        {description && <Hint text={description} />}
        {notes.length > 0 && <Hint text={notes.join('\n')} warning />}
        <span class="panel-actions">
          {table && (
            <button type="button" class="quiet" aria-pressed={table.shown} aria-label={`${title}: show as ${table.shown ? 'chart' : 'table'}`} title={table.shown ? 'Chart' : 'Table'} onClick={table.toggle}>
              <Icon name={table.shown ? 'chart' : 'table'} />
            </button>
          )}
          {save && (
            <button type="button" class="quiet word" aria-label={`${title}: save as CSV`} title="Save as CSV" onClick={save.csv}>
              CSV
            </button>
          )}
          {save?.png && (
            <button type="button" class="quiet word" aria-label={`${title}: save as PNG`} title="Save as PNG" onClick={save.png}>
              PNG
            </button>
          )}
          {exploreHref && (
            <a class="quiet" href={exploreHref} aria-label={`${title}: open in Explore`} title="Open in Explore">
              <Icon name="explore" />
            </a>
          )}
        </span>
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** A text behind a small mark, shown on hover and on focus, read out as the mark's name. */
function Hint({ text, warning = false }: { text: string; warning?: boolean }) {
  return (
    <span class={`hint ${warning ? 'hint-warning' : ''}`}>
      <button type="button" class="hint-mark" aria-label={text}>
        <span aria-hidden="true">{warning ? '!' : 'i'}</span>
      </button>
      <span class="hint-text" aria-hidden="true">
        {text}
      </span>
    </span>
  );
}
