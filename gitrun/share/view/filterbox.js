/* gitrun.filterbox: the field for a filter, with the names that complete what is typed, and the fault of what cannot be read.
 *
 *   create({ names(), texts(name), change(text, isNew) })   names() lists the names of properties, flags and metrics,
 *       texts(name) a few texts that the runs have there; change is called with each expression; isNew tells the first of many
 *       that come while the user types, so that Back goes to what was before
 *   box.node, box.input;  box.set(text)   shows an expression, unless the user is typing;  box.fail(error)
 */
'use strict';
gitrun.filterbox = (() => {
  const { element, fill } = gitrun.dom;
  const MOST = 12, WORD = /[^\s()<>=!'"[\],]*$/;
  const OPERATORS = ['=', '!=', '<', '<=', '>', '>=', 'in', 'contains'];

  /** What may stand at the end of the text: { word, options }. */
  function complete(text, names, texts) {
    const word = WORD.exec(text)[0], before = text.slice(0, text.length - word.length);
    const value = /([^\s()<>=!'"[\],]+)\s*(?:==?|!=)\s*$/.exec(before);
    const isName = /(^|[(]|\s(?:and|or|not))\s*$|^not\s+$/.test(before);
    const all = value ? texts(value[1]) : isName ? names() : /\s$/.test(before) ? wordsAfter(before) : [];
    const small = word.toLowerCase();
    const options = all.filter(option => option.toLowerCase().includes(small) && option !== word);
    options.sort((a, b) => b.toLowerCase().startsWith(small) - a.toLowerCase().startsWith(small));
    return { word, options: options.slice(0, MOST) };
  }

  const wordsAfter = before => /[<>=]\s*[^\s]+\s+$|contains\s+\S+\s+$|[\])]\s+$/.test(before) ? ['and', 'or'] : OPERATORS;

  function create({ names, texts, change }) {
    const list = element('ul', { role: 'listbox', id: 'completions', class: 'completions', 'aria-label': 'Completions', hidden: true });
    const fault = element('p', { class: 'fault', id: 'filter-fault', role: 'status', hidden: true });
    const input = element('input', {
      type: 'search', id: 'filter', role: 'combobox', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
      placeholder: "lr<0.1 and status=completed", 'aria-label': 'Filter, as in git run list --where', 'aria-expanded': 'false', 'aria-controls': 'completions',
      'aria-autocomplete': 'list', 'aria-describedby': 'filter-fault', input: typed, keydown: pressed, blur: () => { offer(false); isNew = true; },
    });
    let chosen = -1, options = [], word = '', timer = 0, isNew = true;

    function typed() {
      offer(true);
      clearTimeout(timer);
      timer = setTimeout(send, 80);
    }

    function send() {
      clearTimeout(timer);
      change(input.value.trim(), isNew);
      isNew = false;
    }

    function finish() {
      send();
      isNew = true;
    }

    function offer(isOpen) {
      ({ word, options } = isOpen ? complete(input.value.slice(0, input.selectionStart), names, texts) : { word: '', options: [] });
      chosen = -1;
      list.hidden = !options.length;
      input.setAttribute('aria-expanded', !list.hidden);
      fill(list, options.map((option, at) => element('li', {
        role: 'option', id: `completion-${at}`, mousedown: event => { event.preventDefault(); accept(at); },
      }, option)));
      mark();
    }

    function mark() {
      [...list.children].forEach((item, at) => item.setAttribute('aria-selected', at === chosen));
      if (chosen < 0) input.removeAttribute('aria-activedescendant');
      else input.setAttribute('aria-activedescendant', `completion-${chosen}`);
    }

    function accept(at) {
      const end = input.selectionStart, start = end - word.length;
      input.setRangeText(options[at], start, end, 'end');
      typed();
    }

    function pressed(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && options.length) {
        chosen = (chosen + step + options.length + (chosen < 0 && step < 0 ? 1 : 0)) % options.length;
        mark();
      } else if ((event.key === 'Tab' || event.key === 'Enter') && options.length && (chosen >= 0 || (event.key === 'Tab' && word))) accept(Math.max(0, chosen));
      else if (event.key === 'Enter') { offer(false); finish(); }
      else if (event.key === 'Escape') { if (list.hidden) node.dispatchEvent(new CustomEvent('leave')); else offer(false); }
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    function fail(error) {
      fault.hidden = !error;
      input.toggleAttribute('aria-invalid', Boolean(error));
      fill(fault, error && [error.message, error.at < input.value.trim().length && [' at ', element('code', {}, input.value.trim().slice(error.at, error.at + 20))], '. ', error.hint]);
    }

    const node = element('div', { class: 'filterbox' }, input, list, fault);
    const set = text => { if (document.activeElement !== input || !text) input.value = text; };
    return { node, input, set, fail };
  }

  return { create };
})();
