/* The page of all runs: filter, table, pictures, and the command that gives the same list.
 *
 * Its address: q (an expression of --where), op (an operation), sort (as --sort takes it), cols (names of columns), pin (id
 * of the baseline), sel (ids of selected runs), y and x (the metric and axis of pictures), best ('least' or 'most'), log,
 * smooth, share.
 */
'use strict';
(() => {
  const { element, fill, link, announce, command } = gitrun.dom;
  const { text, survey } = gitrun;
  const MOST_FLAGS = 6, NEWEST = 8, MOST_SELECTED = 50, MOST_VALUES = 20, MOST_COMPARED = 5, LARGE = 5000;

  class RunsPage {
    constructor(view, table) {
      Object.assign(this, { view, table, signal: view.signal, query: view.query, version: 0 });
      this.selected = [];
      this.sparks = new Map();
      this.build();
      this.listenKeys();
      table.listen(slots => this.tableChanged(slots), this.signal);
      // relative times grow old
      const timer = setInterval(() => this.grid.redraw(), 30_000);
      this.signal.addEventListener('abort', () => [timer, this.redoTimer, this.panelTimer, this.sparkTimer].forEach(clearTimeout));
    }

    build() {
      const id = slot => this.table.id(slot);
      this.box = gitrun.filterbox.create({
        names: () => this.names(), texts: name => this.textsOf(name),
        change: (words, isNew) => this.filterChanged(words, isNew),
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
      this.broken = element('ul', { class: 'broken', 'aria-label': 'Runs that cannot be read' });
      this.foot = element('div', { class: 'foot' });
      this.panel = gitrun.panel.create({
        signal: this.signal, setQuery: changes => gitrun.router.setQuery(changes), brush: (name, low, high, texts) => this.brushed(name, low, high, texts),
        pick: slot => this.toggle(id(slot)), name: slot => this.nameRun(slot),
      });
      this.picker = element('details', { class: 'picker' }, element('summary', {}, 'Columns'));
      this.picker.addEventListener('toggle', () => this.picker.open && this.use(tools => tools.fillPicker(this)));
      const help = element('button', { type: 'button', 'aria-label': 'Keys', title: 'Keys (?)', click: () => this.use(tools => tools.showHelp()) }, '?');
      fill(this.view.main, element('h1', { class: 'unseen' }, 'Runs'), element('div', { class: 'runs' },
        element('div', { class: 'list' }, element('div', { class: 'tools' }, this.box.node, this.count, this.picker, help),
          this.chips, this.bestLine, this.grid.node, this.broken, this.equal, this.chosen, this.foot), this.panel.node));
    }

    async use(act) {
      await gitrun.router.load('tools.js');
      act(gitrun.tools);
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
      const { table, query } = this, key = query.sort?.replace(/^-/, '');
      const known = JSON.stringify([query.q, query.op, query.flat, Boolean(key), this.version, table.order.length]);
      if (known !== this.known) {
        this.known = known;
        this.match(test);
      }
      this.survey(known);
      this.rows = key ? survey.sort(this.slots, survey.sortReader(table, key), query.sort[0] === '-') : this.slots;
      this.show();
    }

    match(test) {
      const { table, query } = this, operation = table.reader('operation'), status = table.reader('status'), listed = survey.isListed(table, query);
      const matching = table.order.filter(slot => listed(slot) && (!test || test(slot)));
      this.operations = new Map();
      for (const slot of matching) this.operations.set(operation(slot), (this.operations.get(operation(slot)) ?? 0) + 1);
      this.slots = query.op ? matching.filter(slot => operation(slot) === query.op) : matching;
      // trials that are shown as the line of their batch alone
      this.folded = test || query.op || query.sort || query.flat ? 0 : table.order.length - matching.length;
      // the single runs that values are compared of: as for `git run select --min`, trials too
      const trials = table.column('trials').values;
      this.points = this.folded ? table.order.filter(slot => trials[slot] === null) : this.slots;
      this.live = table.order.filter(slot => status(slot) === 'running').length;
    }

    survey(known) {
      const { table, slots, points, query } = this;
      if (known !== this.surveyed) {
        const { differing, equal } = survey.flags(table, slots);
        const pointFlags = points === slots ? differing : survey.flags(table, points).differing;
        Object.assign(this, { flags: differing, equalFlags: equal, pointFlags, metrics: survey.metrics(table, points), surveyed: known });
      }
      this.metric = this.metrics.includes(query.y) ? query.y : this.metrics[0] ?? null;
      this.isLeast = query.best ? query.best === 'least' : this.metric !== null && survey.isLeast(this.metric);
      this.bestFew = this.metric === null ? [] : survey.best(table, points, this.metric, this.isLeast, MOST_COMPARED);
      this.best = this.bestFew[0] ?? null;
    }

    show() {
      const { table, query } = this;
      const picked = this.selected.map(id => table.slotOf(id)).filter(slot => slot !== undefined);
      const pinned = query.pin ? table.slotOf(query.pin) ?? null : null;
      const read = table.reader(`metric:${this.metric}`);
      this.drawn = picked.length ? picked : this.slots.slice(0, 200).filter(slot => read(slot) !== null).slice(0, NEWEST);
      if (!this.drawn.length) this.drawn = this.bestFew;
      const columns = this.chooseColumns();
      this.grid.update({ columns, rows: this.rows, selected: new Set(this.selected), pinned, sort: query.sort ?? null });
      this.showCount();
      this.showChips();
      this.showBest();
      this.showEqual();
      this.showChosen(picked);
      this.showBroken();
      this.showFoot();
      this.showEmpty();
      this.showPanel({
        table, query, slots: this.points, drawn: this.drawn, metrics: this.metrics, flags: this.pointFlags.slice(0, MOST_FLAGS), metric: this.metric,
        x: query.x ?? this.mostVariedFlag(), isLeast: this.isLeast, describe: slot => this.describe(slot), stamp: this.version,
      });
    }

    /** The pictures of many runs take longer than their table, and come after it. */
    showPanel(given) {
      const { y, x, best, log, smooth, share } = this.query, key = JSON.stringify([this.known, y, x, best, log, smooth, share, this.drawn]);
      if (key === this.panelKey) return;
      this.panelKey = key;
      clearTimeout(this.panelTimer);
      if (this.points.length < LARGE) this.panel.show(given);
      else this.panelTimer = setTimeout(() => this.panel.show(given), 100);
    }

    /** The columns; the same ones as before if they would not differ, because their elements are kept. */
    chooseColumns() {
      const names = this.query.cols ? this.query.cols.split(',').filter(Boolean) : gitrun.cells.usual(this);
      const columns = gitrun.cells.make(this, names);
      const key = JSON.stringify([columns.map(({ label, kind }) => [label, kind]), this.query.pin]);
      if (key === this.columnKey && this.grid.columns.length) {
        // a width that only grows does not move columns while values change
        columns.forEach((next, at) => {
          const own = this.grid.columns[at];
          Object.assign(own, next, { width: Math.max(own.width, next.width) });
        });
        return this.grid.columns;
      }
      this.columnKey = key;
      return columns;
    }

    /** The flag with numbers of which the runs have tried most. */
    mostVariedFlag() {
      const some = this.points.slice(0, 500);
      const values = name => new Set(some.map(this.table.reader(name)).filter(value => typeof value === 'number')).size;
      return this.pointFlags.map(name => [name, values(name)]).filter(([, count]) => count).sort((a, b) => b[1] - a[1])[0]?.[0] ?? '';
    }

    /** Asks for the curves of the rows in sight, once they have been in sight for a moment. */
    askSparks() {
      clearTimeout(this.sparkTimer);
      if (!this.grid.columns.some(column => column.label === 'curve')) return;
      const wanted = this.grid.inSight().filter(slot => !this.sparks.has(slot) && this.table.reader(`metric:${this.metric}`)(slot) !== null);
      if (!wanted.length) return;
      this.sparkTimer = setTimeout(async () => {
        const own = this.metric;
        const series = await this.panel.series(wanted, own, this.signal).catch(() => null);
        if (!series || own !== this.metric) return;
        for (const slot of wanted) this.sparks.set(slot, series.get(slot) ?? null);
        this.grid.redraw();
      }, 120);
    }

    // lines around the table

    showCount() {
      const all = this.table.total, shown = this.rows.length;
      const words = shown === all ? text.count(all, 'run')
        : this.folded ? `${text.count(shown, 'run')}, ${text.count(this.folded, 'trial')}` : `${text.whole(shown)} of ${text.whole(all)}`;
      const full = this.table.isWhole ? words : `${words}, loading…`;
      if (this.count.textContent !== full) fill(this.count, full);
    }

    showChips() {
      const chip = ([name, count]) => element('button', {
        type: 'button', class: 'chip', 'aria-pressed': String(this.query.op === name),
        click: () => gitrun.router.setQuery({ op: this.query.op === name ? null : name }, { push: true }),
      }, name, element('span', { class: 'soft' }, ` ${text.whole(count)}`));
      const sorted = [...this.operations].sort((a, b) => b[1] - a[1]).slice(0, 12);
      const live = this.live;
      const isFlat = Boolean(this.query.flat), folds = this.folded > 0 || isFlat;
      this.chips.hidden = sorted.length < 2 && !this.query.op && !live && !folds;
      const trials = folds && element('button', {
        type: 'button', class: 'chip', 'aria-pressed': String(isFlat), click: () => gitrun.router.setQuery({ flat: isFlat ? null : 1 }, { push: true }),
      }, 'show trials');
      fill(this.chips, sorted.map(chip), trials, live > 0 && link('/live', { class: 'running' }, `● ${live} running`));
    }

    showBest() {
      this.bestLine.hidden = this.best === null || this.points.length < 2;
      if (this.bestLine.hidden) return;
      const id = this.table.id(this.best);
      const trial = this.table.reader('trial')(this.best);
      const flags = this.pointFlags.slice(0, MOST_FLAGS).filter(name => this.table.reader(name)(this.best) !== null)
        .map(name => [' ', element('code', {}, `${name.replace('flag:', '')}=${text.value(this.table.reader(name)(this.best))}`)]);
      fill(this.bestLine, element('strong', {}, `${this.isLeast ? 'Lowest' : 'Highest'} ${this.metric} `),
        element('span', { class: 'value' }, text.number(this.table.reader(`metric:${this.metric}`)(this.best))), ' ', this.nameRun(this.best), trial === null ? '' : ` trial ${trial}`, flags,
        ' ', link(`/runs/${id}?tab=code`, {}, 'its code'), ' ', link(gitrun.router.address('/compare', { r: this.bestFew.map(slot => this.table.id(slot)).join(',') }), {}, `compare the best ${this.bestFew.length}`));
    }

    showEqual() {
      const some = this.slots[0], flags = this.equalFlags.slice(0, 30);
      this.equal.hidden = !flags.length || this.slots.length < 2;
      fill(this.equal, 'The same in all: ', flags.map(name => [element('code', {}, `${name}=${text.value(this.table.reader(`flag:${name}`)(some))}`), ' ']));
    }

    /** As in `git run list`, what cannot be read comes last, and matches no filter. */
    showBroken() {
      const { q, op, sort } = this.query, broken = q || op || sort ? [] : this.table.broken;
      this.broken.hidden = !broken.length;
      fill(this.broken, broken.slice(0, MOST_VALUES).map(({ id, reason }) => element('li', {}, element('span', { class: 'id' }, id.slice(0, 8)), ` ${reason}`)),
        broken.length > MOST_VALUES && element('li', {}, `and ${text.whole(broken.length - MOST_VALUES)} more`));
    }

    showChosen(picked) {
      const ids = this.selected, gone = ids.length - picked.length;
      this.chosen.hidden = !ids.length;
      if (!ids.length) return;
      fill(this.chosen, `${ids.length} selected `, ids.length > 1 && [link(this.compareAddress(), { class: 'button' }, 'Compare'), ' '],
        ids.length === 2 && [link(`/diff/${ids[1]}/${ids[0]}`, { class: 'button' }, 'Diff'), ' '],
        element('button', { type: 'button', click: () => this.select([]) }, 'Clear'),
        gone > 0 && this.table.isWhole && [` ${gone} deleted. To restore: `, element('code', {}, `git run restore ${ids.filter(id => this.table.slotOf(id) === undefined).map(id => id.slice(0, 8)).join(' ')}`)]);
    }

    compareAddress() { return gitrun.router.address('/compare', { r: this.selected.join(',') }); }

    showFoot() {
      const { q, op, sort, flat } = this.query;
      const option = (name, value) => /^-/.test(value) ? `${name}=${text.quote(value)}` : `${name} ${text.quote(value)}`;
      const words = ['git run list --all', flat && '--flat', op && option('--op', op), q && option('--where', q), sort && `--sort=${text.quote(sort)}`];
      const line = words.filter(Boolean).join(' ');
      if (this.footLine === line) return;
      this.footLine = line;
      fill(this.foot, command(line), element('button', { type: 'button', click: () => this.use(tools => tools.save(this, 'csv')) }, 'CSV'),
        element('button', { type: 'button', click: () => this.use(tools => tools.save(this, 'json')) }, 'JSON'));
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
      const label = this.table.reader('label')(slot), flags = this.pointFlags.slice(0, MOST_FLAGS);
      return [this.table.id(slot).slice(0, 8), label, `${this.metric}=${text.number(this.table.reader(`metric:${this.metric}`)(slot))}`,
        ...flags.map(name => `${name.replace('flag:', '')}=${text.value(this.table.reader(name)(slot))}`)].filter(Boolean).join(' ');
    }

    // what the user does

    filterChanged(words, isNew) {
      try {
        if (words) gitrun.filter.parse(words);
        this.box.fail(null);
      } catch (error) { return this.box.fail(error); }
      gitrun.router.setQuery({ q: words || null }, { push: isNew });
    }

    sortBy(key) {
      const sort = this.query.sort, isMetric = survey.hasMetric(this.table, key.replace(/^metric:/, ''));
      const first = (isMetric && !survey.isLeast(key)) || key === 'started' ? `-${key}` : key;
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
      const axis = this.flags.includes(name) || name.startsWith('metric:') ? name : survey.metricKey(this.table, name);
      const round = value => text.number(value);
      const range = texts ? `${axis} in [${texts.join(', ')}]` : `${axis}>=${round(low)} and ${axis}<=${round(high)}`;
      const words = this.query.q ? `${/ or /.test(this.query.q) ? `(${this.query.q})` : this.query.q} and ${range}` : range;
      this.box.input.value = words;
      gitrun.router.setQuery({ q: words }, { push: true });
    }

    open(id) { gitrun.router.go(survey.address(this.table, this.table.slotOf(id))); }

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

    pin() {
      const id = this.grid.active;
      if (id) gitrun.router.setQuery({ pin: this.query.pin === id ? null : id });
    }

    // changes while the page is open

    tableChanged(slots) {
      if (slots) slots.forEach(slot => this.sparks.delete(slot));
      else this.sparks.clear();
      if (!slots || slots.length) {
        this.version++;
        this.panel.forget(slots);
      }
      // blocks of rows come faster than many rows are sorted
      clearTimeout(this.redoTimer);
      if (this.table.isWhole) this.filter();
      else this.redoTimer = setTimeout(() => this.filter(), 300);
    }
  }

  const KEYS = {
    '/': page => { page.box.input.focus(); page.box.input.select(); },
    '?': page => page.use(tools => tools.showHelp()),
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

  async function render(view) {
    gitrun.router.title('Runs');
    const table = await gitrun.columns.open(view.signal);
    const page = new RunsPage(view, table);
    page.update(view.query);
    return next => page.update(next.query);
  }

  gitrun.router.page('/', render);
})();
