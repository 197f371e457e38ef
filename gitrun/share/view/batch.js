/* The page of a batch: /batches/<id>: the history of its trials with the best so far, parallel coordinates, a table. */
'use strict';
(() => {
  const { element, fill, link } = gitrun.dom;
  const { text } = gitrun;
  const { short, table, pairs, section, foot, status } = gitrun.parts;
  const MOST = 500;

  const { survey } = gitrun;

  /** The metric that tells which trials are good, whether a small value is, and the trials with values, best first. */
  function rank(batch) {
    const { trials, objective, best } = batch, metric = objective?.metric ?? batch.metrics[0], isLeast = objective ? objective.minimize : survey.isLeast(metric ?? '');
    const of = trial => trial.metrics[metric], known = trials.filter(trial => typeof of(trial) === 'number' && trial.status !== 'running');
    const sign = isLeast ? 1 : -1, ids = best.length ? best : known.sort((a, b) => sign * (of(a) - of(b)) || a.trial - b.trial).map(trial => trial.id);
    return { metric, isLeast, best: ids };
  }

  /** The mean of a point's trials with their standard deviation, as `report` writes it. */
  const spread = ({ mean, sd }) => `${text.number(mean)} ± ${sd === null ? '-' : text.number(sd)}`;

  /** The trials of a point: [trial, …]. */
  const trialsOf = (batch, point) => batch.trials.filter(({ id }) => point.trials.includes(id));

  /** Links to the trials of a point, by their numbers. */
  const links = (batch, point) => trialsOf(batch, point).map(({ id, trial }, at) => [at > 0 && ', ', link(`/runs/${id}`, { class: 'id' }, `#${trial}`)]);

  /** The line about the best trial, as on the page of runs; of a batch that repeats points, about the best point. */
  function bestLine(batch, { metric, isLeast, best }) {
    const trial = batch.trials.find(({ id }) => id === best[0]), [point] = batch.points;
    const few = batch.points.length ? batch.points.slice(0, 5).map(({ trials }) => trials[0]) : best.slice(0, 5);
    const head = isLeast ? 'Lowest' : 'Highest', value = number => element('span', { class: 'value' }, text.number(number));
    return trial && element('p', { class: 'best' },
      point ? [element('strong', {}, `${head} median ${metric} `), value(point.median), ` mean ${spread(point)} of trials `, links(batch, point)]
        : [element('strong', {}, `${head} ${metric} `), value(trial.metrics[metric]), ' ', link(`/runs/${trial.id}`, { class: 'id' }, short(trial.id)), ` trial ${trial.trial}`],
      batch.flags.filter(name => (trial.flags[name] ?? null) !== null).map(name => [' ', element('code', {}, `${name}=${text.value(trial.flags[name])}`)]),
      ' ', link(`/runs/${trial.id}?tab=code`, {}, 'its code'), ' ', few.length > 1 && link(gitrun.router.address('/compare', { r: few.map(short).join(',') }), {}, `compare the best ${few.length}`));
  }

  /** The axis of the medians of points that are tried several times, each known after the last trial of its point. */
  function medians(batch, metric) {
    const known = new Map(batch.points.map(({ trials, median }) => [Math.max(...trials.map(id => batch.trials.findIndex(trial => trial.id === id))), median]));
    return { name: `median ${metric}`, read: slot => known.get(slot) ?? null };
  }

  function charts(batch, { metric, isLeast, best }, signal) {
    const { trials } = batch;
    // the charts ask for the newest first
    const slots = trials.map((_, at) => at).reverse();
    const axis = (name, read) => ({ name, read: slot => read(trials[slot]) ?? null });
    const y = axis(metric, trial => trial.metrics[metric]);
    // all trials of the best point are marked
    const winners = batch.points.length ? batch.points[0].trials : best.slice(0, 1);
    const marked = new Map(winners.map(id => [trials.findIndex(trial => trial.id === id), 0]));
    const history = gitrun.charts.scatter(signal, slot => gitrun.router.go(`/runs/${trials[slot].id}`));
    const describe = slot => `trial ${trials[slot].trial}, ${metric} ${text.number(trials[slot].metrics[metric])}`;
    history.show({ x: null, y, slots, marked, isLeast, describe, ...batch.points.length && { best: medians(batch, metric) } });
    const lines = gitrun.charts.coordinates(signal, () => {});
    lines.show({ axes: [...batch.flags.map(name => axis(name, trial => trial.flags[name])), y], slots, marked });
    return element('div', { class: 'tiles' }, section(`${metric} by trial, and the best ${batch.points.length ? 'median ' : ''}so far`, history.node), section('Parallel coordinates', lines.node));
  }

  /** Shows the trials, best first; those without a value follow by number. */
  function trialTable(batch, { best }) {
    const ranks = new Map(best.map((id, rank) => [id, rank]));
    const order = [...batch.trials].sort((a, b) => (ranks.get(a.id) ?? Infinity) - (ranks.get(b.id) ?? Infinity) || a.trial - b.trial);
    const rows = order.slice(0, MOST).map(trial => [trial.trial, link(`/runs/${trial.id}`, { class: 'id' }, short(trial.id)), status(trial),
      ...batch.metrics.map(name => trial.metrics[name] ?? null), ...batch.flags.map(name => trial.flags[name] ?? null), text.duration(trial.duration)]);
    const title = batch.points.length ? 'Trials, by their points' : best.length ? 'Trials, best first' : 'Trials';
    const shown = table(title, ['trial', 'run', 'status', ...batch.metrics, ...batch.flags, 'duration'], rows);
    if (best.length && !batch.points.length) shown.querySelector('tbody tr').classList.add('winner');
    return [shown, order.length > MOST && element('p', { class: 'remark' }, `${text.count(order.length - MOST, 'trial')} more`)];
  }

  /** Shows the points that are tried several times, the best median first. */
  function pointTable(batch, { metric }) {
    const rows = batch.points.slice(0, MOST).map((point, at) => [at + 1, point.median, spread(point), element('span', {}, links(batch, point)),
      ...batch.flags.map(name => trialsOf(batch, point)[0]?.flags[name] ?? null)]);
    const shown = table('Points, best first', ['rank', `median ${metric}`, 'mean ± sd', 'trials', ...batch.flags], rows);
    shown.querySelector('tbody tr').classList.add('winner');
    return [shown, batch.points.length > MOST && element('p', { class: 'remark' }, `${text.count(batch.points.length - MOST, 'point')} more`)];
  }

  gitrun.router.page('/batches/:id', async view => {
    const pictures = element('div', {}), rows = element('div', {}), head = element('div', {}), { id } = view.params;
    let controller = null;
    await gitrun.parts.watch(id, view, async run => {
      gitrun.router.title(`${short(id)} ${run.operation}`);
      const batch = await gitrun.data.get(`/api/batches/${encodeURIComponent(id)}`, { signal: view.signal });
      const ranking = rank(batch), { metric, isLeast } = ranking, direction = `${isLeast ? '--min' : '--max'} ${text.quote(metric ?? '')}`;
      // without an objective, the terminal is to be told the order
      const order = batch.objective || !metric ? '' : ` ${direction}`;
      controller?.abort();
      controller = new AbortController();
      if (!head.isConnected) fill(view.main, element('h1', {}, run.operation, ' ', link(`/runs/${id}`, { class: 'id' }, short(id))), head, pictures, rows,
        foot(`git run compare ${short(id)}${order}`, ...metric && !batch.points.length ? [`git run select --batch ${short(id)} ${direction}`] : []));
      fill(head, element('p', {}, status(run), ' ', run.trials && counts(run.trials)), bestLine(batch, ranking), pairs([['sampler', batch.sampler], ...Object.entries(batch.space)]));
      fill(pictures, metric && batch.trials.length > 1 && charts(batch, ranking, AbortSignal.any([view.signal, controller.signal])));
      fill(rows, batch.points.length > 0 && pointTable(batch, ranking), batch.trials.length ? trialTable(batch, ranking) : element('p', {}, 'No trial has started.'));
    });
  });

  const counts = ({ total, ...known }) => `${text.count(total, 'trial')}: ${['completed', 'pruned', 'error', 'terminated', 'pending'].filter(name => known[name])
    .map(name => `${known[name]} ${name}`).join(', ')}`;
})();
