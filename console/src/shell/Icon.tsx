/** Line icons on a 16 by 16 grid, in the colour of the text. */

const PATHS = {
  overview: 'M2 2h5v6H2zM9 2h5v3H9zM9 7h5v7H9zM2 10h5v4H2z',
  explore: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5 14 14',
  targets: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z',
  alerts: 'M8 2a4 4 0 0 0-4 4v3l-1.5 2.5h11L12 9V6a4 4 0 0 0-4-4zM6.5 13.5h3',
  drift: 'M2 11c2 0 2-7 4-7s2 7 4 7M6 13c2 0 3-6 4.500-6S12 12 14 12',
  live: 'M8 7a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM5 5a4.200 4.200 0 0 0 0 6M11 5a4.200 4.200 0 0 1 0 6M2.800 2.800a7.400 7.400 0 0 0 0 10.400M13.200 2.800a7.400 7.400 0 0 1 0 10.400',
  performance: 'M2 2v12h12M2.500 13.500C3 7 6 4 13.500 3.500',
  predict: 'M3 13V8M8 13V3M13 13V6',
  models: 'M8 2 2.500 5v6L8 14l5.500-3V5zM2.500 5 8 8l5.500-3M8 8v6',
  data: 'M2.500 4c0-1.100 2.500-2 5.500-2s5.500.900 5.500 2-2.500 2-5.500 2-5.500-.900-5.500-2zM2.500 4v8c0 1.100 2.500 2 5.500 2s5.500-.900 5.500-2V4M2.500 8c0 1.100 2.500 2 5.500 2s5.500-.900 5.500-2',
  flows: 'M2 3h4.500v4H2zM9.500 9H14v4H9.500zM4 7v4h5.500M6.500 5h5.500v4',
  runs: 'M4 2.500v11l9-5.500z',
  status: 'M2 8h3l2-5 3 10 2-5h2',
  table: 'M2 3h12v10H2zM2 6.500h12M6 3v10',
  chart: 'M2 2v12h12M4.500 10l3-4 2.500 2.500L14 4',
  refresh: 'M13.500 8A5.500 5.500 0 1 1 11.600 3.800M13.500 1.500v3.500H10',
  left: 'M10 3 5 8l5 5',
  right: 'm6 3 5 5-5 5',
  minus: 'M3 8h10',
  plus: 'M3 8h10M8 3v10',
  close: 'm3.500 3.500 9 9M12.500 3.500l-9 9',
  menu: 'M2 4h12M2 8h12M2 12h12',
  clock: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.500l2.500 1.500',
  down: 'm4 6 4 4 4-4',
  up: 'm4 10 4-4 4 4',
  out: 'M9 2.500h4.500V7M13.500 2.500 7.500 8.500M11.500 9.500v4h-9v-9h4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
