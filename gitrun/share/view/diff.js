/* gitrun.diff: what differs between two runs, or between a run and the commit that it was made from.
 *
 *   show(target, a, b, signal)   fills the element; b is the id of a run or 'base'
 * The page is /diff/<a>/<b>.
 */
'use strict';
gitrun.diff = (() => {
  const { element, fill, link, lines } = gitrun.dom;
  const { short, table, section, cell } = gitrun.parts;
  const KINDS = { '+': 'add', '-': 'cut', '@': 'hunk', d: 'file' };
  const PACKAGES = 'packages.';

  const named = (title, heads, values) => Object.keys(values).length > 0 &&
    table(title, ['', ...heads], Object.entries(values).map(([name, [old, now]]) => [name, old, now]));

  /** Splits the environment: a difference in packages is a table of its own. */
  function environment(heads, values) {
    const pick = isPackage => Object.fromEntries(Object.entries(values).filter(([name]) => name.startsWith(PACKAGES) === isPackage)
      .map(([name, both]) => [isPackage ? name.slice(PACKAGES.length) : name, both]));
    return [named('Environment', heads, pick(false)), named('Packages', heads, pick(true))];
  }

  const changes = (list, a, b) => list.length > 0 && element('ul', { class: 'plain' }, list.map(({ path, change }) => element('li', {},
    element('span', { class: 'soft' }, change), ' ',
    link(gitrun.router.address(`/runs/${change === 'deleted' ? a : b}`, { tab: 'files', path, of: 'produced' }), {}, path))));

  /** Shows git's lines: the first of them at once, further ones on demand. */
  function patch(a, b, source, signal) {
    const text = element('pre', { class: 'patch', tabindex: 0, 'aria-label': 'Differences of the source' });
    const more = element('button', { type: 'button', hidden: true, click: () => load() });
    let next = 0;
    async function load() {
      const part = await gitrun.data.get(gitrun.router.address(`/api/diff/${[a, b].map(encodeURIComponent).join('/')}/patch`, { from: next }), { signal });
      // +++ and --- belong to the head of a file
      text.append(...part.lines.map(line => element('span', { class: /^(\+\+\+|---) /.test(line) ? 'soft' : KINDS[line[0]] }, lines(`${line}\n`))));
      next += part.lines.length;
      more.hidden = !part.more;
      fill(more, `Show more: ${gitrun.text.count(part.more, 'line')} left`);
    }
    async function jump(at) {
      while (!text.querySelectorAll('.file')[at] && (!next || !more.hidden)) await load();
      text.querySelectorAll('.file')[at]?.scrollIntoView();
    }
    const names = source.map(({ path, change }, at) => element('li', {},
      element('span', { class: 'soft' }, `${change} `), element('button', { type: 'button', class: 'plain', click: () => jump(at) }, path)));
    load().catch(error => text.replaceWith(gitrun.dom.fault(error)));
    return [element('ul', { class: 'plain' }, names), text, more];
  }

  async function show(target, a, b, signal) {
    const found = await gitrun.data.diff(a, b, signal);
    const heads = [short(a), b === 'base' ? b : short(b)];
    const isSame = !['source', 'carried', 'files'].some(part => found[part].length) && !found.output
      && !['flags', 'metrics', 'needs', 'environment'].some(part => Object.keys(found[part]).length);
    fill(target,
      isSame && element('p', {}, b === 'base' ? 'Nothing differs: the source is exactly that of the commit.' : 'Nothing differs.'),
      element('div', { class: 'tiles' }, named('Flags', heads, found.flags), named('Metrics', heads, found.metrics),
        named('Needed runs', heads, found.needs), environment(heads, found.environment)),
      section('Produced files', changes(found.files, a, b)),
      found.output && element('p', {}, 'The outputs differ: ', gitrun.dom.link(`/runs/${a}?tab=output`, {}, short(a)), ' and ',
        gitrun.dom.link(`/runs/${b}?tab=output`, {}, short(b)), '.'),
      section('Carried over from an earlier attempt', changes(found.carried, a, b === 'base' ? a : b)),
      section('Source', found.source.length > 0 && patch(a, b, found.source, signal)));
  }

  gitrun.router.page('/diff/:a/:b', async view => {
    const { a, b } = view.params, ids = b === 'base' ? [a] : [a, b];
    gitrun.router.title(`${short(a)} and ${short(b)}`);
    const body = element('div', {});
    const [[old, now]] = await Promise.all([Promise.all(ids.map(id => gitrun.data.run(id, view.signal))), show(body, a, b, view.signal)]);
    gitrun.parts.watchDeleted(ids, view);
    const side = run => [gitrun.parts.runLink(run), ' ', run.operation, ' ', gitrun.parts.status(run)];
    fill(view.main, element('h1', {}, now ? 'Differences' : 'Uncommitted changes'),
      element('p', {}, side(old), now && [' → ', side(now), ' ', link(`/diff/${b}/${a}`, {}, 'Swap')]),
      body, gitrun.parts.foot(`git run diff ${ids.map(short).join(' ')}`));
  });

  return { show };
})();
