/* The page /live: a card for each running run, with the end of its output and its metrics; above them the newest ended runs. */
'use strict';
(() => {
  const { element, fill } = gitrun.dom;
  const { text } = gitrun;
  const { short, status, runLink } = gitrun.parts;
  const LINES = 5, METRICS = 4, READ = 20, EVERY = 2000;

  /** A card of a running run. It asks for the end of the output: a stream for each card would leave none for other pages. */
  class Card {
    constructor(run) {
      this.output = element('pre', { class: 'text', tabindex: 0, 'aria-label': `End of the output of ${short(run.id)}` });
      this.metrics = element('div', {});
      this.elapsed = element('span', { class: 'number' });
      this.node = element('article', { class: 'card', data: { run: run.id }, 'aria-label': `Run ${short(run.id)}` });
      this.update(run);
      this.node.append(this.metrics, this.output);
    }

    update(run) {
      this.run = run;
      const flags = gitrun.parts.flagsText(run);
      const head = element('header', {}, element('h2', {}, run.operation, ' ', runLink(run)),
        element('p', {}, status(run), ' for ', this.elapsed), flags && element('p', { class: 'flags' }, flags));
      if (this.node.firstChild) this.node.firstChild.replaceWith(head);
      else this.node.append(head);
      this.tick();
    }

    tick() { fill(this.elapsed, text.duration(Math.max(0, this.seconds))); }

    get seconds() { return (Date.now() - Date.parse(this.run.started)) / 1000; }

    draw(series) {
      const rows = Object.entries(series).slice(0, METRICS).filter(([, [, values]]) => values.length).map(([name, [steps, values]]) =>
        [name, values.at(-1), gitrun.charts.spark(values), `${text.number(Number((steps.length / this.seconds).toPrecision(2)))} a second`]);
      if (rows.length) fill(this.metrics, gitrun.parts.table('Metrics', ['metric', 'last', 'curve', 'values'], rows));
    }

    read(signal) { return gitrun.output.showEnd(this.output, this.run.id, LINES, signal); }
  }

  gitrun.router.page('/live', async view => {
    gitrun.router.title('Live');
    const { signal } = view, cards = new Map(), ended = element('div', {}), grid = element('div', { class: 'cards' });
    const state = element('p', { role: 'status' }), title = element('h2', {}, 'Ended last');
    fill(view.main, element('h1', {}, 'Live'), title, ended, state, grid, gitrun.parts.foot('git run watch --all', 'git run list --status running'));

    async function look() {
      const found = await gitrun.data.get('/api/live', { signal });
      for (const [id, card] of cards) {
        if (found.running.some(run => run.id === id)) continue;
        card.node.remove();
        cards.delete(id);
      }
      for (const run of found.running) {
        if (cards.has(run.id)) cards.get(run.id).update(run);
        else {
          cards.set(run.id, new Card(run));
          grid.prepend(cards.get(run.id).node);
        }
      }
      title.hidden = !found.ended.length;
      fill(ended, found.ended.length > 0 && gitrun.parts.runTable('Ended last', found.ended.map(run => [run])));
      fill(state, cards.size ? `${text.count(cards.size, 'run')} running` : 'Nothing is running. Runs appear here as soon as they start.');
      await Promise.all([measure(), ...[...cards.values()].slice(0, READ).map(card => card.read(signal))]);
    }

    /** Asks for the curves of all running runs at once. */
    async function measure() {
      const runs = [...cards.values()].map(card => card.run), names = new Set(runs.flatMap(run => Object.keys(run.metrics)));
      if (!names.size) return;
      const series = await gitrun.data.series(runs.slice(0, 50).map(run => run.id), [...names].slice(0, 20), signal);
      for (const [id, own] of Object.entries(series)) cards.get(id)?.draw(own);
    }

    const quietly = work => work().catch(() => {}); // the head of the page says that the server is gone
    for (const name of ['changed', 'live']) gitrun.data.listen(name, () => quietly(look), signal);
    const timers = [setInterval(() => cards.forEach(card => card.tick()), 1000), setInterval(() => { if (cards.size && !document.hidden) quietly(look); }, EVERY)];
    signal.addEventListener('abort', () => timers.forEach(clearInterval));
    await look();
  });
})();
