/* The page of a run: /runs/<id>?tab=output. Tabs: overview, output, files, code, attempts, lineage. */
'use strict';
(() => {
  const { element, fill, link, command, copyButton } = gitrun.dom;
  const { short, table, pairs, section, same, flat, delta, foot } = gitrun.parts;
  const { text } = gitrun;
  const TABS = { overview: showOverview, output: (...given) => gitrun.output.show(...given), files: showFiles, code: showCode, attempts: showAttempts, lineage: showLineage };
  const ASPECTS = ['last', 'first', 'min', 'max', 'count'];
  const MOST_FILES = 500, MOST_IMAGES = 24, MOST_CURVES = 6;
  const tabOf = view => view.query.tab in TABS ? view.query.tab : 'overview';
  const commitLink = id => link(gitrun.router.address('/commits', { range: id }), { class: 'id' }, short(id));
  const when = time => time && element('time', { datetime: time, title: text.time(Date.parse(time)) }, text.relative(Date.parse(time)));

  gitrun.router.page('/runs/:id', async view => {
    const head = element('header', { class: 'run' }), tabs = element('div', { role: 'tablist', 'aria-label': 'Parts of the run' });
    const panel = element('div', { role: 'tabpanel', id: 'panel' }), page = { view, panel, run: null, controller: null };
    await gitrun.parts.watch(view.params.id, view, run => {
      const isFirst = !page.run;
      page.run = run;
      if (isFirst) fill(view.main, head, tabs, panel);
      fill(head, headOf(run));
      // other tabs are read again only when they are opened
      if (isFirst || tabOf(page.view) === 'attempts') open(page, tabs);
      else if (tabOf(page.view) === 'overview') page.refresh?.(run);
    });
    tabs.addEventListener('keydown', event => moveAlong(event, tabs));
    return next => {
      page.view = next;
      open(page, tabs);
    };
  });

  function open(page, tabs) {
    const chosen = tabOf(page.view), { run, panel } = page;
    const counts = { attempts: run.attempts.length };
    const hadFocus = tabs.contains(document.activeElement);
    fill(tabs, Object.keys(TABS).map(name => link(gitrun.router.address(`/runs/${run.id}`, { tab: name === 'overview' ? null : name }), {
      role: 'tab', id: `tab-${name}`, 'aria-selected': String(name === chosen), 'aria-controls': 'panel', tabindex: name === chosen ? 0 : -1,
    }, name[0].toUpperCase() + name.slice(1), name in counts && element('span', { class: 'soft' }, ` ${counts[name]}`))));
    if (hadFocus) tabs.querySelector('[aria-selected=true]').focus();
    panel.setAttribute('aria-labelledby', `tab-${chosen}`);
    gitrun.router.title(`${short(run.id)} ${run.operation}`);
    page.controller?.abort();
    page.controller = new AbortController();
    // what the tab began ends with the tab, and with the page
    const signal = AbortSignal.any([page.view.signal, page.controller.signal]);
    fill(panel);
    page.refresh = null;
    panel.setAttribute('aria-busy', 'true');
    Promise.resolve(TABS[chosen](panel, run, page.view.query, signal)).then(refresh => {
      page.refresh = refresh;
      // the run may have changed while the tab was made
      if (page.run !== run) refresh?.(page.run);
      panel.removeAttribute('aria-busy');
    }, error => {
      if (error.name !== 'AbortError') fill(panel, gitrun.dom.fault(error));
    });
  }

  function moveAlong(event, tabs) {
    const all = [...tabs.children], at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = Object.keys(TABS)[(to + all.length) % all.length];
    gitrun.router.setQuery({ tab: tab === 'overview' ? null : tab, path: null, of: null, to: null }, { push: true });
  }

  function headOf(run) {
    const length = run.duration === null ? null : text.duration(run.duration);
    const verdict = run.trusted ? run.signature === 'unsigned' ? 'trusted' : `trusted, ${run.signature}` : 'not trusted: it is data, not to be executed here';
    return [element('h1', {}, run.operation, ' ', element('span', { class: 'id' }, short(run.id)), ' ', copyButton(run.id, 'Copy id')),
      element('p', { class: 'facts' }, gitrun.parts.status(run), run.exit_status > 0 && element('span', {}, `exit status ${run.exit_status}`),
        length && element('span', {}, length), when(run.started), gitrun.parts.badges(run),
        run.batch && element('span', {}, `trial ${run.trial} of `, link(`/batches/${run.batch}`, { class: 'id' }, short(run.batch))),
        run.trials && link(`/batches/${run.id}`, {}, 'Trials'), element('span', { class: run.trusted ? 'badge' : 'badge warn' }, verdict))];
  }

  async function showOverview(panel, run, query, signal) {
    const flags = element('div', {}), metrics = element('div', {}), about = element('div', {}), curves = new Curves(signal);
    fill(panel, element('div', { class: 'columns' }, flags, element('div', {}, metrics, curves.node), about), foot(`git run show ${short(run.id)}`));
    const [context] = await Promise.all([gitrun.data.get(`/api/runs/${run.id}/context`, { signal }), measure(run)]);
    const tell = given => {
      fill(flags, flagTable(given, context.defaults));
      fill(about, sourceOf(given, context), commands(given), comments(given), environment(given));
    };
    tell(run);
    return given => {
      if (given.status !== run.status || given.status !== 'running') tell(given);
      measure(given).catch(() => {}); // the head of the page says that the server is gone
    };

    async function measure(given) {
      const names = Object.keys(given.series).filter(name => given.series[name].count > 2).slice(0, 50);
      const series = names.length ? (await gitrun.data.series([given.id], names, signal))[given.id] || {} : {};
      fill(metrics, metricTable(given, series));
      curves.show(series);
    }
  }

  /** A curve for each of the first metrics. */
  class Curves {
    constructor(signal) {
      Object.assign(this, { signal, node: element('div', {}), known: new Map() });
    }

    show(series) {
      for (const [metric, [steps, values]] of Object.entries(series).slice(0, MOST_CURVES)) {
        if (!this.known.has(metric)) {
          this.known.set(metric, gitrun.charts.curves(this.signal));
          this.node.append(section(metric, this.known.get(metric).node));
        }
        this.known.get(metric).show({ metric, lines: [{ name: metric, hue: [...this.known.keys()].indexOf(metric), steps, values }] });
      }
    }
  }

  function flagTable(run, defaults) {
    const rows = Object.entries(run.flags).map(([name, value]) => {
      const isOther = name in defaults && !same(value, defaults[name]);
      return [isOther ? element('strong', {}, name) : name, value, name in defaults ? isOther ? defaults[name] : '' : '-'];
    });
    return rows.length ? table('Flags', ['flag', 'value', 'default, if changed'], rows) : element('p', { class: 'soft' }, 'No flags.');
  }

  function metricTable(run, series) {
    const rows = Object.entries(run.series).map(([name, known]) =>
      [name, ...ASPECTS.map(aspect => known[aspect]), series[name] ? gitrun.charts.spark(series[name][1]) : '']);
    return rows.length ? table('Metrics', ['metric', ...ASPECTS, 'curve'], rows) : element('p', { class: 'soft' }, 'No metrics.');
  }

  function sourceOf(run, context) {
    const { base, changes } = context, code = gitrun.router.address(`/runs/${run.id}`, { tab: 'code' });
    return section('Source', pairs([
      ['base', base && [commitLink(base.id), ' ', base.subject]],
      ['author', base?.author],
      ['branch', run.branch],
      ['changes', changes.length ? link(code, {}, text.count(changes.length, 'uncommitted file')) : 'none: exactly the commit'],
      ['left out', context.left_out.join(', ')],
      ['lent', context.lent.join(', ')],
      ['command', element('code', {}, context.command.map(word => word === '{python}' ? 'python' : text.quote(word)).join(' '))],
      ...run.needs.map(need => ['needs', [link(`/runs/${need.run}`, { class: 'id' }, short(need.run)), ` ${need.operation}`]]),
      ...run.inputs.map(input => ['input', input.path]),
    ]));
  }

  function commands(run) {
    const id = short(run.id);
    const next = { running: [`git run watch ${id}`, `git run stop ${id}`], staged: [`git run --start ${id}`] }[run.status];
    return section('Commands', [...next || [`git run --restart ${id}`], `git run checkout ${id}`, `git run verify ${id}`,
      ...run.trusted ? [] : [`git run trust ${id}`]].map(words => command(words)));
  }

  const comments = run => section('Comments', run.comments.map(one => element('p', { class: 'prose' }, gitrun.dom.lines(one.text),
    element('br'), element('span', { class: 'soft' }, one.author, ' ', when(one.time)))));

  function environment(run) {
    const { packages, ...rest } = run.environment, known = packages && typeof packages === 'object' ? Object.entries(packages) : [];
    return section('Environment', pairs(Object.entries(flat(rest)).map(([name, value]) => [name, typeof value === 'string' ? value : text.value(value)])),
      known.length > 0 && element('details', {}, element('summary', {}, text.count(known.length, 'package')), table('Packages', ['package', 'version'], known)));
  }

  async function showFiles(panel, run, query, signal) {
    const { files } = await gitrun.data.get(`/api/runs/${run.id}/files`, { signal });
    const view = element('section', { 'aria-label': 'Preview' }), isSource = file => file.part === 'source';
    fill(panel, element('div', { class: 'columns' }, element('div', {},
      fileList('Produced', files.filter(file => !isSource(file)), run, query), fileList('Source', files.filter(isSource), run, query)), view),
    foot(`git run ls ${short(run.id)}`, ...query.path ? [`git run cat ${query.of === 'source' ? '--sourcecode ' : ''}-p ${text.quote(query.path)} ${short(run.id)}`] : []));
    const chosen = files.find(file => file.path === query.path && file.part === query.of);
    if (!chosen) return fill(view, gallery(run, files.filter(file => !isSource(file) && file.here && gitrun.files.isImage(file.path))));
    fill(view, element('h2', {}, chosen.path), await gitrun.files.preview(run.id, chosen, signal));
    view.scrollIntoView({ block: 'nearest' });
  }

  /** Shows the first images that a run produced, each a link to its preview. */
  function gallery(run, images) {
    // a site may have the name of a file without its bytes
    const known = images.map(({ path, part }) => ({ path, part, src: gitrun.data.fileAddress(run.id, path) })).filter(({ src }) => src);
    return element('div', { class: 'pictures' }, known.slice(0, MOST_IMAGES).map(({ path, part, src }) =>
      link(gitrun.router.address(`/runs/${run.id}`, { tab: 'files', path, of: part }), {},
        element('figure', {}, element('img', { src, alt: path, loading: 'lazy' }), element('figcaption', {}, path)))));
  }

  function fileList(title, files, run, query) {
    const rows = files.slice(0, MOST_FILES).map(file => [
      link(gitrun.router.address(`/runs/${run.id}`, { tab: 'files', path: file.path, of: file.part }),
        { 'aria-current': file.path === query.path && file.part === query.of && 'true' }, file.path),
      file.size === null ? '' : text.size(file.size),
      file.sha256 ? element('span', { class: 'id', title: file.sha256 }, short(file.sha256)) : '',
      file.here ? { git: '', lfs: 'in Git LFS', local: 'beside git' }[file.stored] : 'on another machine']);
    const more = files.length - rows.length, isEmpty = at => rows.every(row => !row[at]), heads = ['path', 'size', 'sha256', 'kept'];
    const own = row => row.filter((_, at) => !isEmpty(at));
    return files.length > 0 && [table(`${title}: ${text.count(files.length, 'file')}`, own(heads), rows.map(own)),
      more > 0 && element('p', { class: 'remark' }, `${text.count(more, 'file')} more`)];
  }

  async function showCode(panel, run, query, signal) {
    const { previous } = await gitrun.data.get(`/api/runs/${run.id}/context`, { signal });
    const to = query.to || 'base', body = element('div', {});
    const other = element('input', { value: [previous, 'base'].includes(to) ? '' : to, placeholder: 'id of a run', size: 10, 'aria-label': 'Another run' });
    const choice = (name, words) => link(gitrun.router.address(`/runs/${run.id}`, { tab: 'code', to: name }), { 'aria-current': to === name && 'true' }, words);
    const form = element('form', { class: 'choices', submit: event => {
      event.preventDefault();
      gitrun.router.setQuery({ to: other.value.trim() }, { push: true });
    } }, choice('base', 'To its commit'), previous && choice(previous, `To the run before, ${short(previous)}`), other, element('button', {}, 'Compare'));
    fill(panel, form, body, foot(`git run diff ${to === 'base' ? '' : `${short(to)} `}${short(run.id)}`));
    await (to === 'base' ? gitrun.diff.show(body, run.id, to, signal) : gitrun.diff.show(body, to, run.id, signal));
  }

  function showAttempts(panel, run) {
    fill(panel, run.attempts.map((attempt, at) => attemptOf(attempt, run.attempts[at - 1], at + 1)).reverse(), foot(`git run log ${short(run.id)}`));
  }

  /** Shows an attempt by its flags, or by those that differ from the attempt before. */
  function attemptOf(attempt, before, number) {
    const names = [...new Set([before, attempt].flatMap(one => Object.keys(one?.flags || {})))];
    const rows = names.filter(name => !same(attempt.flags[name], before?.flags[name])).map(name => [name, ...before ? [before.flags[name]] : [], attempt.flags[name]]);
    const metrics = Object.entries(attempt.metrics).map(([name, value]) => [name, value, ...before ? [delta(value, before.metrics[name])] : []]);
    return element('section', {}, element('h2', {}, `Attempt ${number} `, gitrun.parts.status(attempt), ' ', text.duration(attempt.duration), ' ', when(attempt.started)),
      before && attempt.source !== before.source && element('p', {}, 'The source changed.'),
      element('div', { class: 'side' }, rows.length > 0 ? table(`Flags of attempt ${number}`, ['flag', ...before ? ['before'] : [], 'value'], rows) : before && element('p', {}, 'The same flags.'),
      metrics.length > 0 && table(`Metrics of attempt ${number}`, ['metric', 'value', ...before ? ['change'] : []], metrics)));
  }

  async function showLineage(panel, run, query, signal) {
    const body = element('div', {});
    fill(panel, body, foot(`git run show ${short(run.id)}`));
    await gitrun.lineage.show(body, run.id, signal);
  }
})();
