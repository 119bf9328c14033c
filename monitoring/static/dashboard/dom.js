// Making and changing what is on the page. Text goes in as text alone: nothing here reads HTML.

const SVG = 'http://www.w3.org/2000/svg';

export const find = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Only where it differs: a screen reader would read it out again.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A path or an address, which is broken behind a slash rather than inside a word.
export function sayPath(node, text) {
  if (node.textContent === text) return;
  const parts = text.split(/(?<=[^/]\/)(?!\/)/);
  node.replaceChildren(...parts.flatMap((part, place) => (place ? [element('wbr'), part] : [part])));
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// A state is a word; its colour only repeats it.
export function mark(node, kind, text) {
  const name = `state ${kind}`;
  if (node.className !== name) node.className = name;
  say(node, text);
}

export const state = (kind, text) => element('span', { class: `state ${kind}` }, text);

// A cell that on a narrow screen, where rows are cards, bears the name of its column.
export function cell(label, attributes = {}, ...children) {
  return element('td', { role: 'cell', 'data-label': label, ...attributes }, ...children);
}

// Puts children in this order, and touches only those that stand elsewhere, so that none loses the focus.
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
}

const SHORT = 8;

// Ids begin with the time, so that their ends tell them apart.
export function taskLink(id) {
  const short = `…${id.slice(-SHORT)}`;
  return element('a', { href: `/history/${id}`, class: 'id', title: id, 'aria-label': `Task ${short}` }, short);
}
