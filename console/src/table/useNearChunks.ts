/** Which chunks of a long table are in sight or close to it, and how tall the others are. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';

/** Pixels above and below the visible part within which rows are made already. */
const MARGIN = '600px 0px';

export interface Chunks {
  near: ReadonlySet<number>;
  /** Pixels of a chunk of so many rows that is not drawn. */
  heightOf: (chunk: number, rows: number) => number;
}

/** Chunks are the `tbody` elements of the box; `key` changes with what they hold. */
export function useNearChunks(box: RefObject<HTMLDivElement | null>, count: number, key: string, first: number): Chunks {
  const [near, setNear] = useState<ReadonlySet<number>>(new Set([first]));
  const heights = useRef(new Map<number, number>());
  const row = useRef(36);

  useLayoutEffect(() => {
    heights.current.clear();
    const root = box.current;
    if (!root) return undefined;
    const bodies = [...root.querySelectorAll('tbody')];
    const observer = new IntersectionObserver(
      (entries) => {
        setNear((old) => {
          const next = new Set([...old].filter((chunk) => chunk < bodies.length));
          for (const { target, isIntersecting } of entries) {
            const chunk = bodies.indexOf(target as HTMLTableSectionElement);
            if (isIntersecting) next.add(chunk);
            else next.delete(chunk);
          }
          return next;
        });
      },
      { root, rootMargin: MARGIN },
    );
    for (const body of bodies) observer.observe(body);
    return () => observer.disconnect();
  }, [count, key]);

  // Rows differ in height: what was measured while it was drawn holds its place afterwards.
  useLayoutEffect(() => {
    box.current?.querySelectorAll<HTMLElement>('tbody[data-rows]').forEach((body) => {
      heights.current.set(Number(body.dataset['chunk']), body.offsetHeight);
      row.current = body.offsetHeight / Number(body.dataset['rows']);
    });
  });

  return { near, heightOf: (chunk, rows) => heights.current.get(chunk) ?? rows * row.current };
}
