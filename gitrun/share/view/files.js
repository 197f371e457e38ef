/* gitrun.files: what runs wrote, as elements of ours. Nothing in a file or an output executes.
 *
 *   styler()               a function that turns the next line of output into nodes: colours (ECMA-48 SGR) become classes
 *       and last from line to line, all other controls are escaped
 *   text(words)            a list of nodes: a <pre> with the first 5,000 lines, and how many are left out
 *   table(words)           CSV (RFC 4180) as a table of its first 1,000 rows
 *   notebook(words)        the cells of a Jupyter notebook: text, PNG and JPEG; other outputs are named, not shown
 *   preview(id, file, signal)   a promise of nodes for a file of a run, as `git run ls --json` lists it
 *   isImage(path)          whether a browser draws the file
 */
'use strict';
gitrun.files = (() => {
  const { element, lines } = gitrun.dom;
  const MOST_BYTES = 2 << 20, MOST_LINES = 5000, MOST_ROWS = 1000, MOST_COLUMNS = 200, MOST_CELLS = 500;
  // ESC[1;31m; ESC[K, with which tools end a line, has no meaning on a page
  const COLOURS = /\x1b\[([0-9;:]*)m|\x1b\[[0-2]?K/;
  const BEGIN = { 1: 'bold', 2: 'dim', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'strike' };
  const END = { 22: ['bold', 'dim'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['strike'] };
  const isImage = path => /\.(png|jpe?g|gif|webp|svg)$/i.test(path);
  const remark = text => element('p', { class: 'remark' }, text);
  const more = (count, noun) => count > 0 ? [remark(`${gitrun.text.count(count, noun)} more`)] : [];

  /** Returns the nearest of 8 colours, of which 0 is grey and 7 the colour of text, for one of 256 or for red, green, blue. */
  function nearest(code, levels) {
    if (!levels && code < 16) return code === 0 || code === 15 ? 7 : code % 8;
    levels ??= code > 231 ? Array(3).fill((code - 232) * 11) : [36, 6, 1].map(step => Math.floor((code - 16) / step) % 6 * 51);
    const most = Math.max(...levels);
    if (most - Math.min(...levels) < 40) return most > 60 && most < 180 ? 0 : 7;
    return levels.reduce((sum, level, bit) => sum + (level > most / 2 ? 1 << bit : 0), 0);
  }

  function applyCodes(style, words) {
    const codes = words.split(/[;:]/).map(Number);
    while (codes.length) {
      const code = codes.shift(), ground = code >= 100 || (code >= 40 && code < 50) ? 'bg' : 'fg';
      if (code === 0) Object.assign(style, { fg: null, bg: null, names: new Set() });
      else if (BEGIN[code]) style.names.add(BEGIN[code]);
      else if (END[code]) END[code].forEach(name => style.names.delete(name));
      else if (code === 38 || code === 48) style[ground] = codes.shift() === 5 ? nearest(codes.shift()) : nearest(0, codes.splice(0, 3));
      else if (code === 39 || code === 49) style[ground] = null;
      else if ((code >= 30 && code < 48) || (code >= 90 && code < 108)) style[ground] = nearest(code % 10 + (code < 90 ? 0 : 8));
    }
  }

  function styler() {
    const style = { fg: null, bg: null, names: new Set() };
    return line => {
      // a progress bar writes its line again and again: its last state is what a terminal keeps
      const pieces = line.replace(/\r+$/, '').split('\r').pop().split(COLOURS);
      return pieces.flatMap((piece, at) => {
        if (at % 2) return piece === undefined ? [] : applyCodes(style, piece) || [];
        const names = [...style.names, ...['fg', 'bg'].flatMap(part => style[part] === null ? [] : part + style[part])];
        if (piece === '') return [];
        return names.length ? element('span', { class: names.map(name => `ansi-${name}`).join(' ') }, lines(piece)) : lines(piece);
      });
    };
  }

  function text(words) {
    const all = words.replace(/\n$/, '').split('\n'), style = styler();
    const shown = all.slice(0, MOST_LINES).flatMap(line => [style(line), lines('\n')]);
    return [element('pre', { class: 'text', tabindex: 0 }, shown), more(all.length - MOST_LINES, 'line')];
  }

  function parse(words, comma) {
    const rows = [['']];
    let isQuoted = false;
    for (let at = 0; at < words.length; at++) {
      const char = words[at], row = rows[rows.length - 1], last = row.length - 1;
      if (isQuoted && char === '"' && words[at + 1] !== '"') isQuoted = false;
      else if (isQuoted) row[last] += char === '"' ? words[++at] : char;
      else if (char === '"' && row[last] === '') isQuoted = true;
      else if (char === comma) row.push('');
      else if (char === '\n') rows.push(['']);
      else row[last] += char;
    }
    return rows[rows.length - 1].join('') === '' ? rows.slice(0, -1) : rows;
  }

  /** Returns the separator that the first line has most of. */
  function separator(words) {
    const [first] = words.split('\n', 1), count = sign => first.split(sign).length;
    return [',', ';', '\t'].reduce((best, sign) => count(sign) > count(best) ? sign : best);
  }

  function table(words) {
    const isNumber = cell => cell.trim() !== '' && !Number.isNaN(Number(cell));
    const rows = parse(words.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n'), separator(words));
    if (!rows.length) return [remark('The table is empty')];
    // numpy writes no names of columns
    const body = rows[0].every(isNumber) ? rows : rows.slice(1);
    const cells = (row, name, scope) => row.slice(0, MOST_COLUMNS).map(cell =>
      element(name, { scope, class: isNumber(cell) && 'number' }, cell));
    const shown = element('table', {},
      body === rows ? null : element('thead', {}, element('tr', {}, cells(rows[0], 'th', 'col'))),
      element('tbody', {}, body.slice(0, MOST_ROWS).map(row => element('tr', {}, cells(row, 'td')))));
    return [element('div', { class: 'scroll', role: 'region', 'aria-label': 'Table', tabindex: 0 }, shown),
      more(body.length - MOST_ROWS, 'row'), more(Math.max(...rows.map(row => row.length)) - MOST_COLUMNS, 'column')];
  }

  // nbformat 4: a text is a string or a list of its lines
  const joined = part => [].concat(part ?? '').join('');

  /** Draws base64 data on a canvas, because the CSP refuses data: and blob: addresses. */
  function picture(data, type) {
    const canvas = element('canvas', { role: 'img', 'aria-label': 'Output of the cell' });
    draw(canvas, data, type).catch(() => canvas.replaceWith(remark('The picture is damaged')));
    return canvas;
  }

  async function draw(canvas, data, type) {
    const bytes = Uint8Array.from(atob(data.replace(/\s/g, '')), char => char.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type }));
    Object.assign(canvas, { width: image.width, height: image.height });
    canvas.getContext('2d').drawImage(image, 0, 0);
  }

  function output(given) {
    if (given.output_type === 'stream') return text(joined(given.text));
    if (given.output_type === 'error') return text([].concat(given.traceback ?? []).join('\n'));
    const data = given.data || {}, type = ['image/png', 'image/jpeg'].find(name => data[name]);
    if (type) return picture(joined(data[type]), type);
    const dropped = Object.keys(data).filter(name => name !== 'text/plain');
    return [data['text/plain'] ? text(joined(data['text/plain'])) : [], dropped.map(name => remark(`${name} is not shown`))];
  }

  function cell(given) {
    const source = joined(given.source);
    if (given.cell_type !== 'code') return element('div', { class: 'prose' }, lines(source));
    return element('section', { class: 'cell', 'aria-label': `Cell ${given.execution_count ?? ''}` },
      element('pre', { class: 'text', tabindex: 0 }, lines(source)), (given.outputs || []).map(output));
  }

  function notebook(words) {
    try {
      const { cells } = JSON.parse(words);
      return [cells.slice(0, MOST_CELLS).map(cell), more(cells.length - MOST_CELLS, 'cell')];
    } catch { // it only has the name of a notebook, or an older format
      return [remark('This is no notebook that can be shown'), text(words)];
    }
  }

  async function preview(id, file, signal) {
    if (file.here === false) return remark('The file is on another machine');
    const isSource = file.part === 'source';
    if (isImage(file.path)) return element('img', { src: gitrun.data.fileAddress(id, file.path, { source: isSource }), alt: file.path });
    const { words, isWhole } = await gitrun.data.fileStart(id, file.path, { source: isSource, most: MOST_BYTES, signal });
    if (words === '') return remark('The file is empty');
    if (words.slice(0, 8000).includes('\0')) return remark('The file is binary');
    const rest = isWhole ? [] : remark(`Only the first ${gitrun.text.size(MOST_BYTES)} are shown`);
    if (/\.(csv|tsv)$/i.test(file.path)) return [table(words), rest];
    return [isWhole && /\.ipynb$/i.test(file.path) ? notebook(words) : text(words), rest];
  }

  return { styler, text, table, notebook, preview, isImage };
})();
