/* The kinds of sources that a row can have. */

export const KINDS = [
  ["none", "Not mapped"],
  ["path", "Event field"],
  ["template", "Template"],
  ["literal", "Fixed value"],
  ["if-exists", "If exists"],
  ["case", "Change case"],
  ["object", "Named rows"],
  ["json", "JSON"],
];

export const OPERAND_KINDS = new Set(["none", "path", "template", "literal", "json"]);

/* Return a source of another kind that keeps as much of the previous one as it can. `json` is the definition in JSON. */
export function fresh(kind, former, { type = "text", json = null } = {}) {
  const path = { kind: "path", path: pathOf(former) };
  switch (kind) {
    case "path": return path;
    case "template": return { kind, template: path.path ? `{{${path.path.replace(/^\$\.?/, "")}}}` : "" };
    case "literal": return type === "boolean" ? { kind, type, text: "true" } : { kind, type: "text", text: "" };
    case "if-exists": return { kind, exists: path, then: { ...path }, otherwise: { kind: "none" } };
    case "case": return { kind, operator: "lower", value: path };
    case "object": return { kind, rows: [] };
    case "json": return { kind, text: json ?? "null" };
    default: return { kind: "none" };
  }
}

function pathOf(source) {
  if (source.kind === "path") return source.path;
  if (source.kind === "if-exists") return pathOf(source.exists);
  return source.kind === "case" ? pathOf(source.value) : "";
}
