"""The replacing of plain text, by the rules of JavaScript's regular expressions."""

from __future__ import annotations

from collections.abc import Callable

from loops_destination.javascript import has_surrogates, join_surrogates, split_surrogates
from loops_destination.mapping.work import Charge

Replace = Callable[[str], str]


def replacer(pattern: str, replacement: str, count: int, charge: Charge, *, ignores_case: bool) -> Replace:
    """What puts `replacement` for the first `count` places of `pattern` in a text (-1: for all)."""
    if has_surrogates(pattern):  # half a character is found within a whole one, so both are taken apart
        replace = _replacer(split_surrogates(pattern), replacement, count, charge, ignores_case=ignores_case)
        return lambda text: join_surrogates(replace(split_surrogates(text)))
    replace = _replacer(pattern, replacement, count, charge, ignores_case=ignores_case)
    return lambda text: join_surrogates(replace(text))


def _replacer(pattern: str, replacement: str, count: int, charge: Charge, *, ignores_case: bool) -> Replace:
    grows = len(replacement) > len(pattern)

    def replace(text: str) -> str:
        charge(len(text) + (text.count(pattern) * len(replacement) if grows else 0))
        return text.replace(pattern, replacement, count)

    if not ignores_case:
        return replace
    folded_pattern = pattern.translate(_FOLDED)

    def replace_ignoring_case(text: str) -> str:
        charge(len(text))
        pieces: list[str] = []
        folded, start = text.translate(_FOLDED), 0
        while len(pieces) != count and (found := folded.find(folded_pattern, start)) >= 0:
            pieces.append(text[start:found])
            start = found + len(pattern)
        charge(len(pieces) * (1 + len(replacement)))
        return replacement.join([*pieces, text[start:]])

    return replace_ignoring_case


class _Folding(dict[int, int]):
    """What the `i` flag compares a character by: its capital, if that is one unit too, and no ASCII for what is not."""

    def __missing__(self, character: int) -> int:
        letter = chr(character)
        capital = letter.upper()
        folds = letter <= "\uffff" and len(capital) == 1 and (letter.isascii() or not capital.isascii())
        self[character] = ord(capital) if folds else character
        return self[character]


_FOLDED = _Folding()
