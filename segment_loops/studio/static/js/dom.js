/* Elements, and updates that change only what differs. Data is always inserted as text, never as HTML. */

const PROPERTIES = new Set(["value", "checked", "indeterminate"]);

/* Make an element. Names that begin with "on" are handlers; children may be nested arrays, text, or nothing. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  const handlers = [];
  const properties = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) {
      element[key] = value ?? null;
      handlers.push(key);
    } else if (PROPERTIES.has(key)) properties.push([key, value]);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(element, children);
  for (const [key, value] of properties) element[key] = value; // a select takes its value once it has its options
  element.made = { handlers, properties: properties.map(([key]) => key) };
  return element;
}

export function append(element, children) {
  element.append(...nodes(children));
}

const nodes = (children) => [children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

/* Make the content of an element equal to new nodes. Elements with the same `data-key`, or of the same kind at the same
   place, are kept and updated, and with them the focus, the selection, the scroll position and opened details. */
export function patch(parent, children) {
  const wanted = nodes(children).map((child) => (child instanceof Node ? child : document.createTextNode(child)));
  const keys = new Set(wanted.map(keyOf).filter(Boolean));
  const known = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (!key) continue;
    if (keys.has(key)) known.set(key, child);
    else child.remove(); // before anything moves: an element that moves loses the focus
  }
  let place = parent.firstChild;
  for (const next of wanted) {
    const key = keyOf(next);
    const match = key ? known.get(key) : place && !keyOf(place) ? place : null;
    if (match && isSameKind(match, next)) {
      if (match === place) place = place.nextSibling;
      else parent.insertBefore(match, place);
      update(match, next);
    } else {
      parent.insertBefore(next, place);
      if (match && !key) { place = match.nextSibling; match.remove(); }
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);
const isSameKind = (old, next) => old.nodeType === next.nodeType && old.nodeName === next.nodeName && old.type === next.type;

function update(old, next) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !isReaders(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && !isReaders(old, name)) old.setAttribute(name, value);
  }
  for (const name of old.made?.handlers ?? []) old[name] = null;
  for (const name of next.made?.handlers ?? []) old[name] = next[name];
  if (old.nodeName !== "TEXTAREA") patch(old, [...next.childNodes]);
  for (const name of next.made?.properties ?? []) if (old[name] !== next[name]) old[name] = next[name];
  old.made = next.made;
}

/* True for an attribute that the reader changes: once they are shown, details are opened and closed by the reader alone. */
const isReaders = (element, name) => name === "open" && element.nodeName === "DETAILS";

export const byId = (id) => document.getElementById(id);
