/* The page of all runs: filter, table, pictures, and the command that gives the same list.
 *
 * Its address: q (an expression of --where), op (an operation), sort (as --sort takes it), cols (names of columns), pin (id
 * of the baseline), sel (ids of selected runs), y and x (the metric and axis of pictures), best ('least' or 'most'), log,
 * smooth, share.
 */
'use strict';
(() => {
  const { element, fill, link, announce, command } = gitrun.dom;
  const { text } = gitrun;
  const MOST_FLAGS = 6, MOST_METRICS = 4, NEWEST = 8, MOST_SELECTED = 50, MOST_VALUES = 20;
  /** Metrics of which a small value is a good one. */
  const LEAST = /loss|err|mse|mae|rmse|perplexity|ppl|nll|cost|time|latency|regret|wer|cer|fid|divergence|distance/i;
  const SUMS = /^(.+):(first|last|min|max|count)$/;

  // which runs, in which order

  function isListed(table, query) {
    if (query.q || query.op || query.sort) return () => true;
    // as in `git run list`, a trial is shown with its batch, or by a filter
    const batch = table.column('batch').values;
    return slot => batch[slot] === null || !table.batches.has(batch[slot]);
  }

  function sortSlots(slots, read, isDown) {
    const known = [], rest = [];
    for (const slot of slots) {
      const value = read(slot);
      if (value === null || Number.isNaN(value)) rest.push(slot);
      else known.push([typeof value === 'boolean' ? Number(value) : value, slot]);
    }
    const isNumber = value => typeof value === 'number' || typeof value === 'bigint';
    const order = (a, b) => {
      if (isNumber(a) && isNumber(b)) return a < b ? -1 : a > b ? 1 : 0;
      if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
      return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
    };
    known.sort(isDown ? (a, b) => order(b[0], a[0]) : (a, b) => order(a[0], b[0]));
    return [...known.map(([, slot]) => slot), ...rest];
  }

  /** A metric is meant where a name is a flag too, as with --sort. */
  function sortReader(table, key) {
    return table.reader(!gitrun.columns.PROPERTIES.includes(key) && !/^(flag|metric):/.test(key) && hasMetric(table, key) ? `metric:${key}` : key);
  }

  const hasMetric = (table, key) => table.metrics.includes(SUMS.exec(key)?.[1] ?? key);

  // which columns

  /** Tells 'differs', 'equal' or 'empty' of the values of a column. */
  function variety(read, slots) {
    let first, count = 0, differs = false;
    for (const slot of slots) {
      const value = read(slot);
      if (value === null) continue;
      if (!count++) first = value;
      else if (!differs && value !== first && text.value(value) !== text.value(first)) differs = true;
      if (differs) return 'differs';
    }
    return !count ? 'empty' : count < slots.length ? 'differs' : 'equal';
  }

  function surveyFlags(table, slots) {
    const sorts = table.flags.map(name => [name, variety(table.reader(`flag:${name}`), slots)]);
    const named = sort => sorts.filter(([, own]) => own === sort).map(([name]) => name);
    const isBoth = name => table.metrics.includes(name) || gitrun.columns.PROPERTIES.includes(name);
    return { flags: named('differs').map(name => isBoth(name) ? `flag:${name}` : name), equal: named('equal') };
  }

  function surveyMetrics(table, slots) {
    const count = name => {
      const read = table.reader(`metric:${name}`);
      let have = 0;
      for (const slot of slots) if (read(slot) !== null) have++;
      return have;
    };
    const known = table.metrics.map(name => [name, count(name)]).filter(([, have]) => have);
    // the metric that most runs have is the main one; sorting keeps the order of the others
    return known.sort((a, b) => b[1] - a[1]).map(([name]) => name);
  }

  const metricKey = (table, name) => table.flags.includes(name) || gitrun.columns.PROPERTIES.includes(name) ? `metric:${name}` : name;

  // the page

  class RunsPage {
    constructor(view, table) {
      Object.assign(this, { view, table, signal: view.signal, query: view.query, version: 0, last: {} });
      this.selected = [];
      this.hiddenChange = 0;
      this.build();
      this.listenKeys();
      table.listen(slots => this.tableChanged(slots), this.signal);
      // relative times grow old
      const timer = setInterval(() => this.grid.redraw(), 30_000);
      this.signal.addEventListener('abort', () => clearInterval(timer));
    }

    build() {
      const id = slot => this.table.id(slot);
      this.box = gitrun.filterbox.create({
        names: () => this.names(), texts: name => this.textsOf(name),
        change: (words, isDone) => this.filterChanged(words, isDone),
      });
      this.box.node.addEventListener('leave', () => this.grid.node.focus());
      this.count = element('p', { class: 'count', role: 'status', 'aria-live': 'polite' });
      this.chips = element('p', { class: 'chips', role: 'group', 'aria-label': 'Operations' });
      this.bestLine = element('p', { class: 'best' });
      this.chosen = element('p', { class: 'chosen', role: 'group', 'aria-label': 'Selection' });
      this.grid = gitrun.table.create({
        label: 'Runs', open: run => this.open(run), toggle: (run, isRange) => this.toggle(run, isRange), sort: key => this.sortBy(key),
      });
      Object.assign(this.grid, { idOf: id, statusOf: this.table.reader('status'), seen: () => this.askSparks() });
      this.equal = element('p', { class: 'soft equal' });
      this.foot = element('div', { class: 'foot' });
      this.panel = gitrun.panel.create({
        signal: this.signal, setQuery: changes => gitrun.router.setQuery(changes), brush: (name, low, high, texts) => this.brushed(name, low, high, texts),
        pick: slot => this.toggle(id(slot)), name: slot => this.nameRun(slot),
      });
      this.picker = element('details', { class: 'picker' }, element('summary', {}, 'Columns'));
      this.picker.addEventListener('toggle', () => this.picker.open && this.fillPicker());
      const help = element('button', { type: 'button', 'aria-label': 'Keys', title: 'Keys (?)', click: () => this.showHelp() }, '?');
      fill(this.view.main, element('h1', { class: 'unseen' }, 'Runs'), element('div', { class: 'runs' },
        element('div', { class: 'list' }, element('div', { class: 'tools' }, this.box.node, this.count, this.picker, help),
          this.chips, this.bestLine, this.grid.node, this.equal, this.chosen, this.foot), this.panel.node));
      this.view.main.firstChild.parentNode.classList.add('wide');
    }

    names() {
      const { flags, metrics } = this.table;
      const both = flags.filter(name => metrics.includes(name));
      return [...new Set([...flags, ...metrics, ...gitrun.columns.PROPERTIES, ...both.map(name => `metric:${name}`),
        ...metrics.flatMap(name => ['min', 'max', 'first'].map(aspect => `${name}:${aspect}`))])];
    }

    textsOf(name) {
      const read = this.table.reader(name), texts = new Set();
      for (const slot of this.table.order.slice(0, 5000)) {
        for (const value of [read(slot)].flat()) if (typeof value === 'string') texts.add(text.value(value));
        if (texts.size >= MOST_VALUES) break;
      }
      return [...texts].sort();
    }

    // from the address to what is seen

    update(query) {
      this.query = query;
      this.box.set(query.q ?? '');
      this.selected = (query.sel ?? '').split(',').filter(Boolean).map(id => this.table.wholeId(id));
      this.filter();
    }

    async filter() {
      let test = null;
      try {
        const shown = [...(this.query.cols ?? '').split(','), (this.query.sort ?? '').replace(/^-/, '')].filter(Boolean);
        await this.table.load(shown, [], this.signal);
        if (this.query.q) {
          const parsed = gitrun.filter.parse(this.query.q);
          await this.table.load(parsed.names, parsed.comparisons, this.signal);
          test = parsed.test(name => this.table.reader(name));
        }
        this.box.fail(null);
      } catch (error) {
        if (error.name === 'AbortError') return;
        return this.box.fail(error);
      }
      this.choose(test);
    }

    choose(test) {
      const { table, query } = this, operation = table.reader('operation'), listed = isListed(table, query);
      const matching = table.order.filter(slot => listed(slot) && (!test || test(slot)));
      this.operations = new Map();
      for (const slot of matching) this.operations.set(operation(slot), (this.operations.get(operation(slot)) ?? 0) + 1);
      this.slots = query.op ? matching.filter(slot => operation(slot) === query.op) : matching;
      const key = query.sort?.replace(/^-/, '');
      this.rows = key ? sortSlots(this.slots, sortReader(table, key), query.sort[0] === '-') : this.slots;
      this.survey();
      this.show();
    }

    survey() {
      const { table, slots, query } = this;
      const survey = surveyFlags(table, slots);
      this.flags = survey.flags;
      this.equalFlags = survey.equal;
      this.metrics = surveyMetrics(table, slots);
      this.metric = this.metrics.includes(query.y) ? query.y : this.metrics[0] ?? null;
      this.isLeast = query.best ? query.best === 'least' : this.metric !== null && LEAST.test(this.metric);
      this.best = this.findBest();
    }

    /** Finds the run with the best value, as `git run select --min` does: runs that are running may still change. */
    findBest() {
      if (this.metric === null) return null;
      const read = this.table.reader(`metric:${this.metric}`), status = this.table.reader('status');
      let best = null;
      // of equal ones the newest, which comes first
      for (const slot of this.slots) {
        const value = read(slot);
        if (typeof value !== 'number' || Number.isNaN(value) || status(slot) === 'running') continue;
        if (best === null || (this.isLeast ? value < read(best) : value > read(best))) best = slot;
      }
      return best;
    }

    show() {
      const { table, query } = this;
      const picked = this.selected.map(id => table.slotOf(id)).filter(slot => slot !== undefined);
      const pinned = query.pin ? table.slotOf(query.pin) ?? null : null;
      const read = table.reader(`metric:${this.metric}`);
      this.drawn = picked.length ? picked : this.slots.slice(0, 200).filter(slot => read(slot) !== null).slice(0, NEWEST);
      const columns = this.makeColumns();
      this.grid.update({ columns, rows: this.rows, selected: new Set(this.selected), pinned, sort: query.sort ?? null });
      this.showCount();
      this.showChips();
      this.showBest();
      this.showEqual();
      this.showChosen(picked);
      this.showFoot();
      this.showEmpty();
      this.panel.show({
        table, query, slots: this.slots, drawn: this.drawn, metrics: this.metrics, flags: this.flags.slice(0, MOST_FLAGS), metric: this.metric,
        x: query.x ?? this.mostVariedFlag(), isLeast: this.isLeast, describe: slot => this.describe(slot), stamp: this.version,
      });
    }

    /** The flag with numbers of which the runs have tried most. */
    mostVariedFlag() {
      const some = this.slots.slice(0, 500);
      const values = name => new Set(some.map(this.table.reader(name)).filter(value => typeof value === 'number')).size;
      return this.flags.map(name => [name, values(name)]).filter(([, count]) => count).sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
    }

    // columns

    makeColumns() {
      const wanted = this.query.cols ? this.query.cols.split(',') : this.defaultColumns();
      const key = JSON.stringify([wanted, this.metric, this.query.pin, this.drawn.length]);
      const columns = [this.signColumn(), ...wanted.map(name => this.makeColumn(name))];
      // the same columns keep their elements, so that typing does not make them anew
      if (this.columnKey === key + columns.map(column => column.width)) return this.grid.columns;
      this.columnKey = key + columns.map(column => column.width);
      return columns;
    }

    defaultColumns() {
      const has = name => this.slots.slice(0, 5000).some(slot => { const value = this.table.reader(name)(slot); return Array.isArray(value) ? value.length : value; });
      const metrics = this.metrics.slice(0, MOST_METRICS).map(name => metricKey(this.table, name));
      return ['id', ...(has('label') || has('tags') ? ['label'] : []), ...(this.operations.size > 1 && !this.query.op ? ['operation'] : []),
        'started', 'status', ...metrics.slice(0, 1), ...(metrics.length ? ['spark'] : []), ...this.flags.slice(0, MOST_FLAGS), ...metrics.slice(1), 'duration'];
    }

    makeColumn(name) {
      const special = { id: () => this.idColumn(), label: () => this.labelColumn(), started: () => this.startedColumn(),
        spark: () => this.sparkColumn(), duration: () => this.plainColumn('duration', value => text.duration(value), 'number'),
        status: () => this.statusColumn() };
      if (special[name]) return special[name]();
      const metric = name.replace(/^metric:/, '');
      if (!this.table.flags.includes(name) && (hasMetric(this.table, metric) || name.startsWith('metric:'))) return this.metricColumn(name, metric);
      return this.plainColumn(name, null, this.isNumeric(name) ? 'number' : 'text');
    }

    isNumeric(name) {
      const read = this.table.reader(name), some = this.slots.slice(0, 100).map(read).filter(value => value !== null);
      return some.length > 0 && some.every(value => typeof value === 'number' || typeof value === 'bigint');
    }

    /** The width that most of the texts need, in characters. */
    widthOf(title, show, most = 24) {
      let width = title.length + 1;
      for (const slot of this.slots.slice(0, 100)) width = Math.max(width, show(slot).length);
      return Math.min(width, most);
    }

    plainColumn(name, format, kind) {
      const read = this.table.reader(name), title = name.replace(/^(flag|metric):/, '');
      const show = format ? slot => format(read(slot)) : this.table.text(name);
      const draw = (cell, slot) => {
        const value = show(slot);
        put(cell, value, value);
        const base = this.grid.pinned;
        cell.classList.toggle('differs', base !== null && base !== slot && this.table.flags.includes(title) && value !== show(base));
      };
      return { key: name, title, label: name, kind, width: this.widthOf(title, show), draw };
    }

    metricColumn(key, name) {
      const read = this.table.reader(`metric:${name}`), hasBase = Boolean(this.query.pin);
      const draw = (cell, slot) => {
        const value = read(slot), base = this.grid.pinned === null || this.grid.pinned === slot ? null : read(this.grid.pinned);
        const isBest = name === this.metric && slot === this.best;
        cell.classList.toggle('winner', isBest);
        if (base === null || value === null) return put(cell, value === null ? '' : text.number(value), value === null ? '' : text.exact(value));
        const delta = value - base;
        put(cell, [text.number(value), element('span', { class: 'delta' }, `${delta < 0 ? '−' : '+'}${text.number(Math.abs(Number(delta.toPrecision(3))))}`)], `${text.exact(value)}, baseline ${text.exact(base)}`);
      };
      return { key, title: name, label: key, kind: 'number', width: Math.max(name.length + 1, hasBase ? 17 : 8), draw };
    }

    signColumn() {
      const draw = (cell, slot) => {
        if (slot === this.grid.pinned && cell.closest('.pin')) return put(cell, 'base', 'Baseline: the others show how they differ');
        const at = this.drawn.indexOf(slot), isPicked = this.selected.includes(this.table.id(slot));
        cell.classList.toggle('picked', isPicked);
        put(cell, at < 0 ? '' : [gitrun.charts.swatch(at)], isPicked ? 'Selected' : at < 0 ? 'Select' : 'Drawn; select to keep it');
      };
      return { key: null, title: '', label: 'Selection', kind: 'sign', width: 3.5, draw };
    }

    idColumn() {
      const id = slot => this.table.id(slot), marked = this.table.reader('marked');
      const draw = (cell, slot) => put(cell, [link(`/runs/${id(slot)}`, { class: 'id', tabindex: -1 }, id(slot).slice(0, 8)),
        marked(slot) && element('span', { class: 'star', title: 'marked' }, '★')], '');
      return { key: null, title: 'run', label: 'run', kind: 'text', width: 9.5, draw };
    }

    labelColumn() {
      const label = this.table.reader('label'), tags = this.table.reader('tags');
      const shape = slot => [label(slot) ?? '', ...(tags(slot) ?? []).map(tag => `#${tag}`)].filter(Boolean).join(' ');
      const draw = (cell, slot) => put(cell, [label(slot) && element('span', { class: 'badge' }, label(slot)),
        (tags(slot) ?? []).map(tag => element('span', { class: 'tag' }, `#${tag}`))], shape(slot));
      return { key: 'label', title: 'label', label: 'label', kind: 'text', width: this.widthOf('label', shape, 22), draw };
    }

    startedColumn() {
      const moment = slot => this.table.column('created').values[slot];
      const draw = (cell, slot) => put(cell, text.age(moment(slot)), text.time(moment(slot)));
      return { key: 'started', title: 'started', label: 'started', kind: 'text', width: 10, draw };
    }

    statusColumn() {
      const read = this.table.reader('status');
      const draw = (cell, slot) => { cell.classList.add('status'); put(cell, read(slot), ''); };
      return { key: 'status', title: 'status', label: 'status', kind: 'text', width: 10, draw };
    }

    sparkColumn() {
      const draw = (cell, slot) => {
        const series = this.sparks?.get(slot);
        put(cell, series ? [gitrun.charts.spark(thin(series.values))] : '', '');
      };
      return { key: null, title: 'curve', label: 'curve', kind: 'text', width: 7, draw };
    }

    /** Asks for the curves of the rows in sight, once they have been in sight for a moment. */
    askSparks() {
      clearTimeout(this.sparkTimer);
      if (!this.grid.columns.some(column => column.label === 'curve')) return;
      const wanted = this.grid.inSight().filter(slot => !this.sparks?.has(slot) && this.table.reader(`metric:${this.metric}`)(slot) !== null);
      if (!wanted.length) return;
      this.sparkTimer = setTimeout(async () => {
        const own = this.metric;
        const series = await this.panel.series(wanted, own, this.signal).catch(() => null);
        if (!series || own !== this.metric) return;
        this.sparks ??= new Map();
        for (const slot of wanted) this.sparks.set(slot, series.get(slot) ?? null);
        this.grid.redraw();
      }, 120);
    }

    // lines around the table

    showCount() {
      const all = this.table.total, shown = this.rows.length;
      const words = shown === all ? text.count(all, 'run') : `${shown.toLocaleString('en')} of ${all.toLocaleString('en')}`;
      const full = this.table.isWhole ? words : `${words}, loading…`;
      if (this.count.textContent !== full) fill(this.count, full);
    }

    showChips() {
      const chip = ([name, count]) => element('button', {
        type: 'button', class: 'chip', 'aria-pressed': String(this.query.op === name),
        click: () => gitrun.router.setQuery({ op: this.query.op === name ? null : name }, { push: true }),
      }, name, element('span', { class: 'soft' }, ` ${count.toLocaleString('en')}`));
      const sorted = [...this.operations].sort((a, b) => b[1] - a[1]).slice(0, 12);
      const live = this.table.order.filter(slot => this.table.reader('status')(slot) === 'running').length;
      this.chips.hidden = sorted.length < 2 && !this.query.op && !live;
      fill(this.chips, sorted.map(chip), live > 0 && link('/live', { class: 'running' }, `● ${live} running`));
    }

    showBest() {
      this.bestLine.hidden = this.best === null || this.slots.length < 2;
      if (this.bestLine.hidden) return;
      const id = this.table.id(this.best);
      const flags = this.flags.slice(0, MOST_FLAGS).filter(name => this.table.reader(name)(this.best) !== null)
        .map(name => [' ', element('code', {}, `${name.replace('flag:', '')}=${text.value(this.table.reader(name)(this.best))}`)]);
      fill(this.bestLine, element('strong', {}, `${this.isLeast ? 'Lowest' : 'Highest'} ${this.metric} `),
        element('span', { class: 'value' }, text.number(this.table.reader(`metric:${this.metric}`)(this.best))), ' ', this.nameRun(this.best), flags,
        ' ', link(`/runs/${id}?tab=code`, {}, 'code'), ' ', link(gitrun.router.address('/compare', { r: this.bestFew().join(',') }), {}, 'compare the best'));
    }

    bestFew() {
      const read = this.table.reader(`metric:${this.metric}`);
      return sortSlots(this.slots.filter(slot => read(slot) !== null), read, !this.isLeast).slice(0, 5).map(slot => this.table.id(slot));
    }

    showEqual() {
      const some = this.slots[0], flags = this.equalFlags.slice(0, 30);
      this.equal.hidden = !flags.length || this.slots.length < 2;
      fill(this.equal, 'The same in all: ', flags.map(name => [element('code', {}, `${name}=${text.value(this.table.reader(`flag:${name}`)(some))}`), ' ']));
    }

    showChosen(picked) {
      const ids = this.selected, gone = ids.length - picked.length;
      this.chosen.hidden = !ids.length;
      if (!ids.length) return;
      fill(this.chosen, `${ids.length} selected `, ids.length > 1 && [link(this.compareAddress(), { class: 'button' }, 'Compare'), ' '],
        ids.length === 2 && [link(`/diff/${ids[1]}/${ids[0]}`, { class: 'button' }, 'Diff'), ' '],
        element('button', { type: 'button', click: () => this.select([]) }, 'Clear'),
        gone > 0 && this.table.isWhole && ` ${gone} of them deleted; git run restore brings them back`);
    }

    compareAddress() { return gitrun.router.address('/compare', { r: this.selected.join(',') }); }

    showFoot() {
      const { q, op, sort } = this.query;
      const option = (name, value) => /^-/.test(value) ? `${name}=${text.quote(value)}` : `${name} ${text.quote(value)}`;
      const words = ['git run list --all', op && option('--op', op), q && option('--where', q), sort && `--sort=${text.quote(sort)}`];
      const line = words.filter(Boolean).join(' ');
      if (this.footLine === line) return;
      this.footLine = line;
      fill(this.foot, command(line), element('button', { type: 'button', click: () => this.save('csv') }, 'CSV'),
        element('button', { type: 'button', click: () => this.save('json') }, 'JSON'));
    }

    showEmpty() {
      this.empty?.remove();
      if (this.rows.length) return;
      this.empty = element('div', { class: 'nothing' }, this.table.total
        ? element('p', {}, 'No runs match.')
        : [element('p', {}, 'There are no runs yet. To make one:'), command('git run train.py lr=0.1')]);
      this.grid.node.after(this.empty);
    }

    nameRun(slot) {
      const id = this.table.id(slot), label = this.table.reader('label')(slot);
      return [link(`/runs/${id}`, { class: 'id' }, id.slice(0, 8)), label && [' ', label]];
    }

    describe(slot) {
      const label = this.table.reader('label')(slot), flags = this.flags.slice(0, MOST_FLAGS);
      return [this.table.id(slot).slice(0, 8), label, `${this.metric}=${text.number(this.table.reader(`metric:${this.metric}`)(slot))}`,
        ...flags.map(name => `${name.replace('flag:', '')}=${text.value(this.table.reader(name)(slot))}`)].filter(Boolean).join(' ');
    }

    // what the user does

    filterChanged(words, isDone) {
      try {
        if (words) gitrun.filter.parse(words);
        this.box.fail(null);
      } catch (error) { return this.box.fail(error); }
      gitrun.router.setQuery({ q: words || null }, { push: isDone });
    }

    sortBy(key) {
      const sort = this.query.sort, isMetric = hasMetric(this.table, key.replace(/^metric:/, ''));
      const first = (isMetric && !LEAST.test(key)) || key === 'started' ? `-${key}` : key;
      const second = first === key ? `-${key}` : key;
      gitrun.router.setQuery({ sort: sort === first ? second : sort === second ? null : first }, { push: true });
    }

    select(ids) {
      gitrun.router.setQuery({ sel: ids.slice(-MOST_SELECTED).join(',') });
      announce(`${ids.length} selected`);
    }

    toggle(id, isRange) {
      if (isRange && this.anchor) return this.selectRange(id);
      this.anchor = id;
      this.select(this.selected.includes(id) ? this.selected.filter(other => other !== id) : [...this.selected, id]);
    }

    selectRange(id) {
      const read = slot => this.table.id(slot), at = name => this.rows.findIndex(slot => read(slot) === name);
      const [from, to] = [at(this.anchor), at(id)].sort((a, b) => a - b);
      this.select([...new Set([...this.selected, ...this.rows.slice(from, to + 1).map(read)])]);
    }

    brushed(name, low, high, texts) {
      const axis = this.flags.includes(name) || name.startsWith('metric:') ? name : metricKey(this.table, name);
      const round = value => text.number(value);
      const range = texts ? `${axis} in [${texts.join(', ')}]` : `${axis}>=${round(low)} and ${axis}<=${round(high)}`;
      const words = this.query.q ? `${/ or /.test(this.query.q) ? `(${this.query.q})` : this.query.q} and ${range}` : range;
      this.box.input.value = words;
      gitrun.router.setQuery({ q: words }, { push: true });
    }

    open(id) { gitrun.router.go(`/runs/${id}`); }

    listenKeys() {
      document.addEventListener('keydown', event => {
        const isTyping = event.target.closest('input:not([type=range]), select, textarea, [contenteditable]');
        if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
        const inGrid = this.grid.node.contains(event.target) || event.target === document.body || event.target.id === 'main';
        const act = KEYS[event.key] ?? (inGrid ? GRID_KEYS[event.key] : null);
        if (!act) return;
        event.preventDefault();
        act(this);
      }, { signal: this.signal });
    }

    showHelp() {
      const rows = [['/', 'filter'], ['j k ↑ ↓', 'next or previous run'], ['PgUp PgDn Home End', 'move further'], ['Space', 'select'], ['x', 'clear the selection'],
        ['p', 'baseline: differences to this run'], ['c', 'compare the selected'], ['d', 'diff of two'], ['Enter', 'open'], ['Esc', 'back to the table'], ['?', 'this help']];
      const dialog = element('dialog', { 'aria-label': 'Keys', close: () => dialog.remove() }, element('table', {}, element('tbody', {},
        rows.map(([keys, words]) => element('tr', {}, element('th', { scope: 'row' }, keys.split(' ').map(key => [element('kbd', {}, key), ' '])), element('td', {}, words))))),
        element('button', { type: 'button', click: () => dialog.close() }, 'Close'));
      document.body.append(dialog);
      dialog.showModal();
    }

    pin() {
      const id = this.grid.active;
      if (id) gitrun.router.setQuery({ pin: this.query.pin === id ? null : id });
    }

    fillPicker() {
      const shown = new Set(this.grid.columns.slice(1).map(column => column.label === 'curve' ? 'spark' : column.label === 'run' ? 'id' : column.label));
      const { table } = this;
      const all = ['id', 'label', 'operation', 'started', 'status', 'duration', 'branch', 'exit_status', 'trial', 'spark',
        ...table.metrics.map(name => metricKey(table, name)), ...table.flags.map(name => table.metrics.includes(name) || gitrun.columns.PROPERTIES.includes(name) ? `flag:${name}` : name)];
      const search = element('input', { type: 'search', 'aria-label': 'Search columns', placeholder: 'Search', input: () => narrow() });
      const items = all.map(name => element('label', {}, this.makeCheck(name, shown), ` ${name === 'spark' ? 'curve' : name}`));
      const narrow = () => items.forEach(item => { item.hidden = !item.textContent.toLowerCase().includes(search.value.toLowerCase()); });
      this.picker.querySelector('div')?.remove();
      this.picker.append(element('div', {}, search, element('div', { class: 'choices' }, items),
        element('button', { type: 'button', click: () => { gitrun.router.setQuery({ cols: null }, { push: true }); this.fillPicker(); } }, 'As usual')));
      search.focus();
    }

    makeCheck(name, shown) {
      const check = element('input', { type: 'checkbox', change: () => {
        if (check.checked) shown.add(name);
        else shown.delete(name);
        gitrun.router.setQuery({ cols: [...shown].join(',') });
      } });
      check.checked = shown.has(name);
      return check;
    }

    /** Hands over the rows and columns that are seen, as a file. */
    save(kind) {
      const names = this.grid.columns.slice(1).map(column => column.label).filter(name => name !== 'curve').map(name => name === 'run' ? 'id' : name);
      const readers = names.map(name => name === 'started' ? slot => this.isoTime(slot) : this.table.reader(name));
      const rows = this.rows.map(slot => readers.map(read => read(slot)));
      const words = kind === 'json'
        ? JSON.stringify(rows.map(row => Object.fromEntries(row.map((value, at) => [names[at], value]))), plainValue, 1)
        : [names, ...rows].map(row => row.map(quoteCell).join(',')).join('\r\n') + '\r\n';
      const address = URL.createObjectURL(new Blob([words], { type: kind === 'json' ? 'application/json' : 'text/csv' }));
      const anchor = element('a', { href: address, download: `runs.${kind}` });
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    }

    isoTime(slot) {
      return new Date(this.table.column('created').values[slot]).toISOString();
    }

    // what happens meanwhile

    tableChanged(slots) {
      this.version++;
      this.sparks && (slots ? slots.forEach(slot => this.sparks.delete(slot)) : this.sparks.clear());
      this.panel.forget(slots);
      this.columnKey = null;
      this.filter();
    }
  }

  const KEYS = {
    '/': page => { page.box.input.focus(); page.box.input.select(); },
    '?': page => page.showHelp(),
    Escape: page => page.grid.node.focus(),
    x: page => page.select([]),
    c: page => page.selected.length > 1 && gitrun.router.go(page.compareAddress()),
    d: page => page.selected.length === 2 && gitrun.router.go(`/diff/${page.selected[1]}/${page.selected[0]}`),
  };
  const move = by => page => { page.grid.node.focus(); page.grid.move(by(page.grid)); };
  const GRID_KEYS = {
    j: move(() => 1), k: move(() => -1), ArrowDown: move(() => 1), ArrowUp: move(() => -1),
    PageDown: move(grid => grid.pageSize), PageUp: move(grid => -grid.pageSize), Home: move(() => -Infinity), End: move(() => Infinity),
    ' ': page => page.grid.active && page.toggle(page.grid.active),
    p: page => page.pin(),
    Enter: page => page.grid.active && page.open(page.grid.active),
  };

  /** Puts text or nodes into a cell, unless they are there. */
  function put(cell, content, title) {
    if (typeof content === 'string' && cell.words === content && cell.title === title) return;
    cell.words = typeof content === 'string' ? content : null;
    fill(cell, content);
    cell.title = text.safe(title);
  }

  function thin(values) {
    const stride = Math.ceil(values.length / 60);
    return values.filter((_, at) => at % stride === 0 || at === values.length - 1);
  }

  const plainValue = (_, value) => typeof value === 'bigint' ? Number(value) : typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

  function quoteCell(value) {
    const words = value === null ? '' : Array.isArray(value) ? value.join(' ') : typeof value === 'number' ? text.exact(value) : String(value);
    return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
  }

  async function render(view) {
    gitrun.router.title('Runs');
    const table = await gitrun.columns.open(view.signal);
    const page = new RunsPage(view, table);
    page.update(view.query);
    return next => page.update(next.query);
  }

  gitrun.router.page('/', render);
})();
