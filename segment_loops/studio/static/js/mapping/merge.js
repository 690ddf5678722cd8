/* The page's edits, carried over to a file that another program has changed meanwhile. */

const plain = ({ key, origin, ...rest }) => JSON.stringify(rest);

/* Return the drafts of the changed file with the page's edits, and the names of the subscriptions that both changed.

   `base` are the drafts as the page read them, `mine` those that it shows, `theirs` those of the changed file. An edited
   subscription stays as it was edited; all others are as they are in the file. */
export function merge(base, mine, theirs) {
  const before = new Map(base.map((each) => [each.id, each]));
  const edits = new Map(mine.filter((each) => each.id).map((each) => [each.id, each]));
  const isEdited = (id) => edits.has(id) && (!before.has(id) || plain(edits.get(id)) !== plain(before.get(id)));
  const merged = [];
  const both = [];
  for (const theirsOne of theirs) {
    const { id } = theirsOne;
    if (isEdited(id)) {
      merged.push({ ...edits.get(id), origin: theirsOne.origin });
      if (before.has(id) && plain(before.get(id)) !== plain(theirsOne)) both.push(edits.get(id).name || id);
    } else if (edits.has(id) || !before.has(id)) merged.push(theirsOne); // else the page has deleted it
  }
  const inFile = new Set(theirs.map((each) => each.id));
  const kept = mine.filter((each) => !each.id || (!inFile.has(each.id) && isEdited(each.id)));
  return { drafts: [...merged, ...kept.map((each) => ({ ...each, origin: null, id: inFile.has(each.id) ? each.id : null }))], both };
}
