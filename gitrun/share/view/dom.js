/* gitrun.dom: the one way to make elements. Nothing here parses HTML, so text of a run stays text.
 *
 *   element(name, attributes, ...children)
 *       attributes: texts; true is an empty attribute, null and false leave it out; a function listens to the event of
 *       that name ({click: open}); `style` is an object of CSS properties, because the CSP forbids the attribute;
 *       `data` is an object of data-* attributes. Children: nodes, lists of them, and texts, which pass gitrun.text.safe.
 *   svg(name, attributes, ...children)   the same for SVG
 *   lines(text)            a text node that keeps line ends and tabs, for the inside of <pre>
 *   fill(node, ...children)              replaces the children of a node
 *   link(address, attributes, ...children)   an <a> inside these pages, see gitrun.router.href
 *   command(words)         a command of the shell with a button that copies it
 *   copyButton(words, label)
 *   announce(text)         tells a screen reader
 *   fault(error)           a message for a failed request
 */
'use strict';
gitrun.dom = (() => {
  const SVG = 'http://www.w3.org/2000/svg';

  function setAttribute(node, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (name === 'style') for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    else if (name === 'data') for (const [key, text] of Object.entries(value)) setAttribute(node, `data-${key}`, text);
    // an address of a page or file of ours, never javascript:
    else if ((name === 'href' || name === 'src') && !/^(\/|#|blob:|[\w.%-]+(\/|$))/.test(value)) throw new Error(`address ${value}`);
    else node.setAttribute(name, value === true ? '' : gitrun.text.safeLines(value));
  }

  function append(node, children) {
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : gitrun.text.safe(child));
    }
    return node;
  }

  function complete(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
    return append(node, children);
  }

  const element = (name, attributes, ...children) => complete(document.createElement(name), attributes, children);
  const svg = (name, attributes, ...children) => complete(document.createElementNS(SVG, name), attributes, children);
  const lines = text => document.createTextNode(gitrun.text.safeLines(text));
  const link = (address, attributes, ...children) =>
    element('a', { href: gitrun.router.href(address), ...attributes }, ...children);

  function fill(node, ...children) {
    node.replaceChildren();
    return append(node, children);
  }

  function announce(text) {
    document.getElementById('announcement').textContent = gitrun.text.safe(text);
  }

  function copyButton(words, label = 'Copy') {
    const button = element('button', { type: 'button', class: 'copy', 'aria-label': `${label}: ${words}` }, label);
    button.addEventListener('click', async () => {
      await writeClipboard(words, button);
      button.textContent = 'Copied';
      announce('Copied');
      setTimeout(() => { button.textContent = label; }, 1500);
    });
    return button;
  }

  async function writeClipboard(words, button) {
    if (navigator.clipboard) return navigator.clipboard.writeText(words);
    // a site over http has no clipboard: a field whose text is selected serves
    const field = element('textarea', { class: 'unseen' });
    field.value = words;
    button.after(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }

  const command = words => element('p', { class: 'command' },
    element('code', {}, words), copyButton(words));

  const fault = error => element('p', { class: 'fault', role: 'alert' }, error.message,
    error.hint && [' ', element('code', {}, error.hint)]);

  return { element, svg, lines, fill, link, announce, command, copyButton, fault };
})();
