/* gitrun.survey: what to show of many runs: which of them, in which order, which flags and metrics.
 *
 *   isListed(table, query)         a function of a slot: whether the list has the run before any filter
 *   sort(slots, read, isDown)      the slots sorted as --sort does: numbers before texts, runs without a value last
 *   sortReader(table, key)         what --sort means by a name: a metric before a flag
 *   flags(table, slots)            { differing, equal }: names for filters of flags that differ, names of those that do not
 *   metrics(table, slots)          names of metrics, those that most runs have first
 *   metricKey(table, name), flagKey(table, name)   a name for filters, with its sort before it where that is needed
 *   best(table, slots, metric, isLeast, count)   the slots with the best values, the best first
 *   address(table, slot)           the address of the page about a run or batch
 *   isLeast(metric)                whether a small value is a good one
 */
'use strict';
gitrun.survey = (() => {
  const SAMPLE = 2000;
  const LEAST = /loss|err|mse|mae|rmse|perplexity|ppl|nll|cost|time|latency|regret|wer|cer|fid|divergence|distance/i;
  const ASPECT = /^(.+):(first|last|min|max|count)$/;
  const isLeast = metric => LEAST.test(metric);

  /** The address of the page about a run; of a batch, that of its trials. */
  function address(table, slot) {
    return `/${table.column('trials').values[slot] ? 'batches' : 'runs'}/${table.id(slot)}`;
  }

  function isListed(table, query) {
    if (query.q || query.op || query.sort || query.flat) return () => true;
    // as in `git run list`, a trial is shown with its batch, or by a filter
    const batch = table.column('batch').values;
    return slot => batch[slot] === null || !table.batches.has(batch[slot]);
  }

  function sort(slots, read, isDown) {
    const known = [], rest = [], values = [];
    let isAllNumbers = true;
    for (const slot of slots) {
      const value = read(slot);
      if (value === null || Number.isNaN(value)) { rest.push(slot); continue; }
      known.push(slot);
      values.push(typeof value === 'boolean' ? Number(value) : value);
      isAllNumbers &&= typeof values.at(-1) === 'number';
    }
    const keys = isAllNumbers ? Float64Array.from(values) : values;
    const order = isAllNumbers ? (a, b) => keys[a] - keys[b] : (a, b) => compare(keys[a], keys[b]);
    const places = Uint32Array.from(known, (_, at) => at).sort(isDown ? (a, b) => order(b, a) : order);
    const sorted = Array.from(places, at => known[at]);
    return rest.length ? sorted.concat(rest) : sorted;
  }

  const isNumber = value => typeof value === 'number' || typeof value === 'bigint';

  function compare(a, b) {
    if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
    const [left, right] = isNumber(a) ? [a, b] : [String(a), String(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  }

  const hasMetric = (table, key) => table.metrics.includes(ASPECT.exec(key)?.[1] ?? key);
  const isProperty = name => gitrun.columns.PROPERTIES.includes(name);

  function sortReader(table, key) {
    const isPlain = !isProperty(key) && !/^(flag|metric):/.test(key);
    return table.reader(isPlain && hasMetric(table, key) ? `metric:${key}` : key);
  }

  const metricKey = (table, name) => table.flags.includes(name) || isProperty(name) ? `metric:${name}` : name;
  const flagKey = (table, name) => table.metrics.includes(name) || isProperty(name) ? `flag:${name}` : name;

  /** Tells 'differing', 'equal' or 'empty' of the values of a column. A run without the flag differs from those with it. */
  function variety(read, slots) {
    let first = null, isMissing = false;
    for (const slot of slots) {
      const value = read(slot);
      if (value === null) isMissing = true;
      else if (first === null) first = value;
      else if (value !== first && gitrun.text.value(value) !== gitrun.text.value(first)) return 'differing';
      if (isMissing && first !== null) return 'differing';
    }
    return first === null ? 'empty' : 'equal';
  }

  function flags(table, slots) {
    const sorts = table.flags.map(name => [name, variety(table.reader(`flag:${name}`), slots)]);
    const named = sort => sorts.filter(([, own]) => own === sort).map(([name]) => name);
    return { differing: named('differing').map(name => flagKey(table, name)), equal: named('equal') };
  }

  function metrics(table, slots) {
    const stride = Math.max(1, Math.floor(slots.length / SAMPLE));
    const count = name => {
      const read = table.reader(`metric:${name}`);
      let have = 0;
      for (let at = 0; at < slots.length; at += stride) if (read(slots[at]) !== null) have++;
      // a rare metric may be missing in the sample
      return have || (slots.some(slot => read(slot) !== null) ? .5 : 0);
    };
    // sorting keeps the order of equally frequent ones
    return table.metrics.map(name => [name, count(name)]).filter(([, have]) => have).sort((a, b) => b[1] - a[1]).map(([name]) => name);
  }

  /** As `git run select --min` does: a run that is running may still change, and of equal ones the newest counts. */
  function best(table, slots, metric, wantsLeast, count) {
    const read = table.reader(`metric:${metric}`), status = table.reader('status'), sign = wantsLeast ? 1 : -1;
    const top = [];
    for (const slot of slots) {
      const value = read(slot);
      if (typeof value !== 'number' || Number.isNaN(value) || status(slot) === 'running') continue;
      if (top.length === count && sign * value >= top.at(-1).rank) continue;
      const after = top.findLastIndex(({ rank }) => rank <= sign * value);
      top.splice(after + 1, 0, { slot, rank: sign * value });
      top.length = Math.min(top.length, count);
    }
    return top.map(({ slot }) => slot);
  }

  return { address, isListed, sort, sortReader, hasMetric, metricKey, flagKey, flags, metrics, best, isLeast };
})();
