/* gitrun.panel: the pictures beside the table of runs. All of them show the same selection.
 *
 *   create({ signal, setQuery, brush, pick, name })   name(slot) is a node that names a run
 *   panel.node
 *   panel.show({ table, query, slots, drawn, metrics, flags, metric, isLeast })   slots match the filter, newest first; drawn
 *       are those with curves; metrics and flags are names of columns that are worth showing
 *   panel.series(slots, metric, signal)   a promise of a Map of slots to { steps, values }; nothing is asked for twice
 *   panel.forget(slots)   drops the curves of runs that have changed
 */
'use strict';
gitrun.panel = (() => {
  const { element, fill } = gitrun.dom;
  const AT_ONCE = 50, MOST_AXES = 7;

  class SeriesCache {
    constructor(table) {
      this.table = table;
      this.known = new Map();
    }

    key(slot, metric) { return `${slot} ${metric}`; }

    forget(slots) {
      if (!slots) return this.known.clear();
      for (const key of this.known.keys()) if (slots.includes(Number(key.split(' ', 1)[0]))) this.known.delete(key);
    }

    async get(slots, metric, signal) {
      const read = slot => this.table.id(slot);
      const missing = slots.filter(slot => !this.known.has(this.key(slot, metric)));
      for (let at = 0; at < missing.length; at += AT_ONCE) {
        const part = missing.slice(at, at + AT_ONCE);
        const answer = await gitrun.data.series(part.map(read), [metric], signal);
        // the answer may have full ids
        const byId = new Map(Object.entries(answer).map(([id, metrics]) => [id.slice(0, this.table.digits), metrics]));
        for (const slot of part) this.known.set(this.key(slot, metric), unpack(byId.get(read(slot))?.[metric]));
      }
      return new Map(slots.map(slot => [slot, this.known.get(this.key(slot, metric))]).filter(([, series]) => series));
    }
  }

  const NOT_FINITE = { NaN, Infinity, '-Infinity': -Infinity };
  const unpack = series => series && { steps: series[0], values: series[1].map(value => typeof value === 'string' ? NOT_FINITE[value] : value) };

  const select = (label, change) => element('select', { 'aria-label': label, change: event => change(event.target.value) });

  function setOptions(node, options, value) {
    const wanted = JSON.stringify(options);
    if (node.dataset.options !== wanted) {
      node.dataset.options = wanted;
      fill(node, options.map(([key, text]) => element('option', { value: key }, text)));
    }
    node.value = value;
  }

  function create({ signal, setQuery, brush, pick, name }) {
    const { charts } = gitrun;
    const curves = charts.curves(signal), coordinates = charts.coordinates(signal, brush), scatter = charts.scatter(signal, pick);
    const yChoice = select('Metric', value => setQuery({ y: value })), xChoice = select('Horizontal axis', value => setQuery({ x: value }));
    const least = select('Which values are better', value => setQuery({ best: value }));
    setOptions(least, [['least', 'lowest best'], ['most', 'highest best']], 'least');
    const log = toggle('log', () => setQuery({ log: log.getAttribute('aria-pressed') === 'true' ? null : 1 }), 'Logarithmic values');
    const part = toggle('%', () => setQuery({ share: part.getAttribute('aria-pressed') === 'true' ? null : 1 }), 'Steps as a share of the run');
    const smooth = element('input', { type: 'range', min: 0, max: .98, step: .02, 'aria-label': 'Smoothing', title: 'Smoothing',
      input: event => setQuery({ smooth: Number(event.target.value) || null }) });
    const remark = element('p', { class: 'soft' });
    const curveTitle = element('h2', {}, 'Curves');
    const scatterTitle = element('h2', {}, 'Scatter');
    const node = element('aside', { class: 'panel', 'aria-label': 'Pictures' },
      element('section', {}, element('div', { class: 'tools' }, curveTitle, yChoice, log, part, element('label', { class: 'soft' }, 'smooth ', smooth)), curves.node, remark),
      element('section', {}, element('div', { class: 'tools' }, scatterTitle, xChoice, least), scatter.node),
      element('section', {}, element('div', { class: 'tools' }, element('h2', {}, 'Parallel coordinates'),
        element('span', { class: 'soft' }, 'drag to filter')), coordinates.node));
    let cache = null, request = null, key = '';

    function show(given) {
      const { table, query, slots, drawn, metrics, flags, metric } = given;
      if (cache?.table !== table) cache = new SeriesCache(table);
      node.hidden = !metrics.length;
      if (!metrics.length) return;
      setOptions(yChoice, metrics.map(text => [text, text]), metric);
      setOptions(xChoice, [['', 'runs in order'], ...[...flags, ...metrics.filter(other => other !== metric).map(other => `metric:${other}`)]
        .map(text => [text, text])], given.x);
      least.value = given.isLeast ? 'least' : 'most';
      log.setAttribute('aria-pressed', Boolean(query.log));
      part.setAttribute('aria-pressed', Boolean(query.share));
      smooth.value = query.smooth ?? 0;
      const marked = new Map(drawn.map((slot, at) => [slot, at]));
      const y = { name: metric, read: table.reader(`metric:${metric}`) };
      const axes = [...flags, ...metrics.filter(other => other !== metric).slice(0, 2).map(other => `metric:${other}`), `metric:${metric}`].slice(-MOST_AXES)
        .map(axis => ({ name: axis.replace(/^metric:/, ''), key: axis, read: table.reader(axis) }));
      scatter.show({ x: given.x ? { name: given.x, read: table.reader(given.x) } : null, y, slots, marked, isLeast: given.isLeast, describe: given.describe });
      coordinates.show({ axes, slots, marked });
      showCurves(given, marked);
    }

    async function showCurves({ query, drawn, metric, table, stamp }) {
      const wanted = JSON.stringify([drawn, metric, query.log, query.smooth, query.share, stamp]);
      if (wanted === key) return;
      key = wanted;
      // answers for another selection must not be drawn over this one
      request?.abort();
      request = new AbortController();
      const own = request;
      try {
        const series = await cache.get(drawn, metric, AbortSignal.any([own.signal, signal]));
        if (own.signal.aborted) return;
        const lines = drawn.flatMap((slot, at) => series.has(slot) && series.get(slot).values.length
          ? [{ name: table.id(slot).slice(0, 8), hue: at, node: () => name(slot), ...series.get(slot) }] : []);
        curves.show({ metric, lines, isLog: Boolean(query.log), smooth: Number(query.smooth) || 0, isShare: Boolean(query.share) });
        fill(remark, lines.length ? '' : `No values of ${metric} over time in these runs`);
      } catch (error) {
        key = '';
        if (error.name !== 'AbortError') fill(remark, error.message);
      }
    }

    signal.addEventListener('abort', () => request?.abort());
    return { node, show, series: (slots, metric, own) => cache.get(slots, metric, own), forget: slots => cache?.forget(slots) };
  }

  const toggle = (text, click, label) => element('button', { type: 'button', 'aria-pressed': 'false', 'aria-label': label, title: label, click }, text);

  return { create };
})();
