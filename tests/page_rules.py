"""Rules that every page keeps: names and roles, contrast, width. Each returns what breaks the rule, so nothing is best."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMELESS = """() => {
    const texts = node => [node.getAttribute('aria-label'), node.getAttribute('title'), node.textContent, node.alt,
        ...[...(node.labels || [])].map(label => label.textContent)];
    const isSilent = node => node.closest('[hidden], [aria-hidden=true], .uplot');
    const isNameless = node => !isSilent(node) && !texts(node).some(text => text && text.trim());
    const NAMED = 'a, button, input, select, canvas, svg[role], [role=region], [role=img], [role=tab], [tabindex="0"]';
    const all = (selector, isWrong, words) => [...document.querySelectorAll(selector)].filter(isWrong)
        .map(node => `${words}: ${node.outerHTML.slice(0, 120)}`);
    const ids = [...document.querySelectorAll('[id]')].map(node => node.id);
    return [
        ...all(NAMED, isNameless, 'no name'),
        ...all('img', node => !node.alt, 'no alt'),
        ...all('th', node => !node.hasAttribute('scope'), 'no scope'),
        ...ids.filter((id, at) => ids.indexOf(id) !== at).map(id => `twice: #${id}`),
        ...(document.querySelectorAll('h1').length === 1 ? [] : ['not one h1']),
        ...(document.documentElement.lang ? [] : ['no language']),
    ];
}"""
FAINT = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const parse = text => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    // relative luminance, WCAG 2.2
    const linear = byte => byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
    const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    const ground = node => {
        for (; node; node = node.parentElement) {
            const colour = parse(getComputedStyle(node).backgroundColor);
            if (colour[3] > 0.99) return colour;
        }
        return parse(getComputedStyle(document.documentElement).backgroundColor);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = new Set();
    while (walker.nextNode()) {
        const text = walker.currentNode, node = text.parentElement;
        const isSeen = node.checkVisibility({ visibilityProperty: true }) && !node.closest('.unseen, title, noscript');
        if (!text.data.trim() || !isSeen) continue;
        const style = getComputedStyle(node), inSvg = node.ownerSVGElement;
        const rect = inSvg && node.parentElement.querySelector('rect');
        const back = rect ? parse(getComputedStyle(rect).fill) : ground(node);
        const [a, b] = [light(parse(inSvg ? style.fill : style.color)), light(back)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) faint.add(`${ratio.toFixed(2)}: ${text.data.trim().slice(0, 40)}`);
    }
    return [...faint];
}"""


def nameless(page: Page) -> list[str]:
    """Elements without a name that a screen reader could say, heads without scope, ids that occur twice."""
    return page.evaluate(NAMELESS)


def faint(page: Page) -> list[str]:
    """Texts with a contrast below 4.5:1."""
    return page.evaluate(FAINT)


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
