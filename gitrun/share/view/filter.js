/* gitrun.filter: the expressions of `git run list --where`, with the same answers. The twin of gitrun/model/filters.py and
 * of parse_value in gitrun/model/values.py; a test asks both the same questions.
 *
 *   parse(text)    { names, comparisons, test(reader) } or throws a FilterError with `message`, `hint` and `at`, the offset of the fault.
 *                  `reader(name)` returns a function of a row; test returns a function of a row that tells whether it matches.
 *   quote(value)   a value as it is written in an expression
 * Values of rows: null, booleans, numbers and BigInts, texts, lists of these, and for the times in TIMES microseconds
 * since 1970 in UTC. null matches nothing, not even !=.
 */
'use strict';
gitrun.filter = (() => {
  const TEXTS = new Set(['id', 'operation', 'op', 'status', 'label', 'tag', 'tags', 'branch', 'base', 'batch']);
  const TIMES = new Set(['started', 'stopped']);
  // Python's \s: JavaScript's has no separators of files and records, but a byte order mark
  const BLANK = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
  const NOT_BLANK = BLANK.slice(1, -1);
  const QUOTES = `'(?:[^']|'')*'|"(?:[^"\\\\]|\\\\[^\\n])*"`;
  // <= stands before <, because the first alternative that matches wins
  const TOKEN = new RegExp(`${BLANK}*(?:(?<sign><=|>=|!=|==|=|<|>)|(?<bracket>[()])|(?<value>\\[[^\\]]*\\](?:\\*\\d+)?|${QUOTES})`
    + `|(?<word>[^${NOT_BLANK}()<>=!'"\\[\\],]+))`, 'yu');
  const ITEM = new RegExp(`${BLANK}*(${QUOTES}|[^,\\[\\]]+)`, 'gu');
  const TIME = /^\d{4}(-[-+.:T0-9 ]*)?Z?$/;
  const ISO = /^(\d{4})-?(\d\d)-?(\d\d)(?:[^](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?(?:([-+])(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.\d+)?)?)?)?)?$/;
  const INT = /^[-+]?(?:0|[1-9][0-9]*)$/;
  const FLOAT = /^(?:[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf|nan)$/;
  const QUOTED = /'(?:[^']|'')*'|"(?:[^"\\]|\\[^])*"/y;
  const BARE = /[^,\]]+/y;
  const LIST_START = new RegExp(`\\[${BLANK}*`, 'y');
  const COMMA = new RegExp(`${BLANK}*,${BLANK}*`, 'y');
  const LIST_END = new RegExp(`${BLANK}*\\](?:\\*([0-9]{1,5})(?![0-9]))?`, 'y');
  const WORDS = { true: true, yes: true, on: true, false: false, no: false, off: false };
  const LONGEST_INT = 640, DEEPEST_LIST = 32, LONGEST_REPEAT = 10_000, MAX_DEPTH = 100;
  const EXAMPLE = 'For example: lr<0.1 and status=completed';
  const DATES = 'Write 2026-11-01 or 2026-11-01T12:00:00Z';

  class FilterError extends Error {
    constructor(words, at, hint = EXAMPLE) {
      super(`cannot read the filter: ${words}`);
      Object.assign(this, { name: 'FilterError', at, hint });
    }
  }

  // values as flags are typed

  const matchAt = (pattern, text, at) => { pattern.lastIndex = at; return pattern.exec(text); };
  const strip = text => text.replace(new RegExp(`^${BLANK}+|${BLANK}+$`, 'g'), '');

  function readInt(text) {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value + 0 : BigInt(text.replace('+', ''));
  }

  function readPlain(text) {
    if (text === 'null') return null;
    if (Object.hasOwn(WORDS, text.toLowerCase())) return WORDS[text.toLowerCase()];
    if (INT.test(text)) return text.replace(/^[-+]/, '').length <= LONGEST_INT ? readInt(text) : text;
    return FLOAT.test(text) ? Number(text.replace('inf', 'Infinity')) : text;
  }

  function unquote(quoted) {
    if (quoted[0] === "'") return quoted.slice(1, -1).replaceAll("''", "'");
    // line ends and tabs count as they are, which JSON.parse refuses
    const text = JSON.parse(quoted.replace(/[\0-\x1f]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`));
    if (/\p{Cs}/u.test(text)) throw new SyntaxError('half of a surrogate pair');
    return text;
  }

  /** Returns [value, end] of the list, quoted or plain item at `at`. Throws SyntaxError if there is none. */
  function readItem(text, at, depth) {
    const start = matchAt(LIST_START, text, at);
    if (start) return readList(text, LIST_START.lastIndex, depth);
    const isQuoted = text[at] === "'" || text[at] === '"';
    const match = matchAt(isQuoted ? QUOTED : BARE, text, at);
    if (!match) throw new SyntaxError('no item here, or its quote is open');
    const value = isQuoted ? unquote(match[0]) : readPlain(match[0].replace(new RegExp(`${BLANK}+$`), ''));
    if (value === null) throw new SyntaxError('a list cannot hold null');
    return [value, at + match[0].length];
  }

  function readList(text, at, depth) {
    if (depth > DEEPEST_LIST) throw new SyntaxError('a list nested this deep');
    const items = [];
    let end = matchAt(LIST_END, text, at);
    while (!end) {
      const [item, next] = readItem(text, at, depth + 1);
      items.push(item);
      end = matchAt(LIST_END, text, next);
      const comma = matchAt(COMMA, text, next);
      at = comma ? next + comma[0].length : next;
      if (!end && !comma) throw new SyntaxError('a list ends with ]');
    }
    const times = Number(end[1] ?? 1), size = list => list.reduce((sum, item) => sum + 1 + (Array.isArray(item) ? size(item) : 0), 0);
    if (times > 1 && size(items) * times > LONGEST_REPEAT) throw new SyntaxError('a list this long');
    return [Array.from({ length: times }, () => items).flat(), end.index + end[0].length];
  }

  function parseValue(text) {
    if (!/^[['"]/.test(text)) return readPlain(text);
    try {
      const [value, end] = readItem(text, 0, 1);
      return end === text.length ? value : text;
    } catch (error) {
      if (error instanceof SyntaxError) return text;
      throw error;
    }
  }

  function listEnd(text, start) {
    try {
      return text[start] === '[' ? readItem(text, start, 1)[1] : -1;
    } catch (error) {
      if (error instanceof SyntaxError) return -1;
      throw error;
    }
  }

  /** Returns words as typed, even if they look like numbers: a label 1.10 is not 1.1. */
  function parseAsText(text) {
    if (text[0] === '[') {
      return [...text.slice(1, text.lastIndexOf(']')).matchAll(ITEM)].map(match => parseAsText(strip(match[1])));
    }
    return /^['"]/.test(text) ? pythonText(parseValue(text)) : text;
  }

  /** Returns what Python's str() gives; `source` is what was typed, which tells 1.0 from 1. */
  function pythonText(value, source = '') {
    if (value === null) return 'None';
    if (typeof value === 'boolean') return value ? 'True' : 'False';
    if (Array.isArray(value)) return `[${value.map(item => typeof item === 'string' ? `'${item}'` : pythonText(item)).join(', ')}]`;
    if (typeof value !== 'number') return String(value);
    const text = gitrun.text.exact(value);
    return Number.isInteger(value) && source && !INT.test(source) && !text.includes('e') ? `${text}.0` : text;
  }

  /** Returns an ISO time in microseconds since 1970, in UTC if it names no zone; null if it is none. */
  function parseTime(text) {
    const match = ISO.exec(text.replaceAll('Z', '+00:00'));
    if (!match) return null;
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map(part => Number(part ?? 0));
    const fraction = Number((match[7] ?? '').slice(0, 6).padEnd(6, '0'));
    const moment = new Date(0);
    moment.setUTCFullYear(year, month - 1, day);
    const isDay = year > 0 && moment.getUTCMonth() === month - 1 && moment.getUTCDate() === day;
    const [zoneHour, zoneMinute, zoneSecond] = match.slice(9, 12).map(part => Number(part ?? 0));
    if (!isDay || hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59 || zoneSecond > 59) return null;
    const zone = (match[8] === '-' ? -1 : 1) * (zoneHour * 3600 + zoneMinute * 60 + zoneSecond);
    return (moment.getTime() / 1000 + hour * 3600 + minute * 60 + second - zone) * 1e6 + fraction;
  }

  /** Returns a time as Python's isoformat does: 2026-11-01T12:00:00.000000+00:00. */
  function formatTime(micros) {
    const whole = Math.floor(micros / 1e6);
    return `${new Date(whole * 1000).toISOString().slice(0, 19)}.${String(micros - whole * 1e6).padStart(6, '0')}+00:00`;
  }

  // tokens and grammar

  function splitTokens(text) {
    const tokens = [];
    let at = 0;
    while (strip(text.slice(at))) {
      const start = at + text.slice(at).search(new RegExp(`[^${NOT_BLANK}]`));
      // lists nest, which a regular expression cannot follow
      const end = listEnd(text, start);
      const match = end > start ? null : matchAt(TOKEN, text, at);
      if (end <= start && !match) throw new FilterError(`unexpected '${[...text.slice(start)][0]}'`, start);
      const sort = match ? ['sign', 'bracket', 'value', 'word'].find(name => match.groups[name] !== undefined) : 'value';
      tokens.push({ sort, text: match ? match.groups[sort] : text.slice(start, end), at: start });
      at = match ? TOKEN.lastIndex : end;
    }
    return [...tokens, { sort: 'end', text: '', at: text.length }];
  }

  class Parser {
    constructor(text) {
      this.tokens = splitTokens(text);
      this.at = 0;
      this.names = [];
      this.comparisons = [];
    }

    peek() { return this.tokens[this.at]; }

    consume() {
      const token = this.peek();
      if (token.sort !== 'end') this.at++;
      return token;
    }

    isWord(...words) { return this.peek().sort === 'word' && words.includes(this.peek().text); }

    expression(depth) {
      if (depth > MAX_DEPTH) throw new FilterError('it is nested too deeply', this.peek().at);
      const parts = [this.conjunction(depth)];
      while (this.isWord('or')) {
        this.consume();
        parts.push(this.conjunction(depth));
      }
      return join(parts, tests => row => tests.some(test => test(row)));
    }

    conjunction(depth) {
      const parts = [this.part(depth)];
      while (this.isWord('and')) {
        this.consume();
        parts.push(this.part(depth));
      }
      return join(parts, tests => row => tests.every(test => test(row)));
    }

    part(depth) {
      const token = this.peek();
      if (this.isWord('not')) {
        this.consume();
        const inner = depth < MAX_DEPTH ? this.part(depth + 1) : this.expression(depth + 1);
        return join([inner, inner], ([test]) => row => !test(row));
      }
      if (token.sort !== 'bracket' || token.text !== '(') return this.comparison();
      this.consume();
      const inside = this.expression(depth + 1);
      if (this.consume().text !== ')') throw new FilterError('this parenthesis is not closed', token.at);
      return inside;
    }

    comparison() {
      const name = this.consume();
      if (name.sort !== 'word') {
        throw new FilterError(`expected a name, ${name.text ? `not '${name.text}'` : 'but it ends here'}`, name.at);
      }
      this.names.push(name.text);
      const operator = this.operator();
      if (!operator) return reader => { const read = reader(name.text); return row => isTrue(read(row)); };
      const value = this.consume();
      if (value.sort !== 'word' && value.sort !== 'value') throw new FilterError(`expected a value after '${operator}'`, value.at);
      const isTime = TIMES.has(name.text);
      const wanted = isTime || TEXTS.has(name.text) ? parseAsText(value.text) : parseValue(value.text);
      if (isTime) requireTimes(wanted, operator, value);
      this.comparisons.push({ name: name.text, wanted });
      return compare(name.text, operator, isTime ? [wanted].flat() : wanted, value.text);
    }

    operator() {
      if (this.peek().sort === 'sign') return this.consume().text.replace('==', '=');
      if (this.isWord('in', 'contains')) return this.consume().text;
      if (!this.isWord('not') || !['in', 'contains'].includes(this.tokens[this.at + 1].text)) return '';
      this.consume();
      return `not ${this.consume().text}`;
    }
  }

  const join = (parts, combine) => parts.length === 1 ? parts[0] : reader => combine(parts.map(part => part(reader)));

  function requireTimes(wanted, operator, value) {
    for (const one of [wanted].flat(Infinity)) {
      // equality takes the beginning of a date, 2026-11, but an order needs a whole one
      const isKnown = ['=', '!=', 'in', 'not in'].includes(operator) ? TIME.test(one) : parseTime(one) !== null;
      if (!isKnown) throw new FilterError(`'${one}' is not a date`, value.at, DATES);
    }
  }

  // comparisons

  // Python's truth: an empty list is false, nan is true
  const isTrue = value => Array.isArray(value) ? value.length > 0 : Boolean(value) || Number.isNaN(value);
  const isNumber = value => typeof value === 'number' || typeof value === 'bigint';

  function isSame(a, b) {
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => isSame(item, b[at]));
    // only numbers of two types, 1 and 1n, are equal across types
    if (isNumber(a) && isNumber(b)) return a == b || (Number.isNaN(a) && Number.isNaN(b)); // eslint-disable-line eqeqeq
    return a === b;
  }

  function isEqual(value, wanted) {
    if (Array.isArray(value) && !Array.isArray(wanted)) return value.some(item => isSame(item, wanted));
    return isSame(value, wanted);
  }

  /** Returns less than 0, 0 or more than 0; NaN if the values cannot be ordered. */
  function order(value, wanted) {
    if (isNumber(value) && isNumber(wanted)) return value < wanted ? -1 : value > wanted ? 1 : value == wanted ? 0 : NaN; // eslint-disable-line eqeqeq
    if (typeof value !== 'string' || typeof wanted !== 'string') return NaN;
    return compareTexts(value, wanted);
  }

  /** Orders texts by code points, as Python does; JavaScript's < orders by UTF-16 units. */
  function compareTexts(a, b) {
    if (a === b) return 0;
    const left = [...a], right = [...b];
    const at = left.findIndex((char, index) => char !== right[index]);
    if (at < 0) return -1;
    return at >= right.length ? 1 : left[at].codePointAt(0) - right[at].codePointAt(0);
  }

  function contains(value, wanted, source) {
    if (Array.isArray(value)) return value.some(item => isSame(item, wanted));
    return typeof value === 'string' && value.includes(pythonText(wanted, source));
  }

  const ORDERS = { '<': sign => sign < 0, '<=': sign => sign <= 0, '>': sign => sign > 0, '>=': sign => sign >= 0 };

  function comparison(operator, wanted, source) {
    switch (operator) {
      case '=': return value => isEqual(value, wanted);
      case '!=': return value => !isEqual(value, wanted);
      case 'in': return value => Array.isArray(wanted) && wanted.some(item => isEqual(value, item));
      case 'contains': return value => contains(value, wanted, source);
      default: return value => ORDERS[operator](order(value, wanted));
    }
  }

  function timeComparison(operator, texts, isList) {
    const isAt = (value, text) => {
      const words = text.replaceAll(' ', 'T');
      return formatTime(value).startsWith(words) || parseTime(words) === value;
    };
    switch (operator) {
      case '=': return value => !isList && isAt(value, texts[0]);
      case '!=': return value => isList || !isAt(value, texts[0]);
      case 'in': return value => isList && texts.some(text => isAt(value, text));
      case 'contains': return () => false;
      default: {
        const moment = isList ? null : parseTime(texts[0]);
        return value => moment !== null && ORDERS[operator](value - moment);
      }
    }
  }

  function compare(name, operator, wanted, source) {
    const isNegated = operator.startsWith('not ');
    const positive = operator.replace('not ', '');
    const test = TIMES.has(name) ? timeComparison(positive, wanted, source[0] === '[') : comparison(positive, wanted, source);
    return reader => {
      const read = reader(name);
      return row => {
        const value = read(row);
        // without a value nothing matches, not even a negated test
        return value !== null && value !== undefined && test(value) !== isNegated;
      };
    };
  }

  function parse(text) {
    const parser = new Parser(text);
    const test = parser.expression(0);
    // `lr<0.1 status=completed` lacks an `and`: the parser stops after the first comparison
    const rest = parser.peek();
    if (rest.sort !== 'end') throw new FilterError(`unexpected '${rest.text}'`, rest.at);
    return { names: parser.names, comparisons: parser.comparisons, test };
  }

  return { parse, quote: gitrun.text.value, TIMES };
})();
