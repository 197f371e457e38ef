/* gitrun.tools: parts of the page of runs that few people need; they are loaded when they are asked for.
 *
 *   showHelp()          the keys
 *   fillPicker(page)    the choice of columns, inside of page.picker
 *   save(page, kind)    hands over the rows and columns that are seen, as 'csv' or 'json'
 */
'use strict';
gitrun.tools = (() => {
  const { element } = gitrun.dom;
  const { text, survey } = gitrun;
  const KEYS = [['/', 'filter'], ['j k ↑ ↓', 'next or previous run'], ['PgUp PgDn Home End', 'move further'], ['Space', 'select'],
    ['x', 'clear the selection'], ['p', 'make it the baseline: the others show how they differ'], ['c', 'compare the selected runs'],
    ['d', 'show the differences of two'], ['Enter', 'open'], ['Esc', 'back to the table'], ['?', 'this help']];

  function showHelp() {
    const close = element('button', { type: 'button', click: () => dialog.close() }, 'Close');
    const dialog = element('dialog', { 'aria-label': 'Keys', close: () => dialog.remove() }, element('table', {}, element('tbody', {}, KEYS.map(([keys, words]) =>
      element('tr', {}, element('th', { scope: 'row' }, keys.split(' ').map(key => [element('kbd', {}, key), ' '])), element('td', {}, words))))), close);
    document.body.append(dialog);
    dialog.showModal();
  }

  function fillPicker(page) {
    const { table, picker, grid } = page, shown = grid.columns.slice(1).map(column => column.label);
    const hidden = [...table.hidden].filter(name => !table.columns.has(name));
    const all = [...new Set([...shown, 'id', 'label', 'operation', 'started', 'status', 'duration', 'branch', 'exit_status', 'trial', 'curve',
      ...table.metrics.map(name => survey.metricKey(table, name)), ...table.flags.map(name => survey.flagKey(table, name)), ...hidden])];
    const search = element('input', { type: 'search', 'aria-label': 'Search columns', placeholder: 'Search', input: () => {
      for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(search.value.toLowerCase());
    } });
    const items = all.map(name => element('label', {}, makeCheck(name, shown), ' ', name));
    picker.querySelector('div')?.remove();
    picker.append(element('div', {}, search, element('div', { class: 'choices' }, items), element('button', { type: 'button', click: () => {
      gitrun.router.setQuery({ cols: null }, { push: true });
      picker.open = false;
    } }, 'As usual')));
    search.focus();
  }

  function makeCheck(name, shown) {
    const check = element('input', { type: 'checkbox', change: () => {
      if (check.checked) shown.push(name);
      else shown.splice(shown.indexOf(name), 1);
      gitrun.router.setQuery({ cols: shown.join(',') });
    } });
    check.checked = shown.includes(name);
    return check;
  }

  async function save(page, kind) {
    const { table } = page, names = page.grid.columns.slice(1).map(column => column.label).filter(name => name !== 'curve');
    // whole ids and times come when they are asked for
    await table.load([...names, 'id', 'started'], [], page.signal);
    const readers = names.map(name => name === 'started' ? isoTime(table.reader(name)) : table.reader(name));
    const rows = page.rows.map(slot => readers.map(read => read(slot)));
    const words = kind === 'json'
      ? JSON.stringify(rows.map(row => Object.fromEntries(row.map((value, at) => [names[at], value]))), plainValue, 1)
      : [names, ...rows].map(row => row.map(quoteCell).join(',')).join('\r\n') + '\r\n';
    const address = URL.createObjectURL(new Blob([words], { type: kind === 'json' ? 'application/json' : 'text/csv' }));
    element('a', { href: address, download: `runs.${kind}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  const isoTime = read => slot => read(slot) === null ? null : new Date(read(slot) / 1000).toISOString();

  /** JSON has neither integers of any size nor nan. */
  function plainValue(_, value) {
    if (typeof value === 'bigint') return String(value);
    return typeof value === 'number' && !Number.isFinite(value) ? text.number(value) : value;
  }

  function quoteCell(value) {
    const words = value === null ? '' : Array.isArray(value) ? value.join(' ') : typeof value === 'number' ? text.exact(value) : String(value);
    return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  }

  return { showHelp, fillPicker, save };
})();
