/** Data on its way into a component: loading, there, or failed; kept while it is fetched again. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort, isGone, messageOf, returns } from './http';

export interface Resource<T> {
  data: T | undefined;
  error: string | null;
  loading: boolean;
  reload: () => void;
}

/**
 * Fetches when a key changes, and when the server is back; a later fetch aborts the earlier one, and an answer that
 * comes too late is dropped. While the server is gone the last data stay, without an error: the shell says it once.
 */
export function useResource<T>(fetcher: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[], enabled = true): Resource<T> {
  const [state, setState] = useState<{ data: T | undefined; error: string | null; loading: boolean }>({ data: undefined, error: null, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  useEffect(() => {
    if (!enabled) return undefined;
    const controller = new AbortController();
    setState((old) => (old.loading ? old : { ...old, loading: true }));
    latest.current(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setState({ data, error: null, loading: false });
      },
      (error: unknown) => {
        if (!controller.signal.aborted && !isAbort(error)) setState((old) => ({ data: old.data, error: isGone(error) ? null : messageOf(error), loading: false }));
      },
    );
    return () => controller.abort();
  }, [...keys, turn, enabled, returns.value]);
  return { ...state, reload: () => setTurn((old) => old + 1) };
}
