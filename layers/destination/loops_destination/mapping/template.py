"""Templates such as `Hi {{traits.name}}`, compiled into pieces of text and getters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loops_destination.javascript import UNDEFINED, join_surrogates, string, trim
from loops_destination.mapping.builder import Resolver
from loops_destination.mapping.work import LIMIT, Charge, charge_whole
from loops_destination.paths import getter, split


def compile_template(template: str, charge: Charge) -> Resolver:
    """Return a resolver that fills in the tags; braces in a value are plain text, never a tag."""
    *tags, (tail, _) = _tags(template)
    if not tags:
        return lambda _event: tail
    slots = [(text, getter(split(trim(name)))) for text, name in tags]

    def render(event: Any) -> str:
        rendered = ""
        size = 0
        for text, get in slots:
            value = get(event)
            if isinstance(value, (dict, list)):
                charge_whole(value, charge)
            shown = value if isinstance(value, str) else _shown(value)
            rendered += text
            rendered += shown
            size += len(shown)
            if size > LIMIT:
                break
        charge(size)
        return join_surrogates(rendered + tail)

    return render


def names_in(template: str) -> list[str]:
    """Return the names in the tags of a template."""
    *tags, _tail = _tags(template)
    return [trim(name) for _, name in tags]


def _shown(value: Any) -> str:
    if value is None or value is UNDEFINED:
        return ""
    return string(value)


def _tags(template: str) -> Iterator[tuple[str, str]]:
    """Yield (text before, name) for each tag, then (text after the last, ""); three braces go before two."""
    for outer, name in _tags_in(template, 3):
        *inner, (text, _) = _tags_in(outer, 2)
        yield from inner
        yield text, name


def _tags_in(template: str, braces: int) -> Iterator[tuple[str, str]]:
    closing = "}" * braces
    done = position = 0
    while (start := template.find("{" * braces, position)) >= 0:
        name = start + braces
        end = template.find("}", name)
        if end < 0:
            break
        position = end
        if end > name and template.startswith(closing, end):
            yield template[done:start], template[name:end]
            done = position = end + braces
    yield template[done:], ""
