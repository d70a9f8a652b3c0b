// Sorting and filtering; the page is complete without.
(() => {
  const tools = document.querySelector('.tools');
  if (!tools) return;
  const [search, only] = tools.querySelectorAll('input');
  const type = tools.querySelector('select');
  const shown = tools.querySelector('output');
  // A column may be shown more than once: in a drawing and in a table.
  const items = [...document.querySelectorAll('[data-name]')];
  const columns = new Set(items.map((item) => item.dataset.name)).size;
  const filter = () => {
    const words = search.value.toLowerCase();
    const left = new Set();
    for (const item of items) {
      const { name, drifted } = item.dataset;
      item.hidden = !name.toLowerCase().includes(words)
        || (only.checked && drifted !== '1')
        || (type.value !== '' && item.dataset.type !== type.value);
      if (!item.hidden) left.add(name);
    }
    shown.textContent = `${left.size} of ${columns} columns`;
  };
  for (const input of [search, type, only]) input.addEventListener('input', filter);
  tools.hidden = false;
  filter();
  const table = document.querySelector('.columns, .cells');
  // A column's details stand below it, so that it has a body of its own; a history has one row for each.
  const rows = table ? [...table.querySelectorAll('tbody[data-name], tr[data-name]')] : [];
  for (const head of table ? table.tHead.querySelectorAll('th[data-key]') : []) {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    button.tabIndex = 0;
    button.addEventListener('click', () => {
      const key = head.dataset.key;
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.querySelectorAll('[aria-sort]')) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const value = (row) => (key === 'cell' ? row.cells[head.cellIndex]?.dataset.value : row.dataset[key]) ?? '';
      // What has no number comes last in either direction.
      const number = (row) => (value(row) === '' ? (down ? -Infinity : Infinity) : Number(value(row)));
      const order = key === 'name'
        ? (a, b) => a.dataset.name.localeCompare(b.dataset.name)
        : (a, b) => number(a) - number(b) || 0;
      rows.sort((a, b) => (down ? -order(a, b) : order(a, b)));
      if (rows.length > 0) rows[0].parentNode.append(...rows);
    });
  }
  const open = () => {
    const row = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = row && row.querySelector('details');
    if (details) details.open = true;
  };
  addEventListener('hashchange', open);
  // Paper cannot be unfolded.
  let folded = [];
  addEventListener('beforeprint', () => {
    folded = [...document.querySelectorAll('details:not([open])')];
    for (const details of folded) details.open = true;
  });
  addEventListener('afterprint', () => {
    for (const details of folded) details.open = false;
  });
  open();
})();
