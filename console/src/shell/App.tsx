/** The frame around every page: navigation, the page of the address, help, and what is said to screen readers. */

import { Component, type ComponentChildren, type ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { goneSince, messageOf } from '../http';
import { linkTo, place } from '../location';
import { zone } from '../preferences';
import { loadSession, mustLogIn, session, sessionError } from '../session';
import { formatClock } from '../time/clock';
import { Help } from './Help';
import { Login } from './Login';
import { Nav } from './Nav';
import { findPage, type PageProps } from './pages';
import { announcement, helpShown } from './shortcuts';
import { Empty, Failure, Skeleton } from './states';

export function App() {
  if (mustLogIn.value) return <Login />;
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <Nav />
      <main id="main" tabIndex={-1}>
        <Gone />
        {sessionError.value && !session.value && goneSince.value === null && <Failure message={sessionError.value} retry={() => void loadSession()} />}
        <Broken key={findPage(place.value.path)?.page.path ?? place.value.path}>
          <Routed />
        </Broken>
      </main>
      {helpShown.value && <Help />}
      <div class="sr" role="status" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}

/** How often a server that does not answer is asked whether it is back. */
const ASK_AGAIN_MS = 3000;

/** One line for all that could not be asked; what was shown before stays below it. */
function Gone() {
  const since = goneSince.value;
  useEffect(() => {
    if (since === null) return undefined;
    const timer = window.setInterval(() => void loadSession(), ASK_AGAIN_MS);
    return () => window.clearInterval(timer);
  }, [since]);
  if (since === null) return null;
  return (
    <div class="failure gone" role="alert">
      The server has not answered since {formatClock(since, zone.value)}: what is shown is from before. It is asked again every {ASK_AGAIN_MS / 1000} seconds; <code>streamflow up</code> starts it.
    </div>
  );
}

/** By hand: `#main` alone would lead to the base address of the page. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function Routed() {
  const found = findPage(place.value.path);
  const [loaded, setLoaded] = useState<{ path: string; Page: ComponentType<PageProps> } | null>(null);
  const [error, setError] = useState<string | null>(null);
  const path = found?.page.path ?? null;
  useEffect(() => {
    document.title = found ? `${found.page.title} · StreamFlow` : 'StreamFlow';
    setError(null);
    if (!found) return undefined;
    let wanted = true;
    found.page.load().then(
      (Page) => wanted && setLoaded({ path: found.page.path, Page }),
      (failure: unknown) => wanted && setError(messageOf(failure)),
    );
    return () => {
      wanted = false;
    };
  }, [path]);
  if (!found) {
    return (
      <Empty title="There is no such page">
        <p>
          Nothing is at <code>{place.value.path}</code>. <a href={linkTo('')}>Go to the Overview</a>.
        </p>
      </Empty>
    );
  }
  if (error) return <Failure message={`This page could not be loaded: ${error}. A newer version may have been started; load the page again.`} retry={() => window.location.reload()} />;
  if (loaded?.path !== found.page.path) return <Skeleton />;
  return <loaded.Page rest={found.rest} />;
}

/** A page that throws shows what happened instead of nothing. */
class Broken extends Component<{ children: ComponentChildren }, { message: string | null }> {
  override state: { message: string | null } = { message: null };

  static override getDerivedStateFromError(error: unknown): { message: string } {
    return { message: messageOf(error) };
  }

  override render() {
    return this.state.message === null ? this.props.children : <Failure message={`This page failed: ${this.state.message}`} retry={() => this.setState({ message: null })} />;
  }
}
