/* The one script that a site of one file has as it is: it unpacks the others, which are listed in the content policy too, and
 * runs them in their order. */
'use strict';
window.gitrun = {
  /** Returns the text that was compressed with gzip and encoded in base64. */
  async unpack(text) {
    const bytes = Uint8Array.from(atob(text), char => char.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
  },
};
addEventListener('DOMContentLoaded', async () => {
  try {
    const code = await gitrun.unpack(document.querySelector('script[data-pack="code"]').textContent);
    // the licence of the charts, the number of styles, then styles and scripts
    const [, styles, ...texts] = code.split('\0');
    texts.forEach((text, at) => {
      document.head.append(Object.assign(document.createElement(at < Number(styles) ? 'style' : 'script'), { textContent: text }));
    });
    document.dispatchEvent(new Event('DOMContentLoaded'));
  } catch (error) {
    document.getElementById('main').textContent = `This browser cannot show the page: ${error.message}`;
  }
}, { once: true });
