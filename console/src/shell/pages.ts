/** All pages: one row each. The navigation, the shortcuts, their help and the router are made from it. */

import type { ComponentType } from 'preact';
import type { IconName } from './Icon';

export interface PageProps {
  /** What follows the page's own path: `7` of `runs/7`. */
  rest: string;
}
export interface Page {
  path: string;
  /** Other paths that lead here, as in Prometheus. */
  aliases?: readonly string[];
  title: string;
  icon: IconName;
  /** Second key after `g`. */
  key: string;
  group: 'Service' | 'Model' | 'System';
  load: () => Promise<ComponentType<PageProps>>;
}

export const PAGES: readonly Page[] = [
  { path: '', aliases: ['overview'], title: 'Overview', icon: 'overview', key: 'o', group: 'Service', load: async () => (await import('../pages/Overview')).Overview },
  { path: 'graph', aliases: ['explore', 'query'], title: 'Explore', icon: 'explore', key: 'e', group: 'Service', load: async () => (await import('../explore/Explore')).Explore },
  { path: 'targets', aliases: ['service-discovery'], title: 'Targets', icon: 'targets', key: 't', group: 'Service', load: async () => (await import('../pages/Targets')).Targets },
  { path: 'alerts', aliases: ['rules'], title: 'Alerts & rules', icon: 'alerts', key: 'a', group: 'Service', load: async () => (await import('../pages/Alerts')).Alerts },
  { path: 'drift', title: 'Drift', icon: 'drift', key: 'd', group: 'Model', load: async () => (await import('../pages/Drift')).Drift },
  { path: 'live', title: 'Live', icon: 'live', key: 'l', group: 'Model', load: async () => (await import('../pages/Live')).Live },
  { path: 'performance', title: 'Performance', icon: 'performance', key: 'q', group: 'Model', load: async () => (await import('../pages/Performance')).Performance },
  { path: 'predict', title: 'Predict', icon: 'predict', key: 'p', group: 'Model', load: async () => (await import('../pages/Predict')).Predict },
  { path: 'models', title: 'Models', icon: 'models', key: 'm', group: 'Model', load: async () => (await import('../pages/Models')).Models },
  { path: 'data', title: 'Data', icon: 'data', key: 's', group: 'Model', load: async () => (await import('../pages/Data')).Data },
  { path: 'flows', title: 'Flows', icon: 'flows', key: 'f', group: 'System', load: async () => (await import('../pages/Flows')).Flows },
  { path: 'runs', title: 'Runs', icon: 'runs', key: 'r', group: 'System', load: async () => (await import('../pages/Runs')).Runs },
  { path: 'status', aliases: ['config', 'flags', 'tsdb-status'], title: 'Status', icon: 'status', key: 'u', group: 'System', load: async () => (await import('../pages/Status')).Status },
];

/** The page of a path and what is left of the path; null when there is none. */
export function findPage(path: string): { page: Page; rest: string } | null {
  for (const page of PAGES) {
    for (const own of [page.path, ...(page.aliases ?? [])]) {
      if (path === own) return { page, rest: '' };
      if (own !== '' && path.startsWith(`${own}/`)) return { page, rest: path.slice(own.length + 1) };
    }
  }
  return null;
}
