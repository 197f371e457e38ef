/* gitrun.router: all state of the pages is in the address, so reload, Back, Forward and a new tab restore it.
 *
 *   page(pattern, render)   render(view) draws a page; pattern: '/', '/runs/:id', '/diff/:a/:b'
 *       view.params    values of the pattern's names, decoded
 *       view.query     a frozen object of the query: { q: 'lr<0.1' }
 *       view.main      the element to fill
 *       view.signal    an AbortSignal that ends with the page: give it to gitrun.data and addEventListener
 *       render may return update(view), which is called instead of render when only the query changes.
 *   load(...names)          loads scripts of this directory, each once, in this order: load('charts.js')
 *   setQuery(changes, {push})   changes the query of this page; null or '' removes a name. Replaces the entry of the
 *       history unless push is true, so that typing leaves one entry and not twenty.
 *   go(address)             opens a page of ours: go('/runs/3fa2?tab=output')
 *   href(address)           the address for a link; a static site has the same behind #
 *   address(path, query)    builds one: address('/compare', { r: 'a,b' })
 *   title(text)             the title of the document
 */
'use strict';
gitrun.router = (() => {
  const pages = [];
  /** The scripts of each page, in the order in which they build on each other. They are loaded when it is opened; a site of
   *  one file has them all inside. */
  const SCRIPTS = [
    ['/', ['columns.js', 'filter.js', 'survey.js', 'table.js', 'charts.js', 'cells.js', 'filterbox.js', 'panel.js', 'runs.js']],
    ['/runs/:id', ['charts.js', 'files.js', 'parts.js', 'output.js', 'diff.js', 'lineage.js', 'run.js']],
    ['/compare', ['charts.js', 'files.js', 'parts.js', 'compare.js']],
    ['/diff/:a/:b', ['parts.js', 'diff.js']],
    ['/live', ['charts.js', 'files.js', 'parts.js', 'output.js', 'live.js']],
    ['/lineage/:id', ['parts.js', 'lineage.js']],
    ['/batches/:id', ['survey.js', 'charts.js', 'parts.js', 'batch.js']],
    ['/commits', ['parts.js', 'commits.js']],
  ];
  const loaded = new Map();
  const directory = document.currentScript.src.replace(/[^/]*$/, '');
  // a site is files on any host, whose paths are not ours to choose
  const inHash = document.documentElement.hasAttribute('data-site');
  let current = null;

  const href = path => inHash ? `#${path}` : path;
  const here = () => inHash ? location.hash.slice(1) || '/' : location.pathname + location.search;

  function address(path, query) {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query || {})) {
      if (value !== null && value !== undefined && value !== '') parameters.set(name, value);
    }
    // commas and the signs of filters are allowed in a query, and read better as they are
    const text = parameters.toString().replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%2F', '/');
    return text ? `${path}?${text}` : path;
  }

  function page(pattern, render) {
    const names = [...pattern.matchAll(/:(\w+)/g)].map(match => match[1]);
    // the script of a page replaces the entry that loads it
    const at = pages.findIndex(other => other.pattern === pattern);
    pages.splice(at < 0 ? pages.length : at, at < 0 ? 0 : 1,
      { pattern, names, render, matcher: new RegExp(`^${pattern.replace(/:\w+/g, '([^/]+)')}/?$`) });
  }

  function loadOne(name) {
    // a site of one file has run all of them
    if (document.documentElement.dataset.site === 'file') return Promise.resolve();
    if (!loaded.has(name)) {
      loaded.set(name, new Promise((resolve, reject) => {
        const script = gitrun.dom.element('script', { load: resolve, error: () => reject(new Error(`cannot load ${name}`)) });
        script.src = directory + name;
        // all at once, but executed in their order
        script.async = false;
        document.head.append(script);
      }));
    }
    return loaded.get(name);
  }

  const load = (...names) => Promise.all(names.map(loadOne));

  /** Loads the scripts of a page, the last of which calls `page`, and draws it. */
  const loading = (pattern, scripts) => async view => {
    await load(...scripts);
    const own = pages.find(other => other.pattern === pattern);
    return own.isLoader ? showMissing(view.main) : view.signal.aborted || own.render({ ...view, query: current.view.query });
  };

  function decode(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  function find(target) {
    const [path, query = ''] = target.split(/\?(.*)/s);
    for (const { names, render, matcher } of pages) {
      const match = matcher.exec(path);
      if (!match) continue;
      const params = Object.fromEntries(names.map((name, at) => [name, decode(match[at + 1])]));
      return { path, render, params, query: Object.freeze(Object.fromEntries(new URLSearchParams(query))) };
    }
    return null;
  }

  function show() {
    const target = find(here());
    const main = document.getElementById('main');
    if (target && current && current.path === target.path) {
      const isSame = JSON.stringify(current.view.query) === JSON.stringify(target.query);
      current.view = { ...current.view, query: target.query };
      if (current.update) return isSame || current.update(current.view);
    }
    current?.controller.abort();
    main.replaceChildren();
    markNavigation(target ? target.path : '');
    if (!target) return showMissing(main);
    const controller = new AbortController();
    const view = { params: target.params, query: target.query, main, signal: controller.signal };
    current = { path: target.path, controller, view, update: null };
    const opened = current;
    // a page that is still being drawn has no update yet
    Promise.resolve(target.render(view)).then(update => { opened.update = update || null; }, error => {
      if (error.name !== 'AbortError') gitrun.dom.fill(main, gitrun.dom.fault(error));
    });
  }

  function showMissing(main) {
    current = null;
    title('Not found');
    gitrun.dom.fill(main, gitrun.dom.element('h1', {}, 'There is no such page'),
      gitrun.dom.element('p', {}, gitrun.dom.link('/', {}, 'All runs')));
  }

  function markNavigation(path) {
    for (const link of document.querySelectorAll('#head nav a:not(.brand)')) {
      const own = link.dataset.page ??= link.getAttribute('href').replace(/^#/, '');
      link.setAttribute('href', href(own));
      if (own === path) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  function change(target, push) {
    if (href(target) === (inHash ? location.hash : here())) return;
    history[push ? 'pushState' : 'replaceState'](null, '', href(target));
    show();
  }

  function go(target) {
    change(target, true);
    window.scrollTo(0, 0);
    document.getElementById('main').focus({ preventScroll: true });
  }

  function setQuery(changes, { push = false } = {}) {
    const [path] = here().split('?');
    change(address(path, { ...current?.view.query, ...changes }), push);
  }

  function title(text) {
    document.title = text ? `${gitrun.text.safe(text)} · gitrun` : 'gitrun';
  }

  function follow(event) {
    const link = event.target.closest?.('a[href]');
    const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (link?.classList.contains('skip')) {
      // in a site the part behind # is the page
      event.preventDefault();
      document.getElementById('main').focus();
    }
    if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute('download')) return;
    const target = link.getAttribute('href').replace(inHash ? /^#/ : /^$/, '');
    if (!target.startsWith('/') || !find(target)) return;
    event.preventDefault();
    go(target);
  }

  for (const [pattern, scripts] of SCRIPTS) {
    page(pattern, loading(pattern, scripts));
    pages.at(-1).isLoader = true;
  }
  document.addEventListener('click', follow);
  window.addEventListener('popstate', show);
  // all deferred scripts have run by then, so every page is known
  document.addEventListener('DOMContentLoaded', show);
  return { page, load, setQuery, go, href, address, title };
})();
