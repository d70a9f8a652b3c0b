// Sorting and filtering; the page is complete without.
(() => {
  const table = document.querySelector('.columns');
  if (!table) return;
  const rows = [...table.tBodies];
  const tools = document.querySelector('.tools');
  const [search, only] = tools.querySelectorAll('input');
  const shown = tools.querySelector('output');
  const filter = () => {
    const words = search.value.toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.dataset.name.toLowerCase().includes(words) || (only.checked && row.dataset.drifted !== '1');
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${rows.length} columns`;
  };
  search.addEventListener('input', filter);
  only.addEventListener('change', filter);
  tools.hidden = false;
  filter();
  for (const head of table.tHead.querySelectorAll('th[data-key]')) {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.tabIndex = 0;
    button.addEventListener('click', () => {
      const key = head.dataset.key;
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.querySelectorAll('[aria-sort]')) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      // What has no number comes last in either direction.
      const number = (row) => (row.dataset[key] === '' ? (down ? -Infinity : Infinity) : Number(row.dataset[key]));
      const order = key === 'name'
        ? (a, b) => a.dataset.name.localeCompare(b.dataset.name)
        : (a, b) => number(a) - number(b) || 0;
      rows.sort((a, b) => (down ? -order(a, b) : order(a, b)));
      table.append(...rows);
    });
  }
  const open = () => {
    const row = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = row && row.querySelector('details');
    if (details) details.open = true;
  };
  addEventListener('hashchange', open);
  open();
})();
