"""Replaces plain text, by the rules of JavaScript's regular expressions."""

from __future__ import annotations

from collections.abc import Callable

from loops_destination.javascript import has_surrogates, join_surrogates, split_surrogates
from loops_destination.mapping.work import Charge

Replace = Callable[[str], str]

_LARGEST_UNIT = 0xFFFF


def replacer(pattern: str, replacement: str, count: int, charge: Charge, *, ignores_case: bool) -> Replace:
    """Return a function that replaces the first `count` occurrences of `pattern` in a text (-1: all)."""
    if has_surrogates(pattern):  # half a character must be found inside a whole one, so the text is split into halves
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
    """The case folding of the `i` flag: a capital counts if it is one UTF-16 unit, and not ASCII for a non-ASCII letter.

    Characters beyond U+FFFF, which do not fold, are not kept: all of them would take 80 MB.
    """

    def __missing__(self, character: int) -> int:
        if character > _LARGEST_UNIT:
            return character
        letter = chr(character)
        capital = letter.upper()
        folds = len(capital) == 1 and (letter.isascii() or not capital.isascii())
        self[character] = ord(capital) if folds else character
        return self[character]


_FOLDED = _Folding()
