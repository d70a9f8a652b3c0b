import { Dialog } from './Dialog';
import { helpShown, SHORTCUTS } from './shortcuts';

const CHARTS: readonly [keys: string, does: string][] = [
  ['Drag', 'Zoom into a stretch of time'],
  ['Double click', 'Zoom out'],
  ['Shift + drag', 'Move through time'],
  ['← →', 'Move the crosshair of a focused chart'],
  ['Shift + ← →', 'Move a focused chart through time'],
  ['+ −', 'Zoom a focused chart'],
];

export function Help() {
  const rows = [...SHORTCUTS.map(({ keys, does }) => [keys, does] as const), ...CHARTS];
  return (
    <Dialog title="Keys" close={() => (helpShown.value = false)}>
      <dl class="keys">
        {rows.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
