/** A uPlot in a box: made anew when its shape changes, fed when only its data do, as wide as the box. */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';
import uPlot from 'uplot';
import type { Window } from '../time/range';
import { showData } from './plot';

export function usePlot(
  shape: readonly unknown[],
  options: (width: number) => uPlot.Options,
  data: uPlot.AlignedData,
  window: Window,
): { box: RefObject<HTMLDivElement | null>; plot: RefObject<uPlot | null> } {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [width, setWidth] = useState(0);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || width === 0) return undefined;
    const made = new uPlot(options(width), data, element);
    plot.current = made;
    showData(made, data, window);
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [...shape, width === 0]);

  useEffect(() => {
    const made = plot.current;
    if (made && width > 0 && made.width !== width) made.setSize({ width, height: made.height });
  }, [width]);

  useEffect(() => {
    if (plot.current && plot.current.data !== data) showData(plot.current, data, window);
  }, [data, window.start, window.end]);

  return { box, plot };
}

/** Left and right move the crosshair, with Shift the window; plus and minus zoom. */
export function chartKeys(plot: RefObject<uPlot | null>, zoom: (window: Window) => void): (event: KeyboardEvent) => void {
  return (event) => {
    const self = plot.current;
    const { min, max } = self?.scales['x'] ?? {};
    if (!self || min == null || max == null || event.ctrlKey || event.metaKey || event.altKey) return;
    const length = max - min;
    const direction = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (direction !== 0 && event.shiftKey) zoom({ start: min + (direction * length) / 4, end: max + (direction * length) / 4 });
    else if (direction !== 0) moveCrosshair(self, direction);
    else if (event.key === '+' || event.key === '=') zoom({ start: min + length / 4, end: max - length / 4 });
    else if (event.key === '-') zoom({ start: min - length / 2, end: max + length / 2 });
    else return;
    event.preventDefault();
  };
}

function moveCrosshair(self: uPlot, direction: number): void {
  const times = self.data[0];
  const at = self.cursor.idx ?? (direction < 0 ? times.length : -1);
  const next = Math.min(Math.max(at + direction, 0), times.length - 1);
  const time = times[next];
  if (time !== undefined) self.setCursor({ left: self.valToPos(time, 'x'), top: self.over.clientHeight / 2 });
}
