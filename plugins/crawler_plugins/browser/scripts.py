"""The scripts that run in pages. They run in a world of their own, in which pages have replaced nothing."""

from __future__ import annotations

import json
from typing import Final

__all__ = ["COUNT", "IDLE", "SCROLL", "SNAPSHOT", "appears", "becomes_true", "focus", "place_of", "snapshot"]

IDLE: Final = "new Promise(done => requestIdleCallback(() => done(true), {timeout: 500}))"
"""Ends when the scripts that have arrived have run."""

COUNT: Final = "[document.documentElement.scrollHeight, document.getElementsByTagName('*').length]"
"""Changes when the page grows."""

SCROLL: Final = """\
(async () => {
  const end = () => document.documentElement.scrollHeight - innerHeight;
  for (let step = 0; step < 200 && scrollY < end(); step++) {
    scrollBy({top: innerHeight, behavior: 'instant'});
    await new Promise(done => setTimeout(done, 20));
  }
  scrollTo({top: end(), behavior: 'instant'});
})()"""
"""Scrolls to the end of the page, a screen at a time."""

SNAPSHOT: Final = """\
((limit, mark) => {
  const RAW = new Set(['SCRIPT', 'STYLE', 'XMP', 'IFRAME', 'NOEMBED', 'NOFRAMES', 'PLAINTEXT', 'NOSCRIPT']);
  const VOID = new Set(['AREA', 'BASE', 'BR', 'COL', 'EMBED', 'HR', 'IMG', 'INPUT', 'LINK', 'META', 'SOURCE', 'TRACK',
    'WBR']);
  const LINKS = new Set(['action', 'href', 'src']);
  const isTop = window === top;
  const windows = [...Array(frames.length).keys()].map(number => frames[number]);
  const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
  const quoted = text => '"' + text.replace(/&/g, '&amp;').replace(/"/g, '&quot;') + '"';
  const absolute = (node, name, value) => {
    if (isTop || !LINKS.has(name) || value.startsWith('#')) return value;
    try { return new URL(value, node.baseURI).href; } catch { return value; }
  };
  const children = node => {
    if (node.shadowRoot) return node.shadowRoot.childNodes;
    if (node.localName === 'slot' && node.getRootNode() instanceof ShadowRoot) {
      const assigned = node.assignedNodes({flatten: true});
      if (assigned.length) return assigned;
    }
    return node.childNodes;
  };
  const out = [];
  const write = node => {
    if (node.nodeType === 3) {
      out.push(node.parentNode && RAW.has(node.parentNode.nodeName) ? node.data : escaped(node.data));
    } else if (node.nodeType === 8) {
      out.push('<!--', node.data, '-->');
    } else if (node.nodeType === 1 && node.localName === 'template') {
      out.push(node.outerHTML);
    } else if (node.nodeType === 1) {
      const name = node.localName;
      out.push('<', name);
      for (const {name: field, value} of node.attributes) {
        out.push(' ', field, '=', quoted(absolute(node, field, value)));
      }
      out.push('>');
      if (VOID.has(node.nodeName)) return;
      for (const child of children(node)) write(child);
      out.push('</', name, '>');
      const number = node.contentWindow ? windows.indexOf(node.contentWindow) : -1;
      if (number >= 0) out.push(mark, number, mark);
    }
  };
  const root = document.documentElement;
  let html = '';
  try {
    if (!isTop) {
      for (const child of document.body ? children(document.body) : []) write(child);
      html = out.join('');
    } else if (windows.length || [...document.getElementsByTagName('*')].some(node => node.shadowRoot)) {
      write(root);
      html = out.join('');
    }
  } catch { html = ''; }
  if (isTop) {
    const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + '\\n' : '';
    html = doctype + (html || (root ? root.outerHTML : ''));
  }
  let number = -1;
  for (let at = 0; !isTop && at < parent.length; at++) if (parent[at] === window) number = at;
  return {url: document.URL, html: html.length > limit ? '' : html, size: html.length, number};
})"""
"""A function that returns the document as people see it: shadow trees stand where they are shown.

Its arguments are the largest size in characters, and a mark: ``MARK NUMBER MARK`` stands for the content of a frame.
"""


def appears(selector: str) -> str:
    """Return a script that ends when an element matches."""
    return (
        f"new Promise(done => {{ const look = () => document.querySelector({json.dumps(selector)})"
        " ? done(true) : setTimeout(look, 50); look(); })"
    )


def becomes_true(expression: str) -> str:
    """Return a script that ends when an expression is true. An exception counts as false."""
    return (
        f"new Promise(done => {{ const look = () => {{ let value = false; try {{ value = ({expression}); }} catch {{}}"
        " value ? done(true) : setTimeout(look, 50); }; look(); })"
    )


def place_of(selector: str) -> str:
    """Return a script that scrolls to an element and returns the middle of it, or clicks it if it is covered.

    Its value is `null` if there is no such element, or it is not shown.
    """
    return f"""\
(() => {{
  const found = document.querySelector({json.dumps(selector)});
  if (!found) return null;
  found.scrollIntoView({{block: 'center', behavior: 'instant'}});
  const box = found.getBoundingClientRect();
  if (!box.width || !box.height) return null;
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const top = document.elementFromPoint(x, y);
  if (top && found.contains(top)) return [x, y];
  found.click();
  return [];
}})()"""


def focus(selector: str) -> str:
    """Return a script that focuses a field and selects its text."""
    return f"""\
(() => {{
  const found = document.querySelector({json.dumps(selector)});
  found.focus();
  if (found.select) found.select();
}})()"""


def snapshot(limit: int, mark: str) -> str:
    """Return a script whose value is a document.

    Parameters:
        limit: Characters that it may have.
        mark: What surrounds the number of a frame.
    """
    return f"{SNAPSHOT}({limit}, {json.dumps(mark)})"
