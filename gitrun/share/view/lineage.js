/* gitrun.lineage: what a run rests on and what rests on it, from left to right, and the same as a nested list.
 *
 *   show(target, id, signal)   fills the element
 * The page is /lineage/<id>.
 */
'use strict';
gitrun.lineage = (() => {
  const { element, svg, fill, link } = gitrun.dom;
  const { short, runLink, status } = gitrun.parts;
  const BOX = { width: 168, height: 44, across: 230, down: 58, edge: 8 }, LETTERS = 21;
  const WORDS = { need: 'is needed by', step: 'has the step', trial: 'has the trial', restart: 'was restarted as', merge: 'was merged into' };

  /** Returns the ranks of the nodes: the length of the longest path to each. A circle, which only a forged run makes, is cut. */
  function ranksOf(nodes, links) {
    const ranks = new Map(), open = new Set();
    const into = id => links.filter(one => one.to === id).map(one => one.from);
    const rank = id => {
      if (open.has(id)) return -1;
      open.add(id);
      if (!ranks.has(id)) ranks.set(id, Math.max(-1, ...into(id).map(rank)) + 1);
      open.delete(id);
      return ranks.get(id);
    };
    nodes.forEach(node => rank(node.id));
    // what rests on nothing stands right before what rests on it
    for (const { id } of nodes.filter(node => !into(node.id).length)) {
      const next = links.filter(one => one.from === id).map(one => ranks.get(one.to));
      if (next.length) ranks.set(id, Math.max(0, Math.min(...next) - 1));
    }
    return ranks;
  }

  /** Returns a place for each node: columns are ranks, rows keep near to what a node rests on. */
  function place(nodes, links) {
    const ranks = ranksOf(nodes, links), places = new Map();
    for (let column = 0; column <= Math.max(...ranks.values()); column++) {
      const own = nodes.filter(node => ranks.get(node.id) === column).map(node => {
        const rows = links.filter(one => one.to === node.id && places.has(one.from)).map(one => places.get(one.from).y);
        return { node, row: rows.length ? rows.reduce((sum, y) => sum + y) / rows.length : Infinity };
      }).sort((a, b) => a.row < b.row ? -1 : a.row > b.row ? 1 : 0);
      own.forEach(({ node }, row) => places.set(node.id, { x: BOX.edge + column * BOX.across, y: BOX.edge + row * BOX.down }));
    }
    return places;
  }

  const shorten = words => words.length > LETTERS ? `${words.slice(0, LETTERS - 1)}…` : words;
  const name = node => node.number ? `attempt ${node.number}` : short(node.id);
  const describe = node => [node.operation, name(node), node.status || 'not here', node.label].filter(Boolean).join(' ');
  const brief = node => [name(node), node.status ? gitrun.parts.SIGNS[node.status] : 'not here', node.label].filter(Boolean).join(' ');

  function draw(found) {
    const places = place(found.nodes, found.links), [xs, ys] = ['x', 'y'].map(name => Math.max(...[...places.values()].map(at => at[name])));
    const width = xs + BOX.width + BOX.edge, height = ys + BOX.height + BOX.edge * 2;
    const line = ({ from, to, kind }) => {
      const a = places.get(from), b = places.get(to), [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x, b.y + BOX.height / 2];
      // a long link along a row goes below the boxes between its ends
      const bend = x2 - x1 > BOX.across && y1 === y2 ? BOX.down * .8 : 0, reach = bend ? 60 : 30;
      return svg('path', { class: kind, d: `M${x1} ${y1}C${x1 + reach} ${y1 + bend} ${x2 - reach} ${y2 + bend} ${x2} ${y2}` });
    };
    const box = node => {
      const { x, y } = places.get(node.id), isHere = node.status && !node.number;
      const parts = [svg('title', {}, describe(node)), svg('rect', { x, y, width: BOX.width, height: BOX.height, rx: 6 }), svg('text', { x: x + 10, y: y + 19 }, shorten(node.operation || 'unknown')),
        svg('text', { x: x + 10, y: y + 35, class: 'status', data: { status: node.status } }, shorten(brief(node)))];
      return isHere ? svg('a', { href: gitrun.router.href(`/runs/${node.id}`), 'aria-label': describe(node), 'aria-current': node.id === found.run && 'true' }, parts)
        : svg('g', { 'aria-current': node.id === found.run && 'true' }, parts);
    };
    const picture = svg('svg', { class: 'graph', viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': `Lineage: ${gitrun.text.count(found.nodes.length, 'run')}` },
      found.links.map(line), found.nodes.map(box));
    // in rem, so that it grows with the text
    picture.style.setProperty('width', `${width / 14}rem`);
    return element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Lineage' }, picture);
  }

  function list(found) {
    const nodes = new Map(found.nodes.map(node => [node.id, node])), seen = new Set();
    const item = (id, kind) => {
      const node = nodes.get(id), below = seen.has(id) ? [] : found.links.filter(one => one.from === id), isAgain = below.length === 0 && seen.has(id);
      seen.add(id);
      return element('li', {}, kind && element('span', { class: 'soft' }, `${WORDS[kind]} `), node.operation || 'unknown', ' ',
        node.number ? `attempt ${node.number} ` : node.status ? [runLink(node), ' '] : `${short(id)}, not here`, node.status && status(node),
        isAgain && found.links.some(one => one.from === id) && ', see above', below.length > 0 && element('ul', {}, below.map(one => item(one.to, one.kind))));
    };
    const roots = found.nodes.filter(node => !found.links.some(one => one.to === node.id));
    return element('ul', { class: 'tree' }, (roots.length ? roots : found.nodes.slice(0, 1)).map(node => item(node.id)));
  }

  async function show(target, id, signal) {
    const found = await gitrun.data.lineage(id, signal);
    if (found.nodes.length === 1) return fill(target, element('p', {}, 'The run rests on its source alone, and nothing rests on it.'));
    fill(target, draw(found), found.more > 0 && element('p', { class: 'remark' }, `${gitrun.text.count(found.more, 'run')} more`),
      element('h2', {}, 'As a list'), list(found));
  }

  gitrun.router.page('/lineage/:id', async view => {
    const { id } = view.params, body = element('div', {});
    gitrun.router.title(`Lineage of ${short(id)}`);
    fill(view.main, element('h1', {}, 'Lineage of ', link(`/runs/${id}`, { class: 'id' }, short(id))), body, gitrun.parts.foot(`git run show ${short(id)}`));
    await show(body, id, view.signal);
    gitrun.parts.watchDeleted([id], view);
  });

  return { show };
})();
