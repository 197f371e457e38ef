/* gitrun.columns: flags, metrics and properties of all runs, column by column, in the form of gitrun/store/columns.py.
 *
 *   open(signal)         a promise of a table as soon as its first rows are here; the rest follows in blocks
 *   table.order          the slots of the runs, newest first; a slot is the place of a run in all columns, for life
 *   table.total          the number of runs; table.isWhole tells whether all are here; table.broken: [{ id, reason }]
 *   table.id(slot)       the beginning of its id;  table.slotOf(id)  the slot of an id or its beginning, or undefined
 *   table.reader(name)   a function of a slot: the value of a property, flag or metric, named as in --where
 *   table.text(name)     the same as text, as gitrun prints it: 1.0 stays 1.0
 *   table.flags, table.metrics   names, the most frequent first;  table.has(name)  whether any run has a value for it
 *   table.load(names, comparisons, signal)   loads what only these names of a filter need; a promise
 *   table.listen(listener, signal)   calls listener(slots) after rows have come (none is a change), or these have changed;
 *                        slots is null after everything has
 */
'use strict';
gitrun.columns = (() => {
  const FIRST = 200, BLOCK = 5000, DIGITS = 17;
  const ASPECT = /^(.+):(first|last|min|max|count)$/s;
  const PROPERTIES = ['id', 'operation', 'op', 'status', 'label', 'tag', 'tags', 'marked', 'branch', 'base', 'batch', 'trial',
    'started', 'stopped', 'duration', 'exit_status'];
  const SAME = { op: 'operation', tag: 'tags' };
  /** Properties that are sent only if a filter asks for them: whole ids, and what no list shows. */
  const ASKED = ['id', 'batch', 'base', 'started', 'stopped', 'exit_status'];
  const SENT = ['operation', 'status', 'branch', 'duration', 'batch', 'trial'];
  const SPARSE = ['label', 'tags', 'trials'];
  /** What a run has that is not among the sparse ones: no tags are a list, of which `tag != paper` is true. */
  const EMPTY = { tags: [] };

  class Table {
    constructor() {
      Object.assign(this, { order: [], total: 0, stamp: null, isWhole: false, broken: [], listeners: new Set() });
      this.clear();
    }

    clear() {
      Object.assign(this, { columns: new Map(), slots: new Map(), next: 0, order: [], at: 0, flags: [], metrics: [], hidden: new Set() });
      this.rounded = new Set();
      // columns of a name that only a filter or a choice of columns has asked for
      this.extra = new Map();
    }

    listen(listener, signal) {
      this.listeners.add(listener);
      signal?.addEventListener('abort', () => this.listeners.delete(listener));
    }

    tell(slots) { for (const listener of this.listeners) listener(slots); }

    id(slot) { return this.ids[slot]; }

    get ids() { return this.column('short').values; }

    slotOf(id) {
      const known = this.slots.get(id.slice(0, this.digits));
      // people shorten ids in addresses
      return known ?? (id.length < this.digits ? this.slots.get([...this.slots.keys()].find(name => name.startsWith(id))) : undefined);
    }

    /** An id as rows here have it; one that is not here stays as it is. */
    wholeId(id) { return this.ids[this.slotOf(id)] ?? id; }

    column(name) {
      if (!this.columns.has(name)) this.columns.set(name, { values: [], isFloat: null });
      return this.columns.get(name);
    }

    /** Puts rows into the columns; returns their slots. */
    put(block) {
      this.digits = block.digits;
      const slots = block.id.map(id => {
        if (!this.slots.has(id)) this.slots.set(id, this.next++);
        return this.slots.get(id);
      });
      this.store('short', { v: block.id }, slots);
      if (block.columns) {
        for (const [name, column] of Object.entries(block.columns)) this.storeExtra(name, column, slots);
        return slots;
      }
      this.store('created', { v: addUp(block.created) }, slots);
      this.store('marked', { v: mark(block.marked, slots.length) }, slots);
      for (const name of SENT) this.store(name, block[name], slots);
      for (const name of SPARSE) this.store(name, { v: slots.map((_, row) => block[name][row] ?? EMPTY[name] ?? null) }, slots);
      for (const sort of ['flag', 'metric']) this.putNamed(sort, block[`${sort}s`], block.left_out[`${sort}s`], slots);
      this.batches = new Set(block.batches.map(id => id.slice(0, block.digits)));
      if (block.broken) this.broken = block.broken;
      return slots;
    }

    putNamed(sort, columns, hidden, slots) {
      const names = this[`${sort}s`];
      for (const name of Object.keys(columns)) if (!names.includes(name)) names.push(name);
      for (const name of names) {
        this.store(`${sort}:${name}`, columns[name] ?? { v: slots.map(() => null) }, slots);
        if (columns[name]?.rounded) this.rounded.add(`${sort}:${name}`);
      }
      for (const name of hidden) this.hidden.add(`${sort}:${name}`);
    }

    store(name, column, slots, target = this.column(name)) {
      const values = decode(column), floats = floatRows(column);
      for (let row = 0; row < slots.length; row++) target.values[slots[row]] = values[row];
      if (!floats && !target.isFloat) return;
      target.isFloat ??= [];
      slots.forEach((slot, row) => { target.isFloat[slot] = floats ? floats(row) : false; });
    }

    storeExtra(name, column, slots) {
      if (!this.extra.has(name)) this.extra.set(name, { values: [], isFloat: null });
      this.store(name, column, slots, this.extra.get(name));
    }

    // names

    /** Names of columns in the order in which they count for a name of a filter: a property hides a flag, a flag a metric. */
    keys(name) {
      if (/^(flag|metric):./s.test(name)) return [name];
      return PROPERTIES.includes(name) ? [SAME[name] ?? name] : [`flag:${name}`, `metric:${name}`];
    }

    has(name) { return this.keys(name).some(key => this.columns.has(key) || this.extra.has(key) || this.hidden.has(key)); }

    find(name) {
      const columns = this.keys(name).map(key => this.extra.get(key) ?? this.columns.get(key) ?? this.lastOf(key)).filter(Boolean);
      return columns;
    }

    /** `loss:last` is the metric itself. */
    lastOf(key) {
      const [, metric, aspect] = ASPECT.exec(key) ?? [];
      return aspect === 'last' && key.startsWith('metric:') ? this.columns.get(metric) : undefined;
    }

    reader(name) {
      const [first, second] = this.find(name).map(column => column.values);
      if (!first) return () => null;
      return second ? slot => first[slot] ?? second[slot] ?? null : slot => first[slot] ?? null;
    }

    text(name) {
      const columns = this.find(name);
      return slot => {
        const column = columns.find(({ values }) => (values[slot] ?? null) !== null);
        if (!column) return '';
        const words = gitrun.text.value(column.values[slot]);
        return column.isFloat?.[slot] && /^-?\d+$/.test(words) ? `${words}.0` : words;
      };
    }

    /** The names of columns that are not here, of those that a name stands for. */
    missing(name) {
      return this.keys(name).filter(key => {
        if (this.extra.has(key)) return false;
        if (this.hidden.has(key) || ASKED.includes(key)) return true;
        const [, metric, aspect] = ASPECT.exec(key) ?? [];
        return Boolean(aspect) && aspect !== 'last' && !this.columns.has(key) && (this.columns.has(metric) || this.hidden.has(metric));
      });
    }

    /** Names of columns whose rounded values do not tell whether a comparison holds. */
    unsure(comparisons) {
      const names = comparisons.flatMap(({ name, wanted }) => this.keys(name).filter(key => {
        if (!this.rounded.has(key) || this.extra.has(key)) return false;
        const near = new Set([wanted].flat(Infinity).filter(value => typeof value === 'number').map(value => Number(value.toPrecision(6))));
        return near.size > 0 && this.columns.get(key).values.some(value => near.has(value));
      }));
      return [...new Set(names)];
    }

    async load(names, comparisons, signal) {
      const wanted = [...new Set([...names.flatMap(name => this.missing(name)), ...this.unsure(comparisons)])];
      if (!wanted.length) return;
      for (let start = 0; start < this.total; start += BLOCK) {
        this.put(await gitrun.data.runsBlock({ start, limit: BLOCK, stamp: this.stamp, columns: wanted, digits: DIGITS }, signal));
      }
    }

    // blocks and changes

    async begin(signal) {
      const first = await gitrun.data.runsBlock({ limit: FIRST }, signal);
      this.clear();
      this.place(first, FIRST);
      this.stream(signal);
    }

    /** Adds the rows of a block below the others. It may have fewer than it was asked for, if runs were deleted since. */
    place(block, limit) {
      this.order.push(...this.put(block));
      this.at = block.start + limit;
      Object.assign(this, { total: block.total, stamp: block.stamp, isWhole: this.at >= block.total });
    }

    /** Brings the rest of the rows, block after block. */
    async stream(signal) {
      const { stamp } = this;
      try {
        while (!this.isWhole && this.stamp === stamp) {
          const block = await gitrun.data.runsBlock({ start: this.at, limit: BLOCK, stamp }, signal);
          if (this.stamp !== stamp) break;
          this.place(block, BLOCK);
          this.tell([]);
        }
        if (this.isStale) this.refresh(signal);
      } catch (error) {
        if (error.name === 'AbortError') return;
        // the server no longer knows these rows, because it has started again
        if (error.status) return this.restart(signal);
      }
    }

    async restart(signal) {
      await this.begin(signal).catch(() => null);
      this.tell(null);
    }

    /** Asks what has changed. While blocks still come, it waits for the last one. */
    async refresh(signal) {
      this.isStale = !this.isWhole || this.isAsking;
      if (this.isStale) return;
      this.isAsking = true;
      try {
        const answer = await gitrun.data.changes(this.stamp, signal);
        if (answer.reload || answer.rows.digits !== this.digits) await this.restart(signal);
        else if (answer.stamp !== this.stamp) this.tell(this.apply(answer));
      } catch (error) {
        if (error.status) await this.restart(signal);
      } finally {
        this.isAsking = false;
      }
      if (this.isStale) this.refresh(signal);
    }

    apply({ removed, position, rows, total, stamp, broken }) {
      const gone = removed.map(id => this.slotOf(id)).filter(slot => slot !== undefined);
      removed.forEach(id => this.slots.delete(id.slice(0, this.digits)));
      this.extra.clear();
      const changed = this.put(rows), isMoved = new Set([...gone, ...changed]);
      const rest = this.order.filter(slot => !isMoved.has(slot)), order = [];
      changed.forEach((slot, at) => {
        while (order.length < position[at]) order.push(rest[order.length - at]);
        order.push(slot);
      });
      this.order = [...order, ...rest.slice(order.length - changed.length)];
      Object.assign(this, { total, stamp, broken });
      return [...gone, ...changed];
    }
  }

  function decode({ v, d, i }) {
    const values = (v ?? d).map(value => typeof value === 'object' && value?.number !== undefined ? readNumber(value.number) : value);
    return v ? values : i.map(at => values[at] ?? null);
  }

  const NOT_FINITE = { nan: NaN, inf: Infinity, '-inf': -Infinity };
  const readNumber = words => words in NOT_FINITE ? NOT_FINITE[words] : /^-?\d+$/.test(words) ? BigInt(words) : Number(words);

  /** Tells which rows hold floats without a fraction. */
  function floatRows({ i, floats }) {
    if (!floats?.length) return null;
    const places = new Set(floats);
    return i ? row => places.has(i[row]) : row => places.has(row);
  }

  function mark(rows, size) {
    const values = Array(size).fill(false);
    for (const row of rows) values[row] = true;
    return values;
  }

  /** Returns times from the first one and the distances to the rows above. */
  function addUp(distances) {
    let moment = 0;
    return distances.map((distance, row) => moment = row ? moment - distance : distance);
  }

  async function open(signal) {
    const table = new Table();
    await table.begin(signal);
    gitrun.data.listen('changed', ({ stamp } = {}) => stamp !== table.stamp && table.refresh(signal), signal);
    gitrun.data.listen('connection', state => state === 'open' && table.refresh(signal), signal);
    return table;
  }

  return { open, PROPERTIES };
})();
