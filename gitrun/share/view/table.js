/* gitrun.table: a grid of any number of rows, of which only those in sight are elements.
 *
 *   create({ label, open, toggle, sort })   a grid; open(id, tab), toggle(id, isRange) and sort(key) tell of the user's acts
 *   grid.node
 *   grid.update(changes)   any of: columns, rows (list of slots), idOf(slot), statusOf(slot), selected (Set of ids),
 *                          pinned (slot or null), sort ('lr' or '-lr'), and draws what is in sight
 *   grid.redraw()          draws the cells in sight again, in place
 *   grid.active            the id of the active row, or null;  grid.move(by), grid.moveTo(at) change it
 *   grid.inSight()         the slots in sight
 * A column: { key, title, label, kind: 'text' | 'number', width (in characters), draw(cell, slot) }; draw fills the cell.
 */
'use strict';
gitrun.table = (() => {
  const { element } = gitrun.dom;
  const BEYOND = 4, MOST = 90;
  let grids = 0;

  class Grid {
    constructor({ label, open, toggle, sort }) {
      Object.assign(this, { open, toggle, sort: null, askSort: sort, columns: [], rows: [], selected: new Set(), pinned: null });
      this.active = null;
      this.prefix = `grid-${++grids}-`;
      this.drawn = new Map();
      this.head = element('div', { role: 'row', class: 'row head', 'aria-rowindex': 1 });
      this.pin = element('div', { class: 'pin', role: 'rowgroup' });
      this.body = element('div', { role: 'rowgroup', class: 'rows' });
      this.node = element('div', {
        role: 'grid', class: 'grid', tabindex: 0, 'aria-label': label, 'aria-multiselectable': 'true',
        scroll: () => this.schedule(), click: event => this.click(event), focus: () => this.ensureActive(),
      }, element('div', { class: 'top', role: 'rowgroup' }, this.head), this.pin, this.body);
      new ResizeObserver(() => this.schedule()).observe(this.node);
    }

    update(changes) {
      const isReshaped = changes.columns && changes.columns !== this.columns;
      Object.assign(this, changes);
      if (isReshaped) this.reshape();
      this.node.style.setProperty('--columns', this.columns.map(column => `calc(${column.width}ch + .74rem)`).join(' '));
      this.markSort();
      this.node.setAttribute('aria-rowcount', this.rows.length + 1);
      this.positions = null;
      this.drawPinned();
      this.body.style.setProperty('height', `${this.rows.length * this.rowHeight}px`);
      this.draw(true);
    }

    /** Begins again with other columns. */
    reshape() {
      this.drawn.clear();
      this.body.replaceChildren();
      this.node.setAttribute('aria-colcount', this.columns.length);
      gitrun.dom.fill(this.head, this.columns.map((column, at) => this.makeHead(column, at)));
    }

    makeHead(column, at) {
      const title = column.key
        ? element('button', { type: 'button', tabindex: -1, title: `Sort by ${column.label}`, click: () => this.askSort(column.key) }, column.title)
        : element('span', {}, column.title);
      return element('div', { role: 'columnheader', class: `field ${column.kind}`, 'aria-colindex': at + 1, data: { key: column.key } }, title);
    }

    markSort() {
      const key = this.sort?.replace(/^-/, '');
      for (const [at, cell] of [...this.head.children].entries()) {
        if (key && this.columns[at].key === key) cell.setAttribute('aria-sort', this.sort[0] === '-' ? 'descending' : 'ascending');
        else cell.removeAttribute('aria-sort');
      }
    }

    schedule() {
      this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
    }

    get rowHeight() { return this.head.offsetHeight || 24; }

    /** Reads sizes once, before anything is written: to read them between writes makes the browser lay out again and again. */
    measure() {
      this.size = { row: this.rowHeight, above: this.body.offsetTop, height: this.node.clientHeight, scroll: this.node.scrollTop };
      return this.size;
    }

    /** Puts an element at each row in sight, and draws those that are new there, or all. */
    draw(isAll = false) {
      const { row: height, height: room } = this.measure(), first = Math.max(0, this.firstInSight - BEYOND);
      const count = Math.min(MOST, Math.ceil(room / height) + 2 * BEYOND, this.rows.length - first);
      const wanted = new Map(Array.from({ length: Math.max(0, count) }, (_, at) => [this.rows[first + at], first + at]));
      const spare = [...this.drawn].filter(([slot]) => !wanted.has(slot));
      for (const [slot, at] of wanted) {
        let row = this.drawn.get(slot);
        const isNew = !row;
        if (isNew) {
          const [old, element] = spare.pop() ?? [];
          this.drawn.delete(old);
          row = element ?? this.makeRow();
          this.drawn.set(slot, row);
        }
        this.place(row, at, height);
        if (isNew || isAll) this.fillRow(row, slot);
        else this.markRow(row, slot);
      }
      for (const [slot, row] of spare) {
        row.remove();
        this.drawn.delete(slot);
      }
      this.markActive();
      this.seen?.();
    }

    redraw() {
      this.drawPinned();
      for (const [slot, row] of this.drawn) this.fillRow(row, slot);
    }

    makeRow() {
      const row = element('div', { role: 'row', class: 'row' },
        this.columns.map((column, at) => element('div', { role: 'gridcell', class: `field ${column.kind}`, 'aria-colindex': at + 1 })));
      this.body.append(row);
      return row;
    }

    place(row, at, height) {
      if (row.at === at && row.height === height) return;
      Object.assign(row, { at, height });
      row.setAttribute('aria-rowindex', at + 2);
      row.style.setProperty('transform', `translateY(${at * height}px)`);
    }

    fillRow(row, slot) {
      const id = this.idOf(slot);
      row.id = this.prefix + id;
      row.dataset.run = id;
      row.dataset.status = this.statusOf(slot);
      this.columns.forEach((column, at) => column.draw(row.children[at], slot));
      this.markRow(row, slot);
    }

    markRow(row, slot) {
      const id = this.idOf(slot);
      row.setAttribute('aria-selected', this.selected.has(id));
      row.classList.toggle('active', id === this.active);
    }

    drawPinned() {
      const isThere = this.pinned !== null && this.columns.length > 0;
      this.pin.hidden = !isThere;
      this.pin.replaceChildren();
      if (!isThere) return;
      const row = this.makeRow();
      this.pin.append(row);
      row.classList.add('pinned');
      row.setAttribute('aria-label', 'Baseline');
      this.fillRow(row, this.pinned);
      row.id += '-pinned';
    }

    // the head covers one row
    get firstInSight() { return Math.max(0, Math.floor((this.size.scroll - this.size.above) / this.size.row) + 1); }

    inSight() { return this.rows.slice(this.firstInSight, this.firstInSight + Math.ceil(this.size.height / this.size.row) + 1); }

    get at() {
      this.positions ??= new Map();
      if (this.active === null) return -1;
      if (!this.positions.has(this.active)) this.positions.set(this.active, this.rows.findIndex(slot => this.idOf(slot) === this.active));
      return this.positions.get(this.active);
    }

    move(by) { this.moveTo(this.at < 0 ? 0 : this.at + by); }

    moveTo(at) {
      if (!this.rows.length) return;
      const wanted = Math.min(Math.max(at, 0), this.rows.length - 1);
      this.active = this.idOf(this.rows[wanted]);
      this.positions = null;
      const { row, above, height, scroll } = this.measure(), y = wanted * row;
      if (y < scroll) this.node.scrollTop = y;
      else if (above + y + row > scroll + height) this.node.scrollTop = above + y + row - height;
      this.draw();
    }

    get pageSize() { return Math.max(1, Math.floor(this.node.clientHeight / this.rowHeight) - 2); }

    ensureActive() {
      if (this.at < 0 && this.rows.length && this.node.matches(':focus-visible')) this.moveTo(0);
    }

    markActive() {
      for (const [slot, row] of this.drawn) this.markRow(row, slot);
      const id = this.active && this.prefix + this.active;
      if (id && document.getElementById(id)) this.node.setAttribute('aria-activedescendant', id);
      else this.node.removeAttribute('aria-activedescendant');
    }

    click(event) {
      const row = event.target.closest('[data-run]');
      if (!row || event.target.closest('a, button')) return;
      this.active = row.dataset.run;
      this.positions = null;
      this.toggle(row.dataset.run, event.shiftKey);
    }
  }

  return { create: options => new Grid(options) };
})();
