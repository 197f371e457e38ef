/* gitrun.charts: pictures of runs. Each draws itself again when its size or the colours change, and says in words what it shows.
 *
 *   curves(signal)        { node, show({ metric, lines, isLog, smooth, isShare }) } lines: [{ name, hue, steps, values }]; the
 *                         numbers under the picture are those at the cursor, the largest first
 *   coordinates(signal, brush)   { node, show({ axes, slots, marked }) } axes: [{ name, read }]; brush(name, low, high) tells
 *                         of a range that the user drew on an axis; of text axes low and high are texts of the axis
 *   scatter(signal, pick) { node, show({ x, y, slots, marked, isLeast, best }) } x and y as axes; x null: the order of the
 *                         runs; best: an axis of the values among which the best is looked for (default: y)
 *   hue(at), dash(at)     colour and dashes of the line at this place: 8 hues times 4 dashes
 *   spark(values)         a small line as SVG
 * marked: a Map of slots to hues, drawn over the others.
 */
'use strict';
gitrun.charts = (() => {
  const { element, svg, fill } = gitrun.dom;
  const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
  const MOST_LINES = 5000, CHUNK = 20_000, PAD = { left: 56, right: 14, top: 10, bottom: 26 };
  const darkness = matchMedia('(prefers-color-scheme: dark)');
  const number = gitrun.text.number;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const hue = at => `hue-${at % 8 + 1}`;
  const dash = at => DASHES[Math.floor(at / 8) % DASHES.length];
  const font = () => `11px ${colour('font')}`;
  /** A number on an axis, where three digits are enough. */
  const brief = (value, digits = 3) => number(Number(value.toPrecision(digits)));
  const isNumber = value => typeof value === 'number' && Number.isFinite(value);

  /** Calls draw now and whenever the size of the node or the colours change. */
  function keepDrawn(node, draw, signal) {
    const observer = new ResizeObserver(() => draw());
    observer.observe(node);
    darkness.addEventListener('change', draw, { signal });
    signal?.addEventListener('abort', () => observer.disconnect());
  }

  /** Smooths by an exponential moving average, without the pull of the start towards 0. */
  function smoothen(values, weight) {
    if (!weight) return values;
    let sum = 0, total = 0;
    return values.map(value => {
      if (!isNumber(value)) return value;
      sum = sum * weight + value * (1 - weight);
      total = total * weight + (1 - weight);
      return sum / total;
    });
  }

  function share(steps) {
    const first = steps[0], length = steps.at(-1) - first || 1;
    return steps.map(step => (step - first) / length * 100);
  }

  // curves, by uPlot

  function curves(signal) {
    const place = element('div', { class: 'plot' }), values = element('ol', { class: 'values' });
    const details = element('div', {});
    const node = element('div', { class: 'curves', role: 'group' }, place, values, details);
    let plot = null, shown = null, frame = 0;

    function draw() {
      frame = 0;
      plot?.destroy();
      plot = null;
      place.replaceChildren();
      if (!shown?.lines.length || !place.clientWidth) return fill(values);
      // it is large, and the table needs none of it
      if (!window.uPlot) return gitrun.router.load('uPlot.iife.min.js').then(draw);
      plot = new uPlot(curveOptions(shown, place, at => list(at)), curveData(shown), place);
      list(null);
    }

    /** Lists the lines with their values at the cursor, or their last ones. */
    function list(at) {
      const rows = shown.lines.map((line, index) => {
        const own = plot.data[index + 1];
        const value = at === null ? own.findLast(isNumber) : nearest(own, at);
        return { line, index, value };
      }).sort((a, b) => (isNumber(b.value) ? b.value : -Infinity) - (isNumber(a.value) ? a.value : -Infinity));
      fill(values, rows.map(({ line, index, value }) => element('li', {}, swatch(line.hue ?? index), element('span', { class: 'name' }, line.node?.() ?? line.name),
        element('span', { class: 'value', title: isNumber(value) ? number(value) : null }, isNumber(value) ? brief(value, 4) : '-'))));
    }

    function show(given) {
      shown = given;
      node.setAttribute('aria-label', `Curves of ${given.metric}: ${given.lines.map(describe).join('; ') || 'none'}`);
      fill(details, valueTable(given));
      frame ||= requestAnimationFrame(draw);
    }
    keepDrawn(place, () => { frame ||= requestAnimationFrame(draw); }, signal);
    return { node, show };
  }

  function describe({ name, steps, values }) {
    return `${name}: ${number(values[0])} to ${number(values.at(-1))} over ${gitrun.text.count(steps.length, 'point')}`;
  }

  function valueTable({ metric, lines }) {
    const numbers = values => [values[0], values.at(-1), Math.min(...values.filter(isNumber)), Math.max(...values.filter(isNumber))];
    return element('details', {}, element('summary', {}, 'Values'), element('div', { class: 'scroll' }, element('table', {},
      element('caption', { class: 'unseen' }, `Curves of ${metric}`),
      element('thead', {}, element('tr', {}, ['run', 'first', 'last', 'min', 'max'].map(name => element('th', { scope: 'col' }, name)))),
      element('tbody', {}, lines.map(line => element('tr', {}, element('th', { scope: 'row' }, line.name),
        numbers(line.values).map(value => element('td', { class: 'number' }, number(value)))))))));
  }

  function nearest(values, at) {
    for (let off = 0; off < 50; off++) {
      if (isNumber(values[at - off])) return values[at - off];
      if (isNumber(values[at + off])) return values[at + off];
    }
    return null;
  }

  function curveData({ lines, isLog, smooth, isShare }) {
    const clean = value => isNumber(value) && !(isLog && value <= 0) ? value : null;
    return uPlot.join(lines.map(({ steps, values }) => [isShare ? share(steps) : steps, smoothen(values.map(clean), smooth)]));
  }

  function curveOptions({ lines, isLog, isShare }, place, list) {
    const axis = { stroke: colour('soft'), font: font(), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
    return {
      width: place.clientWidth, height: 220, legend: { show: false }, padding: [8, 10, 0, 0],
      scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
      axes: [{ ...axis, size: 24, values: isShare ? (_, ticks) => ticks.map(tick => `${tick} %`) : undefined },
        { ...axis, size: 52, values: (_, ticks) => ticks.map(tick => tick === null ? '' : number(tick)) }],
      series: [{}, ...lines.map((line, at) => ({
        stroke: colour(hue(line.hue ?? at)), dash: dash(line.hue ?? at), width: 1.5, spanGaps: true,
        points: { show: line.values.length < 2 },
      }))],
      cursor: { drag: { x: true, y: false }, points: { size: 5 } },
      hooks: { setCursor: [plot => list(plot.cursor.left < 0 ? null : plot.cursor.idx)] },
    };
  }

  function swatch(at) {
    const line = svg('svg', { class: 'swatch', viewBox: '0 0 22 8', 'aria-hidden': 'true' },
      svg('line', { x1: 0, y1: 4, x2: 22, y2: 4, 'stroke-dasharray': dash(at).join(' ') || null }));
    line.style.setProperty('stroke', `var(--${hue(at)})`);
    return line;
  }

  function spark(values) {
    const known = values.filter(isNumber);
    if (known.length < 2) return svg('svg', { class: 'spark', 'aria-hidden': 'true' });
    const low = Math.min(...known), high = Math.max(...known), height = high - low || 1;
    const points = known.map((value, at) => `${(at / (known.length - 1) * 60).toFixed(1)},${(15 - (value - low) / height * 14).toFixed(1)}`);
    return svg('svg', { class: 'spark', viewBox: '0 0 60 16', preserveAspectRatio: 'none', role: 'img',
      'aria-label': `${number(known[0])} to ${number(known.at(-1))}` }, svg('polyline', { points: points.join(' ') }));
  }

  // scales of our own canvases

  /** A scale for values: of numbers linear, or logarithmic where they span two powers of ten; of texts places. */
  function scale(values, forced = false) {
    const numbers = values.filter(isNumber);
    if (numbers.length && numbers.length * 2 >= values.filter(value => value !== null).length) {
      let low = Infinity, high = -Infinity;
      for (const value of numbers) { if (value < low) low = value; if (value > high) high = value; }
      const isLog = low > 0 && high / low >= 99.9 && !forced;
      const bend = isLog ? Math.log10 : value => value, back = isLog ? value => 10 ** value : value => value;
      const from = bend(low), length = bend(high) - from;
      return { isLog, low, high, at: value => !isNumber(value) ? null : length ? (bend(value) - from) / length : .5,
        value: part => back(from + part * length), ticks: ticksOf(low, high, isLog) };
    }
    const texts = [...new Set(values.filter(value => value !== null).map(gitrun.text.value))].sort();
    const places = new Map(texts.map((text, at) => [text, texts.length > 1 ? at / (texts.length - 1) : .5]));
    return { texts, at: value => places.get(gitrun.text.value(value)) ?? null, value: part => texts[Math.round(part * (texts.length - 1))],
      ticks: texts.slice(0, 12).map(text => [places.get(text), text]) };
  }

  function ticksOf(low, high, isLog) {
    if (low === high) return [[.5, brief(low)]];
    if (isLog) {
      const first = Math.log10(low), last = Math.log10(high), ticks = [];
      for (let power = Math.ceil(first); power <= last; power++) ticks.push([(power - first) / (last - first), number(10 ** power)]);
      return ticks.length > 1 ? ticks : [[0, brief(low)], [1, brief(high)]];
    }
    const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough);
    const ticks = [];
    for (let tick = Math.ceil(low / step); tick * step <= high + step / 1e6; tick++) ticks.push([(tick * step - low) / (high - low), number(Number((tick * step).toPrecision(12)))]);
    return ticks;
  }

  /** A canvas that fills the width of its node; draw(context, width, height) is called once a frame at most. */
  function canvas(height, draw, signal) {
    const node = element('canvas', { role: 'img' }), context = node.getContext('2d');
    const box = element('div', { class: 'picture' }, node);
    let frame = 0;
    function paint() {
      frame = 0;
      const width = box.clientWidth, ratio = devicePixelRatio || 1;
      if (!width) return;
      node.width = width * ratio;
      node.height = height * ratio;
      node.style.setProperty('height', `${height}px`);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.font = font();
      draw(context, width, height);
    }
    const request = () => { frame ||= requestAnimationFrame(paint); };
    keepDrawn(box, request, signal);
    return { box, node, request };
  }

  function write(context, text, x, y, align = 'left', name = 'soft') {
    context.fillStyle = colour(name);
    context.textAlign = align;
    context.fillText(gitrun.text.safe(text), x, y);
  }

  /** Writes over lines, with the colour of the ground around it. */
  function label(context, text, x, y) {
    context.strokeStyle = colour('back');
    context.lineWidth = 3;
    context.textAlign = 'center';
    context.strokeText(gitrun.text.safe(text), x, y);
    context.lineWidth = 1;
    write(context, text, x, y, 'center');
  }

  function line(context, x1, y1, x2, y2) {
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }

  const shorten = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

  // parallel coordinates

  function coordinates(signal, brush) {
    const top = 34, bottom = 20, height = 210;
    let shown = null, scales = [], drag = null;
    const picture = canvas(height, paint, signal);
    const x = (at, width) => shown.axes.length > 1 ? 28 + at * (width - 56) / (shown.axes.length - 1) : width / 2;
    const y = part => height - bottom - part * (height - top - bottom);

    function trace(context, width, slot) {
      let isOpen = false;
      context.beginPath();
      shown.axes.forEach((axis, at) => {
        const part = scales[at].at(axis.read(slot));
        // a run without the value has a gap there
        if (part === null) isOpen = false;
        else if (isOpen) context.lineTo(x(at, width), y(part));
        else { context.moveTo(x(at, width), y(part)); isOpen = true; }
      });
      context.stroke();
    }

    function paint(context, width) {
      if (!shown) return;
      const stride = Math.max(1, Math.ceil(shown.slots.length / MOST_LINES));
      const isFew = shown.slots.length < 300;
      context.strokeStyle = colour('soft');
      context.lineWidth = 1;
      context.globalAlpha = isFew ? .35 : Math.max(.04, 40 / Math.min(shown.slots.length, MOST_LINES));
      for (let at = 0; at < shown.slots.length; at += stride) trace(context, width, shown.slots[at]);
      context.globalAlpha = 1;
      context.lineWidth = 2;
      for (const [slot, place] of shown.marked) {
        context.strokeStyle = colour(hue(place));
        context.setLineDash(dash(place));
        trace(context, width, slot);
      }
      context.setLineDash([]);
      context.lineWidth = 1;
      shown.axes.forEach((axis, at) => drawAxis(context, width, axis, at));
    }

    function drawAxis(context, width, axis, at) {
      const place = x(at, width), isLast = at === shown.axes.length - 1 && at > 0;
      const room = Math.floor((width - 40) / shown.axes.length / 6.2);
      context.strokeStyle = colour('soft');
      line(context, place, y(0), place, y(1));
      write(context, shorten(axis.name, room), place, 11, 'center', 'text');
      for (const [part, text] of ends(scales[at])) label(context, shorten(text, 8), place, y(part) + (part > .5 ? -4 : part < .5 ? 12 : 4));
      if (drag?.at === at) {
        context.fillStyle = colour('draw');
        context.globalAlpha = .25;
        context.fillRect(place - 8, Math.min(drag.from, drag.to), 16, Math.abs(drag.to - drag.from));
        context.globalAlpha = 1;
      }
    }

    const ends = given => given.texts ? given.ticks : [[0, brief(given.low)], [1, brief(given.high)]];
    const part = event => Math.min(1, Math.max(0, (height - bottom - event.offsetY) / (height - top - bottom)));

    picture.node.addEventListener('pointerdown', event => {
      if (!shown?.axes.length) return;
      const width = picture.box.clientWidth;
      const at = shown.axes.map((_, index) => index).sort((a, b) => Math.abs(x(a, width) - event.offsetX) - Math.abs(x(b, width) - event.offsetX))[0];
      if (Math.abs(x(at, width) - event.offsetX) > 24) return;
      drag = { at, from: event.offsetY, to: event.offsetY, first: part(event), last: part(event) };
      picture.node.setPointerCapture(event.pointerId);
    }, { signal });
    picture.node.addEventListener('pointermove', event => {
      if (!drag) return;
      Object.assign(drag, { to: event.offsetY, last: part(event) });
      picture.request();
    }, { signal });
    picture.node.addEventListener('pointerup', () => {
      const done = drag;
      drag = null;
      picture.request();
      if (!done || Math.abs(done.to - done.from) < 4) return;
      const [low, high] = [Math.min(done.first, done.last), Math.max(done.first, done.last)];
      const own = scales[done.at];
      if (own.texts) brush(shown.axes[done.at].name, null, null, own.texts.filter(text => own.at(text) >= low - 1e-9 && own.at(text) <= high + 1e-9));
      else brush(shown.axes[done.at].name, own.value(low), own.value(high));
    }, { signal });

    function show(given) {
      shown = given;
      scales = given.axes.map(axis => scale(given.slots.map(axis.read)));
      picture.node.setAttribute('aria-label', `Parallel coordinates of ${gitrun.text.count(given.slots.length, 'run')}: ${given.axes.map(axis => axis.name).join(', ')}`);
      picture.request();
    }
    return { node: picture.box, show };
  }

  // scatter

  function scatter(signal, pick) {
    const height = 220;
    let shown = null, scales = null, points = [], drawing = 0;
    const picture = canvas(height, paint, signal);
    const tip = element('p', { class: 'soft tip' });
    const readX = slot => shown.x ? shown.x.read(slot) : shown.positions.get(slot);
    const place = (width, slot, axis = shown.y) => {
      const x = scales.x.at(readX(slot)), y = scales.y.at(axis.read(slot));
      if (x === null || y === null) return null;
      return [PAD.left + 6 + x * (width - PAD.left - PAD.right - 12), height - PAD.bottom - 4 - y * (height - PAD.top - PAD.bottom - 8)];
    };

    function paint(context, width) {
      if (!shown) return;
      drawFrame(context, width);
      points = [];
      const turn = ++drawing, size = shown.slots.length > 2000 ? 2 : 5;
      const next = first => {
        if (turn !== drawing) return;
        context.fillStyle = colour('draw');
        context.globalAlpha = shown.slots.length > 2000 ? .3 : .55;
        for (const slot of shown.slots.slice(first, first + CHUNK)) {
          const at = place(width, slot);
          if (!at) continue;
          points.push([at[0], at[1], slot]);
          context.fillRect(at[0] - size / 2, at[1] - size / 2, size, size);
        }
        context.globalAlpha = 1;
        // 100,000 points take more than a frame
        if (first + CHUNK < shown.slots.length) requestAnimationFrame(() => next(first + CHUNK));
        else drawMarked(context, width);
      };
      next(0);
    }

    function drawFrame(context, width) {
      context.strokeStyle = colour('line');
      for (const [part, text] of scales.y.ticks) {
        const y = height - PAD.bottom - 4 - part * (height - PAD.top - PAD.bottom - 8);
        line(context, PAD.left, y, width - PAD.right, y);
        write(context, shorten(text, 8), PAD.left - 6, y + 4, 'right');
      }
      for (const [part, text] of scales.x.ticks) {
        const x = PAD.left + 6 + part * (width - PAD.left - PAD.right - 12);
        write(context, shorten(text, 12), x, height - 10, part > .95 ? 'right' : part < .05 ? 'left' : 'center');
      }
    }

    function drawMarked(context, width) {
      context.strokeStyle = colour('text');
      context.lineWidth = 1.5;
      const path = shown.line.map(slot => place(width, slot, shown.best)).filter(Boolean);
      context.beginPath();
      path.forEach(([x, y], at) => {
        if (at && !shown.x) context.lineTo(x, path[at - 1][1]);
        context[at ? 'lineTo' : 'moveTo'](x, y);
      });
      if (path.length && !shown.x) context.lineTo(width - PAD.right, path.at(-1)[1]);
      context.stroke();
      for (const [slot, at] of shown.marked) dot(context, place(width, slot), colour(hue(at)));
      if (shown.top !== null) {
        const at = place(width, shown.top, shown.best);
        if (at) { context.beginPath(); context.arc(at[0], at[1], 7, 0, 7); context.stroke(); }
      }
      context.lineWidth = 1;
    }

    function dot(context, at, name) {
      if (!at) return;
      context.fillStyle = name;
      context.beginPath();
      context.arc(at[0], at[1], 4.5, 0, 7);
      context.fill();
    }

    function near(event) {
      let least = 144, slot = null;
      for (const [x, y, own] of points) {
        const far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
        if (far < least) [least, slot] = [far, own];
      }
      return slot;
    }
    const tell = slot => fill(tip, slot === null ? shown.words : shown.describe(slot));
    picture.node.addEventListener('pointermove', event => { if (shown) tell(near(event)); }, { signal });
    picture.node.addEventListener('pointerleave', () => { if (shown) tell(null); }, { signal });
    picture.node.addEventListener('click', event => {
      const slot = near(event);
      if (slot !== null) pick(slot);
    }, { signal });

    function show(given) {
      shown = { best: given.y, ...given, positions: new Map(given.slots.map((slot, at) => [slot, given.slots.length - at])) };
      Object.assign(shown, findBest(shown, readX));
      scales = { x: scale(given.slots.map(readX)), y: scale(given.slots.map(given.y.read)) };
      const name = given.x ? given.x.name : 'the order of the runs';
      const tellBest = slot => given.best ? `${given.best.name} ${number(given.best.read(slot))}` : given.describe(slot);
      shown.words = shown.top === null ? '' : `best: ${tellBest(shown.top)}`;
      picture.node.setAttribute('aria-label', `Scatter of ${given.y.name} over ${name}, ${gitrun.text.count(given.slots.length, 'run')}. ${shown.words}`);
      tell(null);
      picture.request();
    }
    return { node: element('div', {}, picture.box, tip), show };
  }

  /** Finds the best run, and a line of best runs: so far, in the order of the runs; or for each of few values of x. */
  function findBest({ x, best: { read }, slots, isLeast }, readX) {
    const better = (a, b) => isLeast ? a < b : a > b;
    const sorted = slots.filter(slot => isNumber(read(slot)));
    if (!x) sorted.reverse();
    let top = null;
    const line = [], each = new Map();
    for (const slot of sorted) {
      const value = read(slot);
      if (top === null || better(value, read(top))) { top = slot; line.push(slot); }
      if (!x || each.size > 12) continue;
      const key = gitrun.text.value(readX(slot));
      if (!each.has(key) || better(value, read(each.get(key)))) each.set(key, slot);
    }
    if (!x) return { top, line };
    // with a run or two for each value, the line would only join the points
    const few = each.size > 12 || each.size * 2 > sorted.length ? [] : [...each.values()];
    return { top, line: few.sort((a, b) => readX(a) < readX(b) ? -1 : 1) };
  }

  return { curves, coordinates, scatter, hue, dash, spark, swatch };
})();
