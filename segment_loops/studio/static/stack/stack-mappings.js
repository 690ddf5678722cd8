/* Mappings: those that the functions run with, and the changes that the file would make. */

import { h } from "/studio/js/dom.js";
import { block, header, message } from "/studio/js/parts.js";
import { pretty } from "/studio/js/format.js";
import { fill, shown, slot } from "./page.js";

const mappings = slot();

export const mappingsView = {
  title: "Mappings",
  depends: () => "",
  enter() { fill(mappings, "GET", "/mappings"); },
  render() {
    return [
      header("Mappings", "Read from the layer of the deployed functions.", h("button", { type: "button", disabled: mappings.busy, onclick: mappingsView.enter }, "Read again")),
      shown(mappings, (answer) => [
        answer.difference.length === 0 ? message("good", h("p", {}, `The deployed mappings and ${answer.file} are the same.`)) : [
          message("wait", h("p", {}, `${answer.file} differs from the deployed mappings. A deployment would make the changes below.`)),
          h("pre", { class: "diff", tabindex: 0, role: "region", "aria-label": "Difference" }, answer.difference.map(line)),
        ],
        h("section", {}, block("Deployed mappings", laidOut(answer.deployed), { open: answer.difference.length === 0 })),
      ]),
    ];
  },
};

const line = (words) => h("span", { class: words.startsWith("+") ? "added" : words.startsWith("-") ? "removed" : "" }, words || " ");

function laidOut(words) {
  try {
    return pretty(JSON.parse(words));
  } catch {
    return words;
  }
}
