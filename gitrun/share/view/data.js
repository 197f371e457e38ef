/* gitrun.data: the only module that gets data. The server answers under these addresses; a static site has the same
 * answers embedded or as files, see `source`.
 *
 *   get(address, { signal, as })   the answer as JSON, or with as: 'text' as text. Rejects with an error that has
 *                                  `message`, perhaps `hint` (a command), and `status` (0: the server is gone)
 *   run(id, signal)                `git run show --json`
 *   series(ids, metrics, signal)   { id: { metric: [steps, values] } }, at most 50 ids
 *   output(id, from, signal)       text from byte `from` on
 *   tail(id, from, { text, end }, signal)   follows the output of a running run; calls text(words), at last end()
 *   diff(a, b, signal), lineage(id, signal), commits(range, signal), runsBlock(query, signal), changes(stamp, signal)
 *   fileAddress(id, path, { source, render })   where the bytes of a file are, for src and href; null if a site lacks it
 *   file(id, path, { source, signal })   its text
 *   fileStart(id, path, { source, most, signal })   { words, isWhole }: its text, of at most about `most` bytes
 *   listen(name, listener, signal) 'changed' {stamp}, 'live' {ids}, 'connection' 'open' | 'lost'
 *   source    null, or in a site an object { get(address, as), fileAddress } with the same answers, see site.js; isStatic tells
 */
'use strict';
gitrun.data = (() => {
  const RETRY = 2000;
  const listeners = new EventTarget();
  const last = new Map();
  let stream = null, channel = null, connection = '';
  const data = { source: null, get isStatic() { return document.documentElement.hasAttribute('data-site'); } };

  class DataError extends Error {
    constructor(message, status, hint) {
      super(message);
      Object.assign(this, { name: 'DataError', status, hint });
    }
  }

  async function get(address, { signal, as = 'json', most } = {}) {
    if (data.source) return data.source.get(address, as);
    let answer;
    try {
      answer = await fetch(address, { signal, credentials: 'same-origin', headers: { Accept: as === 'json' ? 'application/json' : 'text/plain' } });
      if (!answer.ok) throw await readError(answer);
      return await (as === 'json' ? answer.json() : as === 'start' ? readStart(answer, most) : answer.text());
    } catch (error) {
      if (error.name === 'AbortError' || error instanceof DataError) throw error;
      if (!answer) setConnection('lost');
      throw new DataError(answer ? 'The answer cannot be read' : 'The server does not answer', 0, 'git run view');
    }
  }

  async function readError(answer) {
    const words = await answer.json().catch(() => ({}));
    return new DataError(words.message || `The server answered ${answer.status}`, answer.status, words.hint);
  }

  /** Reads about `most` bytes of a text and leaves the rest where it is. */
  async function readStart(answer, most) {
    const reader = answer.body.getReader(), decoder = new TextDecoder();
    for (let words = '', size = 0; ;) {
      const { done, value } = await reader.read();
      if (done) return { words: words + decoder.decode(), isWhole: true };
      words += decoder.decode(value, { stream: true });
      size += value.length;
      if (size < most) continue;
      reader.cancel();
      return { words, isWhole: false };
    }
  }

  const ask = (path, query, signal, as) => get(gitrun.router.address(path, query), { signal, as });
  const part = text => encodeURIComponent(text);

  data.get = get;
  data.run = (id, signal) => ask(`/api/runs/${part(id)}`, {}, signal);
  data.series = (ids, metrics, signal) => ask('/api/series', { ids: ids.join(','), metrics: metrics.join(',') }, signal);
  data.output = (id, from, signal) => ask(`/api/runs/${part(id)}/output`, { from }, signal, 'text');
  data.diff = (a, b, signal) => ask(`/api/diff/${part(a)}/${part(b)}`, {}, signal);
  data.lineage = (id, signal) => ask(`/api/lineage/${part(id)}`, {}, signal);
  data.commits = (range, signal) => ask('/api/commits', { range }, signal);
  data.runsBlock = (query, signal) => ask('/api/runs', query, signal);
  data.changes = (stamp, signal) => ask('/api/changes', { since: stamp }, signal);
  data.fileAddress = (id, path, options = {}) => data.source ? data.source.fileAddress(id, path, options) : serverAddress(id, path, options);
  const serverAddress = (id, path, { source, render } = {}) =>
    gitrun.router.address(`/files/${part(id)}/${path.split('/').map(part).join('/')}`, { source: source ? 1 : null, render: render ? 1 : null });
  data.file = (id, path, { source, signal } = {}) => get(serverAddress(id, path, { source }), { signal, as: 'text' });
  data.fileStart = (id, path, { source, most, signal } = {}) => get(serverAddress(id, path, { source }), { signal, most, as: 'start' });

  /** Follows the output of a run. EventSource resumes by itself at the byte of its last event. */
  data.tail = (id, from, { text, end }, signal) => {
    const tail = new EventSource(gitrun.router.address(`/api/runs/${part(id)}/tail`, { from }));
    tail.addEventListener('message', event => text(JSON.parse(event.data)));
    tail.addEventListener('end', () => { tail.close(); end?.(); });
    signal?.addEventListener('abort', () => tail.close());
    return () => tail.close();
  };

  data.listen = (name, listener, signal) => {
    listeners.addEventListener(name, event => listener(event.detail), { signal });
    if (name === 'connection' && connection) listener(connection);
    if (!channel && !data.isStatic) connect();
  };

  function tell(name, detail) {
    listeners.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Listens to the server. All windows share one stream: a browser has six connections to a server, for all its windows. */
  function connect() {
    channel = new BroadcastChannel('gitrun');
    channel.addEventListener('message', ({ data: [name, detail] }) => {
      if (name !== 'join') hear(name, detail);
      // a window that was opened later is told what this one knows
      else if (stream) last.forEach(known => channel.postMessage(known));
    });
    channel.postMessage(['join']);
    // the lock ends with its window, and another window opens the stream
    navigator.locks.request('gitrun', () => new Promise(openStream));
  }

  function openStream() {
    stream = new EventSource('/api/events');
    stream.addEventListener('open', () => share('connection', 'open'));
    for (const name of ['changed', 'live']) stream.addEventListener(name, event => share(name, JSON.parse(event.data)));
    stream.addEventListener('error', () => {
      share('connection', 'lost');
      // the browser itself tries again, but not after an answer that is no stream
      if (stream.readyState === EventSource.CLOSED) setTimeout(openStream, RETRY);
    });
  }

  function share(name, detail) {
    last.set(name, [name, detail]);
    hear(name, detail);
    channel.postMessage([name, detail]);
  }

  function hear(name, detail) {
    setConnection(name === 'connection' ? detail : 'open');
    if (name !== 'connection') tell(name, detail);
  }

  function setConnection(state) {
    if (state === connection) return;
    connection = state;
    const place = document.getElementById('connection');
    place.dataset.state = state;
    gitrun.dom.fill(place, state === 'lost'
      ? ['The server has ended. What you see may be old. To start it: ', gitrun.dom.element('code', {}, 'git run view')]
      : 'live');
    tell('connection', state);
  }

  return data;
})();
