/* gitrun.site: the source of gitrun.data in a static site, whose answers are in packs: JSON objects that are files beside the
 * page, or in a site of one file compressed elements of it.
 *
 *   runs        { ids, size, version, blocks: { address: answer } }
 *   columns     { name: column }, exact; not in a site of one file, which has the details of all runs at hand
 *   run-<n>     the details of runs n * size to (n + 1) * size - 1, see gitrun/render/site_answers.py
 *   files-<id>  { path: base64 } of a run's files
 *   commits     the answer of /api/commits
 *
 *   read(name)  a promise of a pack
 */
'use strict';
gitrun.site = (() => {
  const { router } = gitrun;
  const isOneFile = document.documentElement.dataset.site === 'file';
  const IMAGES = { png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', svg: 'image/svg+xml' };
  const packs = new Map(), files = new Map();

  function fault(message, hint, status = 404) {
    return Object.assign(new Error(message), { hint, status });
  }

  async function unpack(name) {
    const node = document.querySelector(`script[data-pack="${name}"]`);
    if (!node) throw fault('This site has no such data');
    return JSON.parse(await gitrun.unpack(node.textContent));
  }

  async function download(name) {
    const answer = await fetch(`data/${name}.json`);
    if (!answer.ok) throw fault(`The server answered ${answer.status}`, null, answer.status);
    return answer.json();
  }

  function read(name) {
    if (!packs.has(name)) packs.set(name, isOneFile ? unpack(name) : download(name));
    return packs.get(name);
  }

  async function find(prefix) {
    const { ids, size } = await read('runs'), at = ids.findIndex(id => id.startsWith(prefix));
    if (at < 0) throw fault(`Run ${prefix.slice(0, 8)} is not in this site.`, `git run show ${prefix.slice(0, 8)}`);
    const details = complete(await read(`run-${Math.floor(at / size)}`), at % size, ids[at]);
    // an image needs its address at once, so its bytes must be here before anything shows the run
    if (details.stored.length && !files.has(ids[at])) files.set(ids[at], await read(`files-${ids[at]}`));
    return details;
  }

  /** Returns the details of a run with what a pack has once for all of its runs, or leaves out because it is plain. */
  function complete({ runs, environments, bases, keys }, at, id) {
    const { run, context, ...rest } = runs[at];
    const own = { ...run, id, environment: environments[run.environment] };
    const attempt = Object.fromEntries(keys.map(key => [key, own[key]]));
    const { operation, status, label } = own;
    return {
      files: [], stored: [], diffs: {}, patches: {}, output: '', lineage: { run: id, nodes: [{ id, number: null, operation, status, label }], links: [], more: 0 },
      ...rest, run: { ...own, attempts: run.attempts.map(given => ({ ...attempt, ...given })) },
      context: { ...context, base: bases[context.base] ?? null },
    };
  }

  async function columns({ columns: names }) {
    const { ids, size, version, blocks } = await read('runs'), wanted = names.split(',');
    const first = Object.values(blocks)[0];
    const known = isOneFile ? await makeColumns(ids, size, wanted) : await read('columns');
    const chosen = Object.fromEntries(wanted.filter(name => known[name]).map(name => [name, known[name]]));
    return { ...first, version, start: 0, n: ids.length, id: ids.map(id => id.slice(0, first.digits)), columns: chosen };
  }

  /** Makes the columns of store/columns.py from the details of all runs. */
  async function makeColumns(ids, size, names) {
    const packed = await Promise.all(Array.from({ length: Math.ceil(ids.length / size) }, (_, at) => read(`run-${at}`)));
    const runs = packed.flatMap(pack => pack.runs.map(({ run }) => run));
    return Object.fromEntries(names.map(name => [name, { v: runs.map((run, at) => name === 'id' ? ids[at] : valueOf(run, name)) }]));
  }

  const WORDS = { NaN: { number: 'nan' }, Infinity: { number: 'inf' }, '-Infinity': { number: '-inf' } };

  function valueOf(run, name) {
    const [, sort, key] = /^(flag|metric):(.+)$/s.exec(name) ?? [];
    if (sort === 'flag') return run.flags[key] ?? null;
    if (!sort) return ['started', 'stopped'].includes(name) ? microseconds(run[name]) : run[name] ?? null;
    const [, metric, aspect] = /^(.+):(first|last|min|max|count)$/s.exec(key) ?? [];
    const value = key in run.metrics ? run.metrics[key] : run.series[metric]?.[aspect] ?? null;
    return WORDS[value] ?? value;
  }

  /** 2026-11-29T14:08:43.566750Z has more digits than Date keeps. */
  const microseconds = words => words ? Date.parse(`${words.slice(0, 19)}Z`) * 1000 + Number(words.slice(20, 26)) : null;

  async function series({ ids, metrics }) {
    const names = metrics.split(',');
    const pairs = await Promise.all(ids.split(',').map(async id => [id, (await find(id)).series]));
    return Object.fromEntries(pairs.map(([id, known]) => [id, Object.fromEntries(names.filter(name => known[name]).map(name => [name, decode(known[name])]))]));
  }

  /** Returns the steps and values of a curve, of which the site may have the first step alone: the others count up. */
  const decode = ([steps, values]) => [Array.isArray(steps) ? steps : values.map((_, at) => steps + at), values];

  function cut(words, from) {
    const bytes = new TextEncoder().encode(words);
    return new TextDecoder().decode(bytes.slice(from));
  }

  const differing = (old, now) => Object.fromEntries([...new Set([...Object.keys(old), ...Object.keys(now)])]
    .map(name => [name, [old[name] ?? null, now[name] ?? null]]).filter(([, [one, other]]) => JSON.stringify(one) !== JSON.stringify(other)));

  const flat = (table, above = '') => Object.assign({}, ...Object.entries(table).map(([name, value]) =>
    value && typeof value === 'object' && !Array.isArray(value) ? flat(value, `${above}${name}.`) : { [above + name]: value }));

  /** Compares two runs by what the site has of them. The lines of their code are there only for a run and the one before it. */
  async function diff(a, b) {
    const old = await find(a);
    if (b === 'base') return old.diffs.base ?? noCode(a);
    const now = await find(b), known = now.diffs[old.run.id];
    if (known) return known;
    const states = [old, now].map(({ run }) => Object.fromEntries(run.files.map(file => [file.path, file.sha256 || file.size])));
    const files = Object.entries(differing(...states)).map(([path, [one, other]]) => ({ path, change: one === null ? 'added' : other === null ? 'deleted' : 'changed' }));
    return {
      runs: [old.run.id, now.run.id], flags: differing(old.run.flags, now.run.flags), needs: {}, carried: [], files,
      metrics: differing(old.run.metrics, now.run.metrics), output: old.output !== now.output,
      environment: differing(flat(old.run.environment), flat(now.run.environment)),
      source: old.run.source === now.run.source ? [] : [{ path: 'the code', change: 'changed' }],
    };
  }

  function noCode(a, b = '') {
    throw fault('This difference of code is not in this site.', `git run diff ${`${a.slice(0, 8)} ${b.slice(0, 8)}`.trim()}`);
  }

  async function patch(a, b) {
    const now = await find(b === 'base' ? a : b), old = b === 'base' ? 'base' : (await find(a)).run.id;
    return now.patches[old] ?? noCode(a, b === 'base' ? '' : b);
  }

  async function commits({ range = 'HEAD' }) {
    if (range !== 'HEAD') throw fault('Only the commits of HEAD are in this site.', `git run log ${gitrun.text.quote(range)}`);
    return read('commits');
  }

  async function listFiles(id, { parts = 'source,produced,local' }) {
    const wanted = parts.split(',');
    return { files: (await find(id)).files.filter(file => wanted.includes(file.part)) };
  }

  const keyOf = (path, isSource) => isSource ? `source/${path}` : path;

  function bytesOf(id, path, isSource) {
    const whole = [...files.keys()].find(key => key.startsWith(id));
    const text = whole && files.get(whole)[keyOf(path, isSource)];
    return text === undefined ? null : Uint8Array.from(atob(text), char => char.charCodeAt(0));
  }

  async function fileText(id, path, isSource) {
    await find(id);
    const bytes = bytesOf(id, path, isSource);
    if (!bytes) throw fault('This file is not in this site.', `git run cat -p ${gitrun.text.quote(path)} ${id.slice(0, 8)}`);
    return new TextDecoder().decode(bytes);
  }

  const ROUTES = [
    [/^\/api\/runs$/, async (query, address) => query.columns ? columns(query) : (await read('runs')).blocks[address]],
    [/^\/api\/runs\/(\w+)$/, async (query, address, id) => (await find(id)).run],
    [/^\/api\/runs\/(\w+)\/files$/, (query, address, id) => listFiles(id, query)],
    [/^\/api\/runs\/(\w+)\/context$/, async (query, address, id) => (await find(id)).context],
    [/^\/api\/runs\/(\w+)\/output$/, async ({ from = 0 }, address, id) => cut((await find(id)).output, Number(from))],
    [/^\/api\/lineage\/(\w+)$/, async (query, address, id) => (await find(id)).lineage],
    [/^\/api\/batches\/(\w+)$/, async (query, address, id) => (await find(id)).batch],
    [/^\/api\/diff\/(\w+)\/(\w+)$/, (query, address, a, b) => diff(a, b)],
    [/^\/api\/diff\/(\w+)\/(\w+)\/patch$/, (query, address, a, b) => patch(a, b)],
    [/^\/api\/series$/, query => series(query)],
    [/^\/api\/commits$/, query => commits(query)],
    [/^\/files\/(\w+)\/(.+)$/, (query, address, id, path) => fileText(id, path.split('/').map(decodeURIComponent).join('/'), query.source)],
  ];

  async function get(address, as) {
    const [path, words = ''] = address.split(/\?(.*)/s), query = Object.fromEntries(new URLSearchParams(words));
    for (const [pattern, answer] of ROUTES) {
      const match = pattern.exec(path);
      if (!match) continue;
      const found = await answer(query, address, ...match.slice(1));
      if (found === undefined || found === null) break;
      return as === 'start' ? { words: found, isWhole: true } : found;
    }
    throw fault('This is not in this site.');
  }

  /** Returns the address of an image whose bytes are here. */
  function fileAddress(id, path, { source } = {}) {
    const bytes = bytesOf(id, path, source), type = IMAGES[path.split('.').pop().toLowerCase()];
    return bytes && type ? URL.createObjectURL(new Blob([bytes], { type })) : null;
  }

  gitrun.data.source = { get, fileAddress };
  return { read };
})();
