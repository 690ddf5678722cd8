"""The filters by name. Each is a function of the value and the arguments after the colon; none changes its input."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import random
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from loops_destination.javascript import (
    UNDEFINED,
    WHITESPACE,
    is_falsy,
    json_text,
    length,
    scalar_text,
    split_surrogates,
    string,
    trim,
)
from loops_destination.mapping.liquid import date_filter
from loops_destination.mapping.liquid.scope import LiquidError
from loops_destination.mapping.liquid.values import (
    bounded,
    equal,
    is_true,
    member,
    number,
    numeric,
    shown,
)
from loops_destination.paths import split as split_path

DISABLED_FILTERS = frozenset(
    {
        "array_to_sentence_string",
        "concat",
        "find",
        "find_exp",
        "find_index",
        "find_index_exp",
        "group_by",
        "group_by_exp",
        "has",
        "has_exp",
        "map",
        "newline_to_br",
        "reject",
        "reject_exp",
        "reverse",
        "sort",
        "sort_natural",
        "type",
        "uniq",
        "where_exp",
    },
)

_LARGEST_EXACT = 2**53 - 1
_WIDEST_INDENT = 10
_KEY_CHARACTER = 2
"""Units a character of a property's name, for each element: every key is a step."""
_SPACES = re.compile(f"[{WHITESPACE}]+")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_ESCAPES = {ord(character): entity for character, entity in _ENTITIES.items()}
_ENTITY = re.compile("&(?:amp|lt|gt|#34|#39);")
_CHARACTERS = {entity: character for character, entity in _ENTITIES.items()}
_HIDDEN_BLOCKS = (("<script", "</script>"), ("<style", "</style>"), ("<!--", "-->"), ("<", ">"))
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+|%")
_UNRESERVED = "-_.!~*'()"
_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")
_CJK = "\u4e00-\u9fff\uf900-\ufaff\u3400-\u4dbf\u3040-\u309f\u30a0-\u30ff\uac00-\ud7af"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_OTHER_WORD = re.compile(f"[^{_CJK}{WHITESPACE}]+")
_ACCENTS = {
    ord(accented): plain
    for plain, letters in {
        "a": "àáâãäå", "ae": "æ", "c": "ç", "e": "èéêë", "i": "ìíîï", "d": "ð", "n": "ñ", "o": "òóôõöø",
        "u": "ùúûü", "y": "ýÿ", "ss": "ß", "oe": "œ", "th": "þ", "SS": "ẞ", "OE": "Œ", "TH": "Þ",
    }.items()
    for accented in letters
}  # fmt: skip


def _given(argument: Any, default: Any) -> Any:
    return default if argument is UNDEFINED else argument


def _elements(value: Any) -> list[Any]:
    if value is None or value is UNDEFINED:
        return []
    return value if isinstance(value, list) else [value]


# Numbers: JavaScript's arithmetic, except that integers stay exact while JavaScript would print them in full.


def _arithmetic(function: Callable[..., float]) -> Callable[..., float]:
    def compute(*operands: Any) -> float:
        try:
            return bounded(function(*map(number, operands)))
        except (ValueError, OverflowError, TypeError):  # infinities that cancel out, or a missing operand
            return math.nan

    return compute


def _divided(dividend: float, divisor: float, whole: float = 0) -> float:
    if divisor == 0:
        quotient = math.copysign(math.inf, dividend) if dividend else math.nan
    elif isinstance(dividend, int) and isinstance(divisor, int) and dividend % divisor == 0:
        quotient = dividend // divisor
    else:
        quotient = dividend / divisor
    return math.floor(quotient) if whole and math.isfinite(quotient) else quotient


def _modulo(value: float, divisor: float) -> float:
    if divisor == 0:
        return math.nan
    if isinstance(value, int) and isinstance(divisor, int):
        return value % divisor
    return math.fmod(math.fmod(value, divisor) + divisor, divisor)


def _whole(function: Callable[[float], int]) -> Callable[..., float]:
    return _arithmetic(lambda value, *_: function(value) if math.isfinite(value) else value)


def _round(value: Any, digits: Any = 0, *_: Any) -> float:
    amount, places = number(value), number(digits)
    scaled = _shifted(abs(amount), places)
    if not scaled <= _LARGEST_EXACT:
        return amount
    rounded = math.floor(scaled) + (scaled - math.floor(scaled) >= 1 / 2)
    return math.copysign(_shifted(rounded, -places), amount)


def _shifted(value: float, digits: float) -> float:
    if math.isinf(value) or digits % 1 != 0:
        return math.nan
    mantissa, _, power = scalar_text(value).partition("e")
    return float(f"{mantissa}e{int(power or 0) + int(digits)}")


# Texts.


def _text_filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter of texts: the value and the arguments are converted to text first, missing ones to `""`."""

    def apply(value: Any = "", *arguments: Any) -> Any:
        return function(shown(value), *map(shown, arguments))

    return apply


def _append(text: str, *endings: str) -> str:
    if len(endings) != 1:
        raise LiquidError("append and prepend need exactly one text")
    return text + endings[0]


def _prepend(text: str, *beginnings: str) -> str:
    return _append(*beginnings, text) if len(beginnings) == 1 else _append(text)


def _capitalized(text: str) -> str:
    first = text[:1]
    return (first.upper() if first <= "\uffff" else first) + text[1:].lower()


def _replace(text: str, pattern: str = "", replacement: str = "", *_: str) -> str:
    return text.replace(pattern, replacement) if pattern else replacement.join(split_surrogates(text))


def _replace_first(text: str, pattern: str = "", replacement: str = "", *_: str) -> str:
    return text.replace(pattern, replacement, 1)


def _replace_last(text: str, pattern: str = "", replacement: str = "", *_: str) -> str:
    # Reversed, because the time of Python's `rfind` is proportional to the product of both lengths.
    return text[::-1].replace(pattern[::-1], replacement[::-1], 1)[::-1]


def _split(text: str, separator: str = "", *_: str) -> list[str]:
    parts = text.split(separator) if separator else list(split_surrogates(text))
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _strip_at(*, start: bool = False, end: bool = False) -> Callable[..., str]:
    def strip(text: str, characters: str = "", *_: str) -> str:
        # The time of Python's `strip` is proportional to the product of both lengths.
        stripped = frozenset(characters or WHITESPACE)
        first, last = 0, len(text)
        while start and first < last and text[first] in stripped:
            first += 1
        while end and first < last and text[last - 1] in stripped:
            last -= 1
        return text[first:last]

    return strip


def _truncate(value: Any, size: Any = UNDEFINED, ending: Any = UNDEFINED, *_: Any) -> Any:
    text, size, ending = shown(value), number(_given(size, 50)), shown(_given(ending, "..."))
    if len(text) <= size:
        return value
    return text[: math.ceil(max(size - len(ending), 0))] + ending


def _truncate_words(value: Any, count: Any = UNDEFINED, ending: Any = UNDEFINED, *_: Any) -> str:
    words, count = _SPACES.split(shown(value).lstrip(WHITESPACE)), numeric(_given(count, 15))
    if math.isnan(count):
        return ""
    count = 1 if count <= 0 else min(count, len(words) + 1)
    return " ".join(words[: math.trunc(count)]) + (shown(_given(ending, "...")) if len(words) >= count else "")


def _word_count(text: str, mode: str = "", *_: str) -> int:
    if mode == "cjk" or (mode == "auto" and _CJK_CHARACTER.search(text)):
        return len(_CJK_CHARACTER.findall(text)) + len(_OTHER_WORD.findall(text))
    return len(_SPACES.split(trim(text))) if trim(text) else 0


def _escape(text: str, *_: str) -> str:
    return text.translate(_ESCAPES)


def _escape_once(text: str, *_: str) -> str:
    return _escape(_ENTITY.sub(lambda match: _CHARACTERS[match.group()], text))


def _strip_html(text: str, *_: str) -> str:
    pieces, position, blocks = [], 0, list(_HIDDEN_BLOCKS)
    while (start := text.find("<", position)) >= 0:
        pieces.append(text[position:start])
        position = start
        for opener, closer in list(blocks):
            if not text.startswith(opener, start):
                continue
            end = text.find(closer, start + len(opener))
            if end >= 0:
                position = end + len(closer)
                break
            blocks.remove((opener, closer))  # it is not closed further on either
        if position == start:
            break
    return "".join(pieces) + text[position:]


def _slug(value: Any, mode: Any = UNDEFINED, cased: Any = UNDEFINED, *_: Any) -> str:
    text, mode = shown(value), shown(_given(mode, "default"))
    keeps = _SLUG_KEEPS.get(mode)
    if keeps:
        text = text.translate(_ACCENTS) if mode == "latin" else text
        text = re.sub("\0+", "-", "".join(character if keeps(character) else "\0" for character in text))
        text = text.removeprefix("-").removesuffix("-")
    return text if not is_falsy(cased) else text.lower()


def _is_letter_or_digit(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd"


_SLUG_KEEPS: dict[str, Callable[[str], bool]] = {
    "raw": lambda character: character not in WHITESPACE,
    "default": _is_letter_or_digit,
    "latin": _is_letter_or_digit,
    "pretty": lambda character: character in "._~!$&'()+,;=@" or _is_letter_or_digit(character),
    "ascii": lambda character: character.isascii() and character.isalnum(),
}


# Encodings.


def _quoted(text: str, kept: str) -> str:
    try:
        return quote(text, safe=kept)
    except UnicodeEncodeError:
        raise LiquidError("half of a surrogate pair cannot be written in a URL") from None


def _url_encode(text: str, *_: str) -> str:
    return _quoted(text, _UNRESERVED).replace("%20", "+")


def _cgi_escape(text: str, *_: str) -> str:
    return _quoted(text, "-_.~").replace("%20", "+")


def _uri_escape(text: str, *_: str) -> str:
    return _quoted(text, f"{_UNRESERVED};,/?:@&=+$#[]")


def _url_decode(text: str, *_: str) -> str:
    def decoded(match: re.Match[str]) -> str:
        if match.group() == "%":
            raise LiquidError("the characters after a % are not a byte")
        try:
            return unquote_to_bytes(match.group()).decode()
        except UnicodeDecodeError:
            raise LiquidError("the bytes are not UTF-8") from None

    return _ENCODED.sub(decoded, text.replace("+", " "))


def _utf8(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _base64_encode(text: str, *_: str) -> str:
    return base64.b64encode(_utf8(text)).decode("ascii")


def _base64_decode(text: str, *_: str) -> str:
    text = re.sub("[\t\n\f\r ]", "", text)
    digits = text.rstrip("=") if len(text) % 4 == 0 else text
    if len(digits) % 4 == 1 or not re.fullmatch("[A-Za-z0-9+/]*", digits) or not _BASE64.fullmatch(text):
        raise LiquidError("the text is not base64")
    return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-8", "replace")


def _sha256(text: str, *_: str) -> str:
    return hashlib.sha256(_utf8(text)).hexdigest()


def _hmac_sha256(text: str, key: str = "", *_: str) -> str:
    return hmac.digest(_utf8(key), _utf8(text), "sha256").hex()


def _json(value: Any, indent: Any = 0, *_: Any) -> Any:
    return UNDEFINED if value is UNDEFINED else json_text(value, indent)


# Arrays.


def _join(value: Any, separator: Any = None, *_: Any) -> str:
    between = " " if separator is None or separator is UNDEFINED else shown(separator)
    return between.join("" if part is None or part is UNDEFINED else string(part) for part in _elements(value))


def _at(position: int) -> Callable[..., Any]:
    def element(value: Any, *_: Any) -> Any:
        if isinstance(value, str):
            value = list(split_surrogates(value[:1] if position == 0 else value[-1:]))
        if not isinstance(value, list):
            return ""
        return member(value, position)

    return element


def _size(value: Any, *_: Any) -> Any:
    if isinstance(value, dict):
        return value.get("length") or 0
    return length(value) if isinstance(value, str) else len(value) if isinstance(value, list) else 0


def _slice(value: Any, start: Any = UNDEFINED, count: Any = UNDEFINED, *_: Any) -> Any:
    if value is None or value is UNDEFINED:
        return []
    sliced = value if isinstance(value, list) else shown(value)
    first, count = number(start), number(_given(count, 1))
    first = first + len(sliced) if first < 0 else first
    if first < 0 or count < 0:
        return sliced[:0]
    first, last = (math.ceil(min(place, len(sliced))) for place in (first, first + count))
    return sliced[first:last]


def _property(name: Any) -> Callable[[Any], Any]:
    """Return a function that finds a property, named by a path, in an element."""
    keys = split_path(shown(name))

    def find(value: Any) -> Any:
        for key in keys:
            value = member(value, key)
        return value if keys else UNDEFINED

    return find


def _sum(value: Any, name: Any = None, *_: Any) -> float:
    items = _elements(value) if is_falsy(name) else map(_property(name), _elements(value))
    return bounded(sum(0 if math.isnan(summand) else summand for summand in map(numeric, items)))


def _where(value: Any, name: Any = UNDEFINED, expected: Any = UNDEFINED, *_: Any) -> list[Any]:
    find = _property(name)

    def is_wanted(item: Any) -> bool:
        found = find(item)
        return is_true(found) if expected is UNDEFINED else equal(found, expected)

    return [item for item in _elements(value) if is_wanted(item)]


def _sample(value: Any, count: Any = UNDEFINED, *_: Any) -> Any:
    count = number(_given(count, 1))
    items = _elements(value) if isinstance(value, list | None) else list(shown(value))
    chosen = random.sample(items, math.trunc(max(min(count, len(items)), 0)))
    if count == 1:
        return chosen[0] if chosen else UNDEFINED
    return chosen


# Dates.


def _date(value: Any, pattern: Any = None, zone: Any = UNDEFINED, *_: Any) -> Any:
    moment = date_filter.read(value, zone)
    if moment is None:
        return value
    return date_filter.write(
        moment, date_filter.DEFAULT_FORMAT if pattern is None or pattern is UNDEFINED else shown(pattern)
    )


def _dated(pattern: str) -> Callable[..., Any]:
    return lambda value, *_: _date(value, pattern)


def _written_date(month: str) -> Callable[..., Any]:
    def write(value: Any, kind: Any = None, style: Any = None, *_: Any) -> Any:
        if kind != "ordinal":
            return _date(value, f"%d {month} %Y")
        return _date(value, f"{month} %-d%q, %Y" if style == "US" else f"%-d%q {month} %Y")

    return write


def _default(value: Any, instead: Any = UNDEFINED, *options: Any) -> Any:
    if isinstance(value, str | list):
        return value or instead
    if value is False and any(
        isinstance(option, list) and option[0] == "allow_false" and option[1] for option in options
    ):
        return False
    return value if is_true(value) else instead


def _as_it_is(value: Any, *_: Any) -> Any:
    return value


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _arithmetic(lambda value, *_: abs(value)),
    "append": _text_filter(_append),
    "at_least": _arithmetic(lambda *operands: max(operands)),
    "at_most": _arithmetic(lambda *operands: min(operands)),
    "base64_decode": _text_filter(_base64_decode),
    "base64_encode": _text_filter(_base64_encode),
    "capitalize": _text_filter(lambda text, *_: _capitalized(text)),
    "ceil": _whole(math.ceil),
    "cgi_escape": _text_filter(_cgi_escape),
    "compact": lambda value, *_: [item for item in _elements(value) if item is not None and item is not UNDEFINED],
    "date": _date,
    "date_to_long_string": _written_date("%B"),
    "date_to_rfc822": _dated("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": _written_date("%b"),
    "date_to_xmlschema": _dated("%Y-%m-%dT%H:%M:%S%:z"),
    "default": _default,
    "divided_by": _arithmetic(_divided),
    "downcase": _text_filter(lambda text, *_: text.lower()),
    "escape": _text_filter(_escape),
    "escape_once": _text_filter(_escape_once),
    "first": _at(0),
    "floor": _whole(math.floor),
    "hmac_sha256": _text_filter(_hmac_sha256),
    "inspect": _json,
    "join": _join,
    "json": _json,
    "jsonify": _json,
    "last": _at(-1),
    "lstrip": _text_filter(_strip_at(start=True)),
    "minus": _arithmetic(lambda value, other, *_: value - other),
    "modulo": _arithmetic(lambda value, other, *_: _modulo(value, other)),
    "normalize_whitespace": _text_filter(lambda text, *_: _SPACES.sub(" ", text)),
    "number_of_words": _text_filter(_word_count),
    "plus": _arithmetic(lambda value, other, *_: value + other),
    "pop": lambda value, *_: _elements(value)[:-1],
    "prepend": _text_filter(_prepend),
    "push": lambda value, item=UNDEFINED, *_: [*_elements(value), item],
    "raw": _as_it_is,
    "remove": _text_filter(lambda text, pattern="", *_: text.replace(pattern, "")),
    "remove_first": _text_filter(lambda text, pattern="", *_: text.replace(pattern, "", 1)),
    "remove_last": _text_filter(lambda text, pattern="", *_: _replace_last(text, pattern)),
    "replace": _text_filter(_replace),
    "replace_first": _text_filter(_replace_first),
    "replace_last": _text_filter(_replace_last),
    "round": _round,
    "rstrip": _text_filter(_strip_at(end=True)),
    "sample": _sample,
    "sha256": _text_filter(_sha256),
    "shift": lambda value, *_: _elements(value)[1:],
    "size": _size,
    "slice": _slice,
    "slugify": _slug,
    "split": _text_filter(_split),
    "squish": _text_filter(lambda text, *_: trim(_SPACES.sub(" ", text))),
    "strip": _text_filter(_strip_at(start=True, end=True)),
    "strip_html": _text_filter(_strip_html),
    "strip_newlines": _text_filter(lambda text, *_: text.replace("\r\n", "").replace("\n", "")),
    "sum": _sum,
    "times": _arithmetic(lambda value, other, *_: value * other),
    "to_integer": lambda value, *_: numeric(value),
    "truncate": _truncate,
    "truncatewords": _truncate_words,
    "unshift": lambda value, item=UNDEFINED, *_: [item, *_elements(value)],
    "upcase": _text_filter(lambda text, *_: text.upper()),
    "uri_escape": _text_filter(_uri_escape),
    "url_decode": _text_filter(_url_decode),
    "url_encode": _text_filter(_url_encode),
    "where": _where,
    "xml_escape": _text_filter(_escape),
}

WITH_WORDS = frozenset({"where"})
"""Filters that get `nil`, `empty` and `blank` as words; all others get the JSON values of these words."""

# Work beside reading the input and writing the output, in units.


def no_work(*_: Any) -> float:
    """Return 0: the filter costs no more than its input and its output."""
    return 0


def _replacing(value: Any = "", pattern: Any = "", replacement: Any = "", *_: Any) -> float:
    return shown(value).count(shown(pattern)) * len(shown(replacement))


def _joining(value: Any, separator: Any = None, *_: Any) -> float:
    return len(_elements(value)) * len(shown(separator))


def _finding(value: Any, name: Any = "", *_: Any) -> float:
    return _KEY_CHARACTER * len(_elements(value)) * len(shown(name))


def _indenting(value: Any, indent: Any = 0, *_: Any) -> float:
    return _indentation(value, 1) if not is_falsy(indent) else 0


def _indentation(value: Any, depth: int) -> int:
    if not isinstance(value, (dict, list)):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return _WIDEST_INDENT * depth * (len(value) + 1) + sum(_indentation(item, depth + 1) for item in items)


def _reading_date(value: Any, *_: Any) -> float:
    return date_filter.work(value)


WORK: dict[str, Callable[..., float]] = {
    "date": lambda value, pattern=None, *_: date_filter.work(value, shown(pattern)),
    "date_to_long_string": _reading_date,
    "date_to_rfc822": _reading_date,
    "date_to_string": _reading_date,
    "date_to_xmlschema": _reading_date,
    "inspect": _indenting,
    "join": _joining,
    "json": _indenting,
    "jsonify": _indenting,
    "replace": _replacing,
    "sum": _finding,
    "where": _finding,
}
"""Filters whose time or output is not in proportion to their input, with the units that this costs."""
