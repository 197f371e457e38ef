/* gitrun.text: values as text for people, the same as in the terminal (gitrun/model/text.py).
 *
 *   safe(text)         on one line, with everything escaped that reorders text or is invisible
 *   safeLines(text)    the same, but keeps line ends and tabs
 *   number(value)      a metric's value: 1234567, 0.333333
 *   exact(value)       in full: 0.33333333333333331, 1e-05
 *   value(value)       a flag's value as it is typed: 0.1, true, 'a b', [1, 2]; empty for null
 *   duration(seconds)  0.04s, 12.4s, 3m20s, 2h05m
 *   relative(ms, now)  3 hours ago; both in milliseconds since 1970
 *   age(ms, now)       the same in few characters: 20 min ago
 *   time(ms)           2026-11-29 14:02:31 in the reader's zone
 *   size(bytes)        12 kB, 1.5 MB
 *   whole(n)           1,234,567
 *   count(n, noun)     1 run, 3 runs
 *   quote(word)        a word for a POSIX shell
 */
'use strict';
window.gitrun = window.gitrun || {};
gitrun.text = (() => {
  const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{16fe4}\u{1d159}\u{e0000}-\u{e0fff}]/gu;
  const EMOJI = /^\p{So}$/u;
  const SHORT = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

  function escapeChar(char) {
    const code = char.codePointAt(0);
    if (SHORT[char]) return SHORT[char];
    if (code < 0x100) return '\\x' + code.toString(16).padStart(2, '0');
    return code < 0x10000 ? '\\u' + code.toString(16).padStart(4, '0') : '\\U' + code.toString(16).padStart(8, '0');
  }

  function safe(text) {
    const words = String(text);
    if (/^[ -~]*$/.test(words)) return words;
    return words.replace(UNSAFE, (char, at) => {
      // U+FE0F belongs to an emoji; after any other character it is invisible
      const before = char === '\ufe0f' ? [...words.slice(0, at)].pop() : '';
      return before && EMOJI.test(before) ? char : escapeChar(char);
    });
  }

  const safeLines = text => String(text).split(/(\r?\n|\t)/).map((part, at) => at % 2 ? part.replace('\r', '') : safe(part)).join('');

  /** Rounds to six digits as %g does. */
  function general(value) {
    // of two equally near numbers Python takes the even one, and JavaScript the larger one
    const isTie = /\.\d{4}[02468]50*e/.test(value.toExponential(30));
    const [digits, exponent] = isTie ? value.toExponential(30).replace(/(\.\d{5})\d*/, '$1').split('e') : value.toExponential(5).split('e');
    const power = Number(exponent);
    if (power < -4 || power >= 6) {
      return `${digits.replace(/\.?0+$/, '')}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
    }
    const fixed = Number(`${digits}e${power}`).toFixed(5 - power);
    return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
  }

  function number(value) {
    if (value === null || value === undefined) return '-';
    if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 53) return value.toFixed(0);
    return general(value);
  }

  /** Whether a text, typed without quotes, means itself and not a number, a bool or a list. */
  function isPlain(text) {
    return /^[^\s,'"[\]][^\s,'"]*$/u.test(text) && !/^(null|true|false|yes|no|on|off)$/i.test(text)
      && !/^([-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[-+]?\d+)?|[-+]?inf|nan)$/i.test(text);
  }

  function value(given) {
    if (given === null || given === undefined) return '';
    if (Array.isArray(given)) return `[${given.map(value).join(', ')}]`;
    if (typeof given === 'number') return exact(given);
    if (typeof given !== 'string' || isPlain(given)) return String(given);
    return `'${given.replaceAll("'", "''")}'`;
  }

  /** Writes a number in full, with exponents as Python does: 1e-05. */
  function exact(given) {
    if (!Number.isFinite(given)) return number(given);
    const size = Math.abs(given);
    if (given === 0 || (size >= 1e-4 && size < 1e16)) return String(given);
    const [digits, power] = given.toExponential().split('e');
    return `${digits}e${power[0]}${power.slice(1).padStart(2, '0')}`;
  }

  function duration(seconds) {
    if (seconds === null || seconds === undefined) return '';
    if (seconds < 9.995) return `${seconds.toFixed(2)}s`;
    if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
    const total = Math.round(seconds), minutes = Math.floor(total / 60);
    if (minutes < 60) return `${minutes}m${String(total % 60).padStart(2, '0')}s`;
    return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
  }

  const AGES = [['year', 365.25 * 86400], ['month', 30.4375 * 86400], ['week', 604800], ['day', 86400], ['hour', 3600],
    ['minute', 60], ['second', 1]];

  function relative(moment, now = Date.now()) {
    const passed = (now - moment) / 1000;
    // as git does: a unit is used from two of it on
    const age = AGES.find(([, length]) => Math.abs(passed) >= 2 * length);
    if (!age) return 'just now';
    const amount = count(Math.floor(Math.abs(passed) / age[1]), age[0]);
    return passed > 0 ? `${amount} ago` : `in ${amount}`;
  }

  const BRIEF = { second: 's', minute: 'min', hour: 'h' };
  const age = (moment, now) => relative(moment, now).replace(/(second|minute|hour)s?/, unit => BRIEF[unit.replace(/s$/, '')]);

  function time(moment) {
    const at = new Date(moment), two = part => String(part).padStart(2, '0');
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `
      + [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  }

  function size(bytes) {
    for (const unit of ['B', 'kB', 'MB', 'GB']) {
      if (bytes < 1000) return `${bytes.toFixed(unit === 'B' || bytes >= 10 ? 0 : 1)} ${unit}`;
      bytes /= 1000;
    }
    return `${bytes.toFixed(1)} TB`;
  }

  // toLocaleString takes a hundred times as long
  const whole = amount => String(amount).replace(/\B(?=(\d{3})+$)/g, ',');
  const count = (amount, noun) => `${whole(amount)} ${noun}${amount === 1 ? '' : 's'}`;
  const quote = word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;

  return { safe, safeLines, number, exact, value, duration, relative, age, time, size, whole, count, quote };
})();
