/* The page /commits?range=main..HEAD: commits, newest first, with the runs that were made of them. */
'use strict';
(() => {
  const { element, fill } = gitrun.dom;
  const { text } = gitrun;
  const { short } = gitrun.parts;
  const STEP = 100;

  function commitOf(commit) {
    const [name] = commit.author.split(' <'), at = Date.parse(commit.time);
    const rows = ['exact', 'changed'].flatMap(kind => commit[kind].map(run => [run, kind === 'changed' && 'with changes']));
    return element('li', { data: { commit: commit.id } }, element('h2', {}, commit.subject),
      element('p', { class: 'soft' }, element('span', { class: 'id' }, short(commit.id)), ` ${name} `, element('time', { datetime: commit.time, title: text.time(at) }, text.relative(at))),
      rows.length ? gitrun.parts.runTable(`Runs of ${short(commit.id)}`, rows) : element('p', { class: 'soft' }, 'no runs'),
      commit.more > 0 && element('p', { class: 'remark' }, `${text.count(commit.more, 'run')} more`));
  }

  gitrun.router.page('/commits', async view => {
    async function show({ query }) {
      const range = query.range || 'HEAD', limit = Number(query.limit) || STEP;
      gitrun.router.title(`Commits of ${range}`);
      const input = element('input', { value: range, 'aria-label': 'Commits', spellcheck: 'false' });
      const form = element('form', { class: 'choices', submit: event => {
        event.preventDefault();
        gitrun.router.setQuery({ range: input.value, limit: null }, { push: true });
      } }, input, element('button', {}, 'Show'));
      const list = element('ol', { class: 'commits' }), more = element('p', {});
      fill(view.main, element('h1', {}, 'Commits and their runs'), form, list, more, gitrun.parts.foot(`git run log ${text.quote(range)}`, `git run report ${text.quote(range)}`));
      const found = await gitrun.data.get(gitrun.router.address('/api/commits', { range, limit }), { signal: view.signal });
      fill(list, found.commits.map(commitOf));
      fill(more, found.more && element('button', { type: 'button', click: () => gitrun.router.setQuery({ limit: limit + STEP }) }, 'Show older commits'));
    }
    await show(view);
    return next => show(next).catch(error => view.main.append(gitrun.dom.fault(error)));
  });
})();
