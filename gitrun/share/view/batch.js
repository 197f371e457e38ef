/* The page of a batch: /batches/<id>: the history of its trials with the best so far, parallel coordinates, a table. */
'use strict';
(() => {
  const { element, fill, link } = gitrun.dom;
  const { text } = gitrun;
  const { short, table, pairs, section, foot, status } = gitrun.parts;
  const MOST = 500;

  function charts(batch, metric, signal) {
    const { trials, objective, best } = batch;
    // the charts ask for the newest first
    const slots = trials.map((_, at) => at).reverse();
    const axis = (name, read) => ({ name, read: slot => read(trials[slot]) ?? null });
    const y = axis(metric, trial => trial.metrics[metric]);
    const marked = new Map(best.length ? [[trials.findIndex(trial => trial.id === best[0]), 0]] : []);
    const history = gitrun.charts.scatter(signal, slot => gitrun.router.go(`/runs/${trials[slot].id}`));
    const describe = slot => `trial ${trials[slot].trial}, ${metric} ${text.number(trials[slot].metrics[metric])}`;
    history.show({ x: null, y, slots, marked, isLeast: objective ? objective.minimize : true, describe });
    const lines = gitrun.charts.coordinates(signal, () => {});
    lines.show({ axes: [...batch.flags.map(name => axis(name, trial => trial.flags[name])), y], slots, marked });
    return element('div', { class: 'tiles' }, section(`${metric} by trial, and the best so far`, history.node), section('Parallel coordinates', lines.node));
  }

  /** Shows the trials, best first; those without a value follow by number. */
  function trialTable(batch) {
    const ranks = new Map(batch.best.map((id, rank) => [id, rank]));
    const order = [...batch.trials].sort((a, b) => (ranks.get(a.id) ?? Infinity) - (ranks.get(b.id) ?? Infinity) || a.trial - b.trial);
    const rows = order.slice(0, MOST).map(trial => [trial.trial, link(`/runs/${trial.id}`, { class: 'id' }, short(trial.id)), status(trial),
      ...batch.metrics.map(name => trial.metrics[name] ?? null), ...batch.flags.map(name => trial.flags[name] ?? null), text.duration(trial.duration)]);
    return [table(batch.objective ? 'Trials, best first' : 'Trials', ['trial', 'run', 'status', ...batch.metrics, ...batch.flags, 'duration'], rows),
      order.length > MOST && element('p', { class: 'remark' }, `${text.count(order.length - MOST, 'trial')} more`)];
  }

  gitrun.router.page('/batches/:id', async view => {
    const pictures = element('div', {}), rows = element('div', {}), head = element('div', {}), { id } = view.params;
    let controller = null;
    await gitrun.parts.watch(id, view, async run => {
      gitrun.router.title(`${short(id)} ${run.operation}`);
      const batch = await gitrun.data.get(`/api/batches/${encodeURIComponent(id)}`, { signal: view.signal });
      const metric = batch.objective ? batch.objective.metric : batch.metrics[0], direction = batch.objective?.minimize ? '--min' : '--max';
      controller?.abort();
      controller = new AbortController();
      if (!head.isConnected) fill(view.main, element('h1', {}, run.operation, ' ', link(`/runs/${id}`, { class: 'id' }, short(id))), head, pictures, rows,
        foot(`git run compare ${short(id)}`, ...batch.objective ? [`git run select --batch ${short(id)} ${direction} ${text.quote(metric)}`] : []));
      fill(head, element('p', {}, status(run), ' ', run.trials && counts(run.trials)), pairs([['sampler', batch.sampler], ...Object.entries(batch.space)]));
      fill(pictures, metric && batch.trials.length > 1 && charts(batch, metric, AbortSignal.any([view.signal, controller.signal])));
      fill(rows, batch.trials.length ? trialTable(batch) : element('p', {}, 'No trial has started.'));
    });
  });

  const counts = ({ total, ...known }) => `${text.count(total, 'trial')}: ${['completed', 'pruned', 'error', 'terminated', 'pending'].filter(name => known[name])
    .map(name => `${known[name]} ${name}`).join(', ')}`;
})();
