/** What ran, when, and how it ended. */

import { RunList } from '../runs/RunList';
import { RunPage } from '../runs/RunPage';
import type { PageProps } from '../shell/pages';

export function Runs({ rest }: PageProps) {
  return rest === '' ? <RunList /> : <RunPage id={rest} />;
}
