/** A line the size of a word, without axes; decoration beside a number. */

export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  const present = values.filter((value): value is number => value !== null);
  if (present.length < 2) return <svg class="sparkline" aria-hidden="true" />;
  const low = Math.min(...present, 0);
  const high = Math.max(...present);
  const span = high - low || 1;
  let pen = 'M';
  let path = '';
  values.forEach((value, i) => {
    if (value === null) {
      pen = 'M';
      return;
    }
    path += `${pen}${((i / (values.length - 1)) * 100).toFixed(1)} ${(23 - ((value - low) / span) * 21).toFixed(1)}`;
    pen = 'L';
  });
  return (
    <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
