/** How right the server's own answers were, by labels that came after them, with the estimate beside and never in their place. */

import { fetchAnswers, type AnswersOfDays, type AnswersPeriod } from '../resources';
import { useResource } from '../resource';
import { Chip } from '../shell/Chip';
import { Notes } from '../shell/Prose';
import { Loaded } from '../shell/states';
import { DataTable, type Column } from '../table/DataTable';
import { counted, formatNumber } from '../units';

export function Answers() {
  const answers = useResource(fetchAnswers, []);
  // Without a log there are none, which the page needs no heading for.
  if (answers.data?.periods.length === 0) return null;
  return (
    <section class="block">
      <h2>Answers of the last seven days</h2>
      <Loaded resource={answers}>{(data) => <Days data={data} />}</Loaded>
    </section>
  );
}

function Days({ data }: { data: AnswersOfDays }) {
  const notes = data.periods.flatMap((one) => one.notes.map((note) => `${one.period}, version ${one.version}: ${note}`));
  notes.push(...data.notes);
  if (data.unknown_labels > 0) notes.push(`${counted(data.unknown_labels, 'label')} ${data.unknown_labels === 1 ? 'is' : 'are'} of no answer of these days.`);
  return (
    <>
      <DataTable title="Answers by day" prefix="answers." columns={COLUMNS} rows={[...data.periods].reverse()} rowKey={(one) => `${one.period}/${one.version}`} />
      <Notes notes={notes} />
    </>
  );
}

/** The metric that decides, with its interval. */
function measured(one: AnswersPeriod): string {
  const found = one.realised[one.metric];
  if (found?.value == null) return '–';
  const interval = found.interval ? ` (${formatNumber(found.interval.low, 3)} to ${formatNumber(found.interval.high, 3)})` : '';
  return `${formatNumber(found.value, 3)}${interval}`;
}

const COLUMNS: Column<AnswersPeriod>[] = [
  { key: 'period', title: 'Day', className: 'when', value: (one) => one.period },
  { key: 'version', title: 'Version', className: 'when', value: (one) => one.version },
  { key: 'rows', title: 'Answers', num: true, value: (one) => one.rows },
  { key: 'entities', title: 'Entities', num: true, value: (one) => one.entities, cell: (one) => (one.entities ? one.entities : '–') },
  {
    key: 'state',
    title: 'Labels',
    value: (one) => one.counted_labelled / one.counted,
    cell: (one) => <Chip tone={one.state === 'final' ? 'good' : 'plain'}>{one.state_words}</Chip>,
  },
  { key: 'measured', title: 'Measured (95 %)', num: true, value: (one) => one.realised[one.metric]?.value, cell: (one) => measured(one) },
  { key: 'estimated', title: 'Estimated', num: true, value: (one) => one.estimated?.value, cell: (one) => (one.estimated?.value == null ? '–' : `about ${formatNumber(one.estimated.value, 3)}`) },
];
