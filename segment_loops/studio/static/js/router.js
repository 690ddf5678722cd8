/* The state of the page in its address: #/view/id?query. Back returns to the same rows at the same scroll position. */

import { withQuery } from "./api.js";

const DEFAULT = "mappings";

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/").map(decode);
  return { name: name || DEFAULT, id: rest.join("/"), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/* Return the address of a view; empty parts of the query are left out. */
export function href(name, id = "", query = {}) {
  const path = ["#", name, ...(id === "" ? [] : [encodeURIComponent(id)])].join("/");
  return withQuery(path, query);
}

let listener = () => {};

/* Go to an address. With `replace`, Back does not return to the current one. The scroll position stays. */
export function go(address, { replace = false } = {}) {
  const state = { y: window.scrollY };
  if (replace) history.replaceState(state, "", address);
  else {
    remember();
    history.pushState(state, "", address);
  }
  listener();
}

/* Return the current address with changes to its query. */
export function here(changes = {}) {
  const { name, id, query } = parse(location.hash);
  return href(name, id, { ...query, ...changes });
}

let restoring = false;
const remember = () => { if (!restoring) history.replaceState({ ...history.state, y: window.scrollY }, ""); };

export function start(onRoute) {
  listener = onRoute;
  history.scrollRestoration = "manual";
  let timer = null;
  addEventListener("scroll", () => {
    const address = location.hash;
    clearTimeout(timer);
    timer = setTimeout(() => { if (location.hash === address) remember(); }, 100);
  }, { passive: true });
  addEventListener("click", remember, { capture: true });
  addEventListener("hashchange", () => {
    restoring = true;
    onRoute();
  });
}

/* Scroll to where the reader was in this entry of the history; call it once the content is there. */
export function restoreScroll() {
  if (!restoring) return;
  window.scrollTo(0, history.state?.y ?? 0);
  restoring = false;
}
