/** What stands in the place of data: not there yet, failed, or nothing to show and what to do about it. */

import type { ComponentChildren } from 'preact';
import { goneSince } from '../http';
import type { Resource } from '../resource';
import { Prose } from './Prose';

export function Skeleton({ kind = 'page' }: { kind?: string }) {
  return (
    <div class={`skeleton skeleton-${kind}`} role="status">
      <span class="sr">Loading</span>
    </div>
  );
}

export function Failure({ message, retry }: { message: string; retry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <p>
        <Prose text={message} />
      </p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Nothing in a panel; what stands in backticks is a command. */
export function Nothing({ text }: { text: string }) {
  return <p class="nothing"><Prose text={text} /></p>;
}

/** Nothing on a page: what it would show, and the way there. */
export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <div>{children}</div>
    </div>
  );
}

/** The states of a resource around its picture; data that are there stay while they are fetched again. */
export function Loaded<T>({ resource, children }: { resource: Resource<T>; children: (data: T) => ComponentChildren }) {
  const { data, error, reload } = resource;
  return (
    <>
      {error && <Failure message={error} retry={reload} />}
      {data !== undefined ? children(data) : error || goneSince.value !== null ? null : <Skeleton />}
    </>
  );
}
