/* The page /compare?r=a,b,c: fields by runs. The first run is the baseline; rows that are equal in all runs are hidden. */
'use strict';
(() => {
  const { element, fill, link } = gitrun.dom;
  const { short, cell, closeTexts, same, flat, delta, section, foot } = gitrun.parts;
  const PROPERTIES = ['operation', 'status', 'label', 'started', 'duration', 'exit_status', 'branch', 'base', 'source'];
  const MOST_CURVES = 6;

  const digest = file => file.sha256 ? short(file.sha256) : 'from an earlier attempt';
  const GROUPS = {
    Flags: run => run.flags,
    Metrics: run => run.metrics,
    'Needed runs': run => Object.fromEntries(run.needs.map(need => [need.operation, short(need.run)])),
    Properties: run => Object.fromEntries(PROPERTIES.map(name => [name, shown(name, run[name])])),
    'Produced files': run => Object.fromEntries(run.produced.map(file => [file.path, digest(file)])),
    Environment: (run, runs) => environment(run, runs.every(hasPackages)),
  };

  function hasPackages(run) { return Object.keys(run.environment.packages || {}).length > 0; }

  /** Returns the fields of an environment; packages as their number if they cannot be compared: a batch records none. */
  function environment(run, withPackages) {
    const { packages = {}, ...rest } = run.environment, count = Object.keys(packages).length;
    return withPackages ? flat(run.environment) : { ...flat(rest), packages: count ? `${count} recorded` : null };
  }

  function shown(name, value) {
    if (value === null || value === undefined) return null;
    if (name === 'started') return gitrun.text.time(Date.parse(value));
    if (name === 'duration') return gitrun.text.duration(value);
    return name === 'base' || name === 'source' ? short(value) : value;
  }

  /** Returns the rows of a group, as a name with a value for each run, in the order in which the runs name them. */
  function rowsOf(read, runs) {
    const tables = runs.map(run => read(run, runs)), names = new Set(tables.flatMap(Object.keys));
    return [...names].map(name => ({ name, values: tables.map(values => values[name] ?? null) }));
  }

  function bodyOf(title, rows, columns) {
    const isMetric = title === 'Metrics';
    return element('tbody', {}, element('tr', { class: 'group' }, element('th', { scope: 'rowgroup', colspan: columns + 1 }, title)),
      rows.map(({ name, values }) => element('tr', {}, element('th', { scope: 'row' }, name), values.map((value, at) => {
        const node = cell(value, closeTexts(values)), change = isMetric && at ? delta(value, values[0]) : '';
        if (change) node.append(' ', element('small', { class: 'soft' }, change));
        return node;
      }))));
  }

  function table(runs, withEqual) {
    const groups = Object.entries(GROUPS).map(([title, read]) => [title, rowsOf(read, runs)]);
    const isEqual = ({ values }) => values.every(value => same(value, values[0]));
    const equal = groups.flatMap(([, rows]) => rows).filter(isEqual).length;
    const others = at => [runs[at], ...runs.filter((_, index) => index !== at)].map(run => run.id).join(',');
    const heads = runs.map((run, at) => element('th', { scope: 'col', data: { run: run.id } }, gitrun.parts.runLink(run), element('br'),
      at ? link(gitrun.router.address('/compare', { r: others(at), equal: withEqual && 1 }), {}, 'make baseline') : 'baseline'));
    const bodies = groups.map(([title, rows]) => [title, withEqual ? rows : rows.filter(row => !isEqual(row))]).filter(([, rows]) => rows.length);
    const box = element('input', { type: 'checkbox', checked: withEqual, change: () => gitrun.router.setQuery({ equal: box.checked ? 1 : null }) });
    return [element('label', {}, box, ` Show the ${gitrun.text.count(equal, 'row')} that are equal in all runs`),
      element('div', { class: 'scroll', role: 'region', 'aria-label': 'Comparison', tabindex: 0 },
        element('table', { class: 'compare' }, element('thead', {}, element('tr', {}, element('td'), heads)),
          bodies.map(([title, rows]) => bodyOf(title, rows, runs.length))))];
  }

  function images(runs) {
    const paths = new Set(runs.flatMap(run => run.produced.map(file => file.path).filter(gitrun.files.isImage)));
    return [...paths].map(path => {
      const shas = new Set(runs.map(run => run.produced.find(file => file.path === path)?.sha256));
      const pictures = (shas.size === 1 ? runs.slice(0, 1) : runs).map(run => element('figure', {},
        run.produced.some(file => file.path === path)
          ? element('img', { src: gitrun.data.fileAddress(run.id, path), alt: `${path} of run ${short(run.id)}`, loading: 'lazy' }) : 'none',
        element('figcaption', {}, shas.size === 1 ? 'the same in all runs' : gitrun.parts.runLink(run))));
      return [element('h3', {}, path), element('div', { class: 'pictures' }, pictures)];
    });
  }

  /** Draws the metrics that most runs have a curve of, all runs in one picture each. */
  function curves(runs, signal) {
    const counts = new Map();
    for (const run of runs) for (const [name, { count }] of Object.entries(run.series)) if (count > 2) counts.set(name, (counts.get(name) || 0) + 1);
    const names = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, MOST_CURVES), body = element('div', { class: 'tiles' });
    if (!names.length) return null;
    gitrun.data.series(runs.slice(0, 50).map(run => run.id), names, signal).then(series => fill(body, names.map(metric => {
      const curve = gitrun.charts.curves(signal);
      curve.show({ metric, lines: runs.flatMap((run, hue) => {
        const [steps, values] = series[run.id]?.[metric] || [];
        return steps ? { name: [short(run.id), run.label].filter(Boolean).join(' '), hue, steps, values } : [];
      }) });
      return element('section', {}, element('h3', {}, metric), curve.node);
    })), error => fill(body, gitrun.dom.fault(error)));
    return section('Curves', body);
  }

  async function read(id, signal) {
    const [run, { files }] = await Promise.all([gitrun.data.run(id, signal), gitrun.data.get(`/api/runs/${encodeURIComponent(id)}/files?parts=produced,local`, { signal })]);
    return { ...run, produced: files };
  }

  gitrun.router.page('/compare', async view => {
    const body = element('div', {});
    let ids = '', runs = [], controller = null;
    async function show({ query }) {
      if (query.r !== ids) {
        ids = query.r;
        controller?.abort();
        controller = new AbortController();
        runs = await Promise.all((ids || '').split(',').filter(Boolean).map(id => read(id, view.signal)));
        draw();
      }
      fill(body, table(runs, Boolean(query.equal)));
    }
    function draw() {
      const names = runs.map(run => short(run.id)).join(' ');
      gitrun.parts.watchDeleted(runs.map(run => run.id), { ...view, signal: controller.signal });
      gitrun.router.title(`Compare ${gitrun.text.count(runs.length, 'run')}`);
      if (!runs.length) return fill(view.main, element('h1', {}, 'Compare'), element('p', {}, 'No runs are chosen. ', link('/', {}, 'Choose some in the list of runs')));
      fill(view.main, element('h1', {}, `${gitrun.text.count(runs.length, 'run')} side by side`), body,
        curves(runs, AbortSignal.any([view.signal, controller.signal])), section('Images', images(runs)), foot(`git run compare ${names}`, `git run compare ${names} --csv`));
    }
    await show(view);
    return next => show(next).catch(error => fill(body, gitrun.dom.fault(error)));
  });
})();
