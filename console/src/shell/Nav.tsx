/** The way from page to page, and what a viewer may choose for this browser. */

import { useEffect, useState } from 'preact/hooks';
import { linkTo, place } from '../location';
import { theme, zone, type Theme } from '../preferences';
import { logout } from '../resources';
import { loadSession, session } from '../session';
import type { Zone } from '../time/clock';
import { Icon } from './Icon';
import { findPage, PAGES } from './pages';
import { helpShown } from './shortcuts';

export function Nav() {
  const [open, setOpen] = useState(false);
  const here = findPage(place.value.path)?.page;
  useEffect(() => setOpen(false), [place.value]);
  const groups = [...new Set(PAGES.map((page) => page.group))];
  return (
    <div class={`nav ${open ? 'nav-open' : ''}`}>
      <div class="nav-top">
        <a class="brand" href={linkTo('')}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M6 20c4 0 4-8 8-8s4 8 8 8 3-4 4-6" />
          </svg>
          StreamFlow
        </a>
        <button type="button" class="quiet nav-toggle" aria-expanded={open} aria-controls="nav-body" aria-label="Menu" onClick={() => setOpen(!open)}>
          <Icon name={open ? 'close' : 'menu'} />
        </button>
      </div>
      <div class="nav-body" id="nav-body">
        <nav aria-label="Pages">
          {groups.map((group) => (
            <div key={group}>
              <h2>{group}</h2>
              <ul>
                {PAGES.filter((page) => page.group === group).map((page) => (
                  <li key={page.path}>
                    <a href={linkTo(page.path)} aria-current={here === page ? 'page' : undefined} title={`g ${page.key}`}>
                      <Icon name={page.icon} />
                      {page.title}
                    </a>
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </nav>
        <Choices />
      </div>
    </div>
  );
}

function Choices() {
  const who = session.value;
  return (
    <div class="choices">
      <label>
        <span>Theme</span>
        <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
          <option value="system">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
      <label>
        <span>Times</span>
        <select value={zone.value} onChange={(event) => (zone.value = event.currentTarget.value as Zone)}>
          <option value="local">Local</option>
          <option value="utc">UTC</option>
        </select>
      </label>
      <p>
        <button type="button" class="link" onClick={() => (helpShown.value = true)}>
          Keys <kbd>?</kbd>
        </button>
        {who && <span class="version">{who.version}</span>}
      </p>
      {who?.read_only && <p class="read-only">Read-only: actions are off.</p>}
      {who?.role === 'viewer' && !who.read_only && <p class="read-only">A viewer only reads: actions are off.</p>}
      {who?.user && (
        <p>
          {who.user} <small>{who.role}</small>{' '}
          {!who.named_by_proxy && (
            <button type="button" class="link" onClick={() => void logout().then(loadSession, loadSession)}>
              Sign out
            </button>
          )}
        </p>
      )}
    </div>
  );
}
