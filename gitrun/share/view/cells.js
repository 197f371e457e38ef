/* gitrun.cells: the columns of the table of runs, and what their cells show.
 *
 *   make(page, names)   columns for gitrun.table, of these names; page: the page of runs, with table, slots, grid, drawn, ...
 *   usual(page)         the names of the columns that are worth showing
 */
'use strict';
gitrun.cells = (() => {
  const { element, fill, link } = gitrun.dom;
  const { text, survey } = gitrun;
  const MOST_FLAGS = 6, MOST_METRICS = 4, SAMPLE = 100, SPARK_POINTS = 60, MOST_WIDTH = 24;

  function make(page, names) {
    return [signColumn(page), ...names.map(name => makeColumn(page, name))];
  }

  function usual(page) {
    const { table, slots, operations, query } = page, some = slots.slice(0, 5000);
    const has = name => some.some(slot => [table.reader(name)(slot)].flat().some(Boolean));
    const metrics = page.metrics.slice(0, MOST_METRICS).map(name => survey.metricKey(table, name));
    return ['id', ...(has('label') || has('tags') ? ['label'] : []), ...(operations.size > 1 && !query.op ? ['operation'] : []), 'started', 'status',
      ...metrics.slice(0, 1), ...(metrics.length ? ['curve'] : []), ...page.flags.slice(0, MOST_FLAGS), ...metrics.slice(1), 'duration'];
  }

  const SPECIAL = { id: idColumn, label: labelColumn, started: startedColumn, curve: curveColumn, status: statusColumn, duration: durationColumn };

  function makeColumn(page, name) {
    if (Object.hasOwn(SPECIAL, name)) return SPECIAL[name](page);
    const metric = name.replace(/^metric:/, '');
    const isMetric = name.startsWith('metric:') || (!page.table.flags.includes(name) && survey.hasMetric(page.table, metric));
    return isMetric ? metricColumn(page, name, metric) : plainColumn(page, name, page.table.text(name), isNumeric(page, name) ? 'number' : 'text');
  }

  function isNumeric({ table, slots }, name) {
    const read = table.reader(name), some = slots.slice(0, SAMPLE).map(read).filter(value => value !== null);
    return some.length > 0 && some.every(value => typeof value === 'number' || typeof value === 'bigint');
  }

  /** The width that the texts of the first rows need, in characters. */
  function widthOf({ slots }, title, show, most = MOST_WIDTH) {
    const lengths = slots.slice(0, SAMPLE).map(slot => show(slot).length);
    return Math.min(Math.max(title.length + .5, ...lengths), most);
  }

  function plainColumn(page, name, show, kind) {
    const title = name.replace(/^(flag|metric):/, ''), isFlag = page.table.flags.includes(title);
    const draw = (cell, slot) => {
      const words = show(slot), base = page.grid.pinned;
      put(cell, words, words.length > MOST_WIDTH ? words : '');
      cell.classList.toggle('differs', isFlag && base !== null && base !== slot && words !== show(base));
    };
    return { key: name, title, label: name, kind, width: widthOf(page, title, show), draw };
  }

  function durationColumn(page) {
    const read = page.table.reader('duration');
    return plainColumn(page, 'duration', slot => text.duration(read(slot)), 'number');
  }

  function metricColumn(page, key, name) {
    const read = page.table.reader(`metric:${name}`);
    const draw = (cell, slot) => {
      const value = read(slot), pinned = page.grid.pinned, base = pinned === null || pinned === slot ? null : read(pinned);
      cell.classList.toggle('winner', name === page.metric && slot === page.best);
      const words = value === null ? '' : text.number(value);
      if (base === null || value === null) return put(cell, words, '');
      const delta = Number((value - base).toPrecision(3)), change = `${delta < 0 ? '−' : '+'}${text.number(Math.abs(delta))}`;
      put(cell, `${words} ${change}`, `${text.exact(value)}; baseline ${text.exact(base)}`, () => [words, element('span', { class: 'delta' }, change)]);
    };
    const width = widthOf(page, name, slot => read(slot) === null ? '' : text.number(read(slot)));
    // the best one is bold
    return { key, title: name, label: key, kind: 'number', width: width + (page.query.pin ? 8.6 : .7), draw };
  }

  /** Shows the line of a run in the pictures, and whether the user has selected it. */
  function signColumn(page) {
    const draw = (cell, slot) => {
      const isPicked = page.selected.includes(page.table.id(slot)), at = page.drawn.indexOf(slot);
      cell.classList.toggle('picked', isPicked);
      if (cell.closest('.pin')) put(cell, 'base', 'Baseline: the others show how they differ');
      else if (at < 0) put(cell, '', 'Select');
      else put(cell, `line ${at}`, isPicked ? 'Selected' : 'Drawn beside; click to keep it', () => [gitrun.charts.swatch(at)]);
    };
    return { key: null, title: '', label: 'Selection', kind: 'sign', width: page.query.pin ? 4.4 : 2.8, draw };
  }

  function idColumn({ table }) {
    const marked = table.reader('marked');
    const draw = (cell, slot) => put(cell, `${table.id(slot)} ${marked(slot)}`, '', () => [
      link(gitrun.survey.address(table, slot), { class: 'id', tabindex: -1 }, table.id(slot).slice(0, 8)),
      marked(slot) && element('span', { class: 'star', title: 'marked' }, '★')]);
    return { key: null, title: 'run', label: 'id', kind: 'text', width: 9, draw };
  }

  function labelColumn(page) {
    const label = page.table.reader('label'), tags = page.table.reader('tags');
    const show = slot => [label(slot) ?? '', ...(tags(slot) ?? []).map(tag => `#${tag}`)].filter(Boolean).join(' ');
    const draw = (cell, slot) => put(cell, show(slot), show(slot), () => [label(slot) && element('span', { class: 'badge' }, label(slot)),
      (tags(slot) ?? []).map(tag => element('span', { class: 'tag' }, `#${tag}`))]);
    return { key: 'label', title: 'label', label: 'label', kind: 'text', width: widthOf(page, 'label', show, 22), draw };
  }

  function startedColumn({ table }) {
    const created = table.column('created').values;
    const draw = (cell, slot) => put(cell, text.age(created[slot]), text.time(created[slot]));
    return { key: 'started', title: 'started', label: 'started', kind: 'text', width: 10.4, draw };
  }

  /** Shows the status; of a batch also how many of its trials have ended. */
  function statusColumn(page) {
    const read = page.table.reader('status'), trials = page.table.column('trials').values;
    const ended = ({ total, pending }) => `${total - pending}/${total}`;
    const show = slot => trials[slot] ? `${read(slot)} ${ended(trials[slot])}` : read(slot);
    const draw = (cell, slot) => {
      cell.classList.add('status');
      put(cell, show(slot), trials[slot] ? `${ended(trials[slot]).replace('/', ' of ')} trials have ended` : '');
    };
    return { key: 'status', title: 'status', label: 'status', kind: 'text', width: Math.max(9.5, widthOf(page, 'status', show)), draw };
  }

  function curveColumn(page) {
    const draw = (cell, slot) => {
      const series = page.sparks.get(slot);
      if (series) put(cell, series.values.join(' '), '', () => [gitrun.charts.spark(thin(series.values))]);
      else put(cell, '', '');
    };
    return { key: null, title: 'curve', label: 'curve', kind: 'text', width: 7, draw };
  }

  function thin(values) {
    const stride = Math.ceil(values.length / SPARK_POINTS);
    return values.filter((_, at) => at % stride === 0 || at === values.length - 1);
  }

  /** Puts words, or the nodes that show them, into a cell, unless they are there. */
  function put(cell, words, title, nodes) {
    if (cell.words === words && cell.hint === title) return;
    Object.assign(cell, { words, hint: title });
    if (nodes) fill(cell, nodes());
    else cell.textContent = text.safe(words);
    if (title) cell.title = text.safe(title);
    else if (cell.title) cell.removeAttribute('title');
  }

  return { make, usual };
})();
