/* gitrun.parts: pieces that several pages about runs consist of.
 *
 *   table(caption, head, rows)   a table in a region of its own that scrolls sideways; the first cell of a row is its
 *       head. A cell is a node or the value of a flag or metric
 *   pairs(rows)            names with their values; rows without a value are left out
 *   cell(value, close)     the value of a flag, metric or environment as a cell: in six digits, or in full if `close` has them
 *   closeTexts(values)     the texts of six digits that several different numbers have
 *   runLink(run)           the short id of a run and its label
 *   status(run)            status with a sign
 *   badges(run)            label, tags, mark
 *   runTable(label, rows)  a table of runs, rows as [run, remark]: operation, status, duration, metrics, flags
 *   SIGNS                  a sign for each status
 *   foot(...commands)      the commands that show the same in the terminal
 *   section(title, ...children)   a part of a page; nothing without children
 *   watch(id, view, draw)  calls draw(run) now and after each change of the run, for a running one also of its metrics;
 *       says if the run is deleted
 *   watchDeleted(ids, view)   says if one of the first runs is deleted
 *   same(a, b)             whether two values are equal: numbers by value, lists by their items
 *   flat(table)            a nested table with names such as python.version
 *   delta(value, base)     +0.1 or -0.1; empty if there is nothing to compare
 */
'use strict';
gitrun.parts = (() => {
  const { element, link, command } = gitrun.dom;
  const text = gitrun.text;
  const SIGNS = { completed: '✔', error: '✘', terminated: '■', running: '●', pruned: '✂', pending: '○', staged: '○' };
  const PAUSE = 2000, MOST_METRICS = 4, MOST_WATCHED = 10;
  const short = id => id.slice(0, 8);
  const isNumber = value => typeof value === 'number';

  function closeTexts(values) {
    const first = new Map(), close = new Set();
    for (const value of values.filter(isNumber)) {
      const words = text.number(value);
      if (first.has(words) && first.get(words) !== value) close.add(words);
      first.set(words, value);
    }
    return close;
  }

  function cell(given, close = new Set()) {
    const value = given ?? null;
    if (value instanceof Node || Array.isArray(value) && value.some(part => part instanceof Node)) return element('td', {}, value);
    const words = value === null ? '-' : isNumber(value) && !close.has(text.number(value)) ? text.number(value)
      : typeof value === 'string' ? value : text.value(value);
    return element('td', { class: isNumber(value) && 'number', title: isNumber(value) && text.exact(value), data: { value: JSON.stringify(value) } }, words);
  }

  function table(caption, head, rows) {
    const close = closeTexts(rows.flat());
    const body = rows.map(([first, ...rest]) => element('tr', {}, element('th', { scope: 'row' }, first), rest.map(value => cell(value, close))));
    // a number is right-aligned, and so is what stands above it
    const names = head.map((name, at) => element('th', { scope: 'col', class: at && rows.every(row => isNumber(row[at])) && 'number' }, name));
    return element('div', { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
      element('table', {}, element('caption', {}, caption), element('thead', {}, element('tr', {}, names)), element('tbody', {}, body)));
  }

  const pairs = rows => element('dl', {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));

  const status = run => element('span', { class: 'status', data: { status: run.status } }, `${SIGNS[run.status] || ''} ${run.status}`);

  const runLink = run => [link(`/runs/${run.id}`, { class: 'id' }, short(run.id)), run.label ? ` ${run.label}` : null];

  const badges = run => [run.marked && element('span', { role: 'img', 'aria-label': 'marked' }, '★'),
    run.label && element('span', { class: 'badge' }, run.label), run.tags.map(tag => element('span', { class: 'badge' }, `#${tag}`))];

  const flagsText = run => Object.entries(run.flags).map(([name, value]) => `${name}=${text.value(value)}`).join(' ');
  const metricsOf = run => Object.entries(run.metrics).slice(0, MOST_METRICS).map(([name, value]) =>
    [element('span', { class: 'soft' }, name), ` ${text.number(value)} `]);

  function runTable(label, rows) {
    const heads = ['run', 'operation', 'status', 'duration', 'metrics', 'flags'].map(name => element('th', { scope: 'col' }, name));
    const body = rows.map(([run, remark]) => element('tr', { data: { run: run.id } }, [
      [link(`/runs/${run.id}`, { class: 'id' }, short(run.id)), ' ', run.label && element('span', { class: 'badge' }, run.label)],
      run.operation, status(run), text.duration(run.duration), metricsOf(run),
      [remark && element('span', { class: 'badge' }, remark), element('span', { class: 'flags' }, flagsText(run))]].map(value => element('td', {}, value))));
    return element('div', { class: 'scroll', role: 'region', tabindex: 0, 'aria-label': label }, element('table', { class: 'runs' },
      element('thead', { class: 'unseen' }, element('tr', {}, heads)), element('tbody', {}, body)));
  }

  const foot = (...commands) => element('footer', { class: 'foot' }, element('h2', {}, 'The same in the terminal'), commands.map(command));

  const section = (title, ...children) => children.flat().some(Boolean) && element('section', {}, element('h2', {}, title), children);

  async function watch(id, view, draw) {
    let last = '', timer = 0;
    async function look() {
      const run = await gitrun.data.run(id, view.signal), now = JSON.stringify(run);
      view.main.querySelector('.deleted')?.remove();
      if (now !== last) await draw(run);
      last = now;
      clearTimeout(timer);
      // metrics of a running program change without a change of its run
      if (run.status === 'running' && !gitrun.data.isStatic) timer = setTimeout(again, PAUSE);
    }
    const again = () => look().catch(error => {
      if (error.status === 404) showDeleted(id, view);
      else if (!view.signal.aborted) timer = setTimeout(again, PAUSE);
    });
    view.signal.addEventListener('abort', () => clearTimeout(timer));
    await look();
    gitrun.data.listen('changed', again, view.signal);
  }

  function watchDeleted(ids, view) {
    let isLooking = false;
    gitrun.data.listen('changed', async () => {
      if (isLooking) return;
      isLooking = true;
      for (const id of ids.slice(0, MOST_WATCHED)) {
        await gitrun.data.run(id, view.signal).catch(error => error.status === 404 && showDeleted(id, view));
      }
      isLooking = false;
    }, view.signal);
  }

  function showDeleted(id, view) {
    if (view.main.querySelector(`.deleted[data-run="${CSS.escape(id)}"]`)) return;
    const words = `Run ${short(id)} was deleted. What you see is as it was. To get it back:`;
    view.main.prepend(element('div', { class: 'fault deleted', role: 'alert', data: { run: id } }, words, command(`git run restore ${short(id)}`)));
  }

  const same = (a, b) => (a ?? null) === (b ?? null) || JSON.stringify(a) === JSON.stringify(b) && a !== undefined;

  const flat = (given, above = '') => Object.entries(given).reduce((all, [name, value]) => Object.assign(all,
    value && typeof value === 'object' && !Array.isArray(value) ? flat(value, `${above}${name}.`) : { [above + name]: value }), {});

  function delta(value, base) {
    if (!isNumber(value) || !isNumber(base) || value === base) return '';
    return `${value > base ? '+' : ''}${text.number(value - base)}`;
  }

  return { SIGNS, short, cell, closeTexts, table, pairs, status, runLink, badges, runTable, flagsText, foot, section, watch, watchDeleted, same, flat, delta };
})();
