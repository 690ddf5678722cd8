/* Tabs; the chosen one is remembered in this browser. */

import { byId, h } from "../dom.js";
import { redraw } from "../screen.js";

/* Return { chosen, choose, list } of tabs. `choices` are [value, label]; the panel of a tab has the id `${name}-panel`. */
export function tabs(name, label, choices) {
  const key = `studio.${name}`;
  const stored = localStorage.getItem(key);
  const chosen = choices.some(([value]) => value === stored) ? stored : choices[0][0];
  const choose = (value) => {
    localStorage.setItem(key, value);
    redraw();
  };
  const press = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = choices.findIndex(([value]) => value === chosen);
    const [value] = choices[(at + step + choices.length) % choices.length];
    choose(value);
    byId(`${name}-tab-${value}`)?.focus();
  };
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label }, choices.map(([value, words]) => h("button", {
    type: "button", role: "tab", id: `${name}-tab-${value}`, "aria-selected": String(value === chosen), "aria-controls": `${name}-panel`,
    tabindex: value === chosen ? 0 : -1, onclick: () => choose(value), onkeydown: press,
  }, words)));
  return { chosen, choose, list, panel: { id: `${name}-panel`, role: "tabpanel", "aria-labelledby": `${name}-tab-${chosen}` } };
}
