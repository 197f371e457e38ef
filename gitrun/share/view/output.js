/* gitrun.output: what the program of a run wrote, with its colours.
 *
 *   show(target, run, query, signal)   the end of it at once, all of it on demand; follows a running program; searches
 *   showEnd(node, id, most, signal)    fills a <pre> with the last lines as they are now
 */
'use strict';
gitrun.output = (() => {
  const { element, fill } = gitrun.dom;
  const TAIL = 1 << 18, FOLLOWED = 4 << 20, MOST = 2000, BYTES = 500;

  /** The lines of an output in a <pre>, at most `most` of them at a time. */
  class Lines {
    constructor(node, most) {
      Object.assign(this, { node, most, lines: [], first: 0, rest: '', needle: '' });
    }

    add(words) {
      const all = (this.rest + words).split('\n'), isAtEnd = this.node.scrollTop + this.node.clientHeight > this.node.scrollHeight - 30;
      this.rest = all.pop();
      this.lines = this.lines.concat(all);
      this.draw(Math.max(0, this.all.length - this.most));
      // who reads further up is not disturbed
      if (isAtEnd) this.node.scrollTop = this.node.scrollHeight;
    }

    get all() { return this.rest ? [...this.lines, this.rest] : this.lines; }

    draw(first) {
      const style = gitrun.files.styler(), needle = this.needle.toLowerCase();
      this.first = first;
      fill(this.node, this.all.slice(first, first + this.most).map((line, at) => element('span', {
        class: needle && line.toLowerCase().includes(needle) ? 'hit' : null, data: { line: first + at } }, style(line), gitrun.dom.lines('\n'))));
    }

    /** Returns the numbers of the lines that contain a text, and marks them. */
    find(needle) {
      this.needle = needle;
      this.draw(this.first);
      return needle ? this.all.flatMap((line, at) => line.toLowerCase().includes(needle.toLowerCase()) ? at : []) : [];
    }

    open(at) {
      if (at < this.first || at >= this.first + this.most) this.draw(Math.max(0, at - this.most / 2));
      this.node.querySelector('[aria-current]')?.removeAttribute('aria-current');
      const line = this.node.querySelector(`[data-line="${at}"]`);
      line.setAttribute('aria-current', 'true');
      line.scrollIntoView({ block: 'center' });
    }
  }

  async function show(target, run, query, signal) {
    const node = element('pre', { class: 'text', tabindex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'Output' }), lines = new Lines(node, MOST);
    const earlier = element('button', { type: 'button', click: () => loadAll() }, 'Show all from the start');
    const count = element('span', { role: 'status' }), place = element('p', { class: 'soft' });
    let isWhole = run.status === 'running', hits = [], at = -1;

    async function loadAll() {
      const words = await gitrun.data.output(run.id, 0, signal);
      Object.assign(lines, { lines: [], rest: '' });
      lines.add(words);
      isWhole = true;
      lines.draw(0);
      tell();
    }
    async function search(step) {
      if (!isWhole && needle.value) await loadAll();
      if (needle.value !== lines.needle) [hits, at] = [lines.find(needle.value), -1];
      if (hits.length) lines.open(hits[at = (at + step + hits.length + (at < 0 && step < 0)) % hits.length]);
      fill(count, !needle.value ? '' : hits.length ? `${at + 1} of ${gitrun.text.count(hits.length, 'line')}` : 'no line');
      tell();
    }
    function tell() {
      earlier.hidden = isWhole && lines.first === 0;
      const last = Math.min(lines.first + MOST, lines.all.length);
      fill(place, lines.all.length ? isWhole ? `Lines ${lines.first + 1} to ${last} of ${lines.all.length}` : `The last ${gitrun.text.count(last - lines.first, 'line')}`
        : run.status === 'running' ? '' : 'The program wrote nothing.');
      node.hidden = !lines.all.length;
    }
    const needle = element('input', { type: 'search', placeholder: 'Search', 'aria-label': 'Search the output', keydown: event => {
      if (event.key === 'Enter') { event.preventDefault(); search(event.shiftKey ? -1 : 1); }
    } });
    const step = (words, by) => element('button', { type: 'button', 'aria-label': words, click: () => search(by) }, by > 0 ? '↓' : '↑');
    fill(target, element('div', { class: 'choices' }, needle, step('Previous line with it', -1), step('Next line with it', 1), count, earlier), node, place,
      gitrun.parts.foot(`git run cat ${gitrun.parts.short(run.id)}`));
    if (run.status === 'running') return listen(lines, run.id, signal, tell);
    const words = await gitrun.data.output(run.id, -TAIL, signal);
    isWhole = new TextEncoder().encode(words).length < TAIL;
    if (words) lines.add(words);
    node.scrollTop = node.scrollHeight;
    tell();
  }

  function listen(lines, id, signal, tell) {
    gitrun.data.tail(id, -FOLLOWED, { text: words => { lines.add(words); tell?.(); } }, signal);
  }

  async function showEnd(node, id, most, signal) {
    const words = await gitrun.data.output(id, -BYTES * most, signal);
    new Lines(node, most).add(words);
  }

  return { show, showEnd };
})();
