from typing import Any

import pytest

from loops_destination.errors import MappingError
from loops_destination.mapping import Mapping
from loops_destination.mapping.liquid.filters import DISABLED_FILTERS, FILTERS
from loops_destination.mapping.liquid.liquid_parser import DISABLED_TAGS

EVENT: dict[str, Any] = {
    "type": "track",
    "s": "Ada Lovelace",
    "n": 5,
    "f": 2.5,
    "age": "21",
    "yes": True,
    "nil": None,
    "big": 9007199254740993,
    "list": [3, "b", None, {"id": 1, "tag": {"x": True}}],
    "ids": [{"id": 1}, {"id": 2}, {"id": 1}],
    "empty_list": [],
    "o": {"a": 1, "two words": 2, "size": "own"},
    "p": {"x": 1},
    "emoji": "a😀",
    "at": "2026-03-01T12:34:56.789Z",
    "html": "<b class='x'>Hi</b> & <!-- no --><script>x</script>you",
}

RENDERED: list[tuple[str, str]] = [
    # values
    ("{{ s }} {{ n }} {{ f }} {{ yes }} {{ nil }}{{ nope }}{{ nope.a[0] }}", "Ada Lovelace 5 2.5 true "),
    ("{{ 1.0 }} {{ 12.50 }} {{ -3 }} {{ 'it\\'s' }} {{ \"\\u0041\\n\\x\\101\" }}", "1 12.5 -3 it's A\nxA"),
    ("{{ list[0] }}{{ list[-3] }}{{ list.first }}{{ list.last.id }}{{ list.size }}{{ list.9 }}{{ list[1.5] }}", "3b314"),
    ("{{ o.a }}{{ o['two words'] }}{{ o.size }}{{ p.size }}{{ s.size }}{{ s[0] }}{{ o[s] }}{{ p.first }}", "12own112A"),
    ("{{ n.x }}{{ yes.x }}{{ list['b'] }}{{ ['type'] }}{{ o. a }}{{ n. }}", "track15"),
    ("{{ list }}|{{ o }}|{{ ids[0] }}", '3b{"id":1,"tag":{"x":true}}|{"a":1,"two words":2,"size":"own"}|{"id":1}'),
    ("{{ (1..4) }} {{ (n..1) }}{{ (nope..x) }} {{ (1.5..3) }}", "1234  1.52.53.5"),
    ("{{ a b }}{{ n s }}{{ n, s }}", "55"),
    ("{{ empty }}{{ blank }}{{ nil }}{{ true }}", "true"),
    # operators
    ("{{ n == 5 }} {{ n == '5' }} {{ n != 5.0 }} {{ yes == 1 }} {{ nil == nope }}", "true false false false true"),
    ("{{ age > 18 }} {{ age > '3' }} {{ s < 'B' }} {{ nil >= 0 }} {{ nope <= 1 }} {{ list > 1 }}", "true false true false false false"),
    ("{{ nil == nil }}{{ nope == nil }}{{ nil > nil }}{{ n > empty }}{{ '' == nil }}", "truetruefalsefalsefalse"),
    ("{{ '' == empty }}{{ empty_list == empty }}{{ p == empty }}{{ nil == empty }}{{ empty == blank }}", "truetruefalsefalsefalse"),
    ("{{ ' ' == blank }}{{ nope == blank }}{{ false == blank }}{{ 0 == blank }}{{ empty_list == blank }}", "truetruetruefalsetrue"),
    ("{{ list contains 'b' }}{{ s contains 'Love' }}{{ n contains 5 }}{{ '15' contains n }}{{ list contains nil }}", "truetruefalsetruetrue"),
    ("{{ ids == ids }}{{ empty_list == '' }}{{ (1..2) == (1..2) }}{{ (1..2) == (1..3) }}{{ p == p }}{{ p == o }}", "truefalsetruefalsetruefalse"),
    ("{{ true or false and false }}{{ false and true or true }}{{ not yes }}{{ not nope and yes }}", "truefalsefalsetrue"),
    ("{{ n == }}{{ == }}{{ not }}", "falsetruetrue"),
    # tags
    ("{% if n > 3 %}a{% elsif yes %}b{% else %}c{% endif %}{% if nope %}x{% elsif yes %}y{% endif %}{% if 0 %}z{% endif %}", "ayz"),
    ("{% unless yes %}a{% elsif n == 5 %}b{% else %}c{% endunless %}{% unless nope %}d{% endunless %}", "bd"),
    ("{% unless yes %}a{% else %}b{% else %}c{% elsif yes %}d{% endunless %}", "b"),
    ("{% assign x = s | upcase %}{{ x }}{% assign type = 1 %}{{ type }}", "ADA LOVELACE1"),
    ("{% capture x %}<{{ n }}>{% endcapture %}{{ x }}{% capture 'y z' %}q{% endcapture %}{{ ['y z'] }}", "<5>q"),
    ("{% increment n %}{% increment n %}{% decrement c %}{% decrement c %}{{ n }}{{ c }}{% increment s %}", "56-1-27-20"),
    ("{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 'g': 'a', 'b' %}{% cycle 0, 1 %}", "abaa"),
    ("{% echo s | size %}{% echo %}{% # a note %}{% comment %}{{ x ! }}{% for %}{% endcomment %}{% block b %}c{% endblock %}", "12c"),
    ("{% raw %}{{ x }}{% if %}{% endraw %}|{% liquid assign x = 2\n  if x == 2\n echo x\n endif\n\n # a note %}", "{{ x }}{% if %}|2"),
    ("a {%- if yes -%} b {%- endif -%} c {{- n -}} d {{ '}}' }}", "abc5d }}"),
    ("a{% capture x %}b{% break %}{% endcapture %}c", "a"),
    ("a{% if yes %}b{% continue %}{% endif %}c", "ab"),
    # filters of numbers
    ("{{ 10 | divided_by: 4 }} {{ 10 | divided_by: 5 }} {{ 7 | divided_by: 2, true }} {{ 1 | divided_by: 0 }} {{ 0 | divided_by: 0 }}", "2.5 2 3 Infinity NaN"),
    ("{{ n | plus: '2' }} {{ 'x' | plus: 1 }} {{ nil | plus: 1 }} {{ 0.1 | plus: 0.2 }} {{ yes | plus: 1 }} {{ n | plus }} {{ '' | plus: 1 }}", "7 1 1 0.30000000000000004 2 NaN 1"),
    ("{{ n | minus: f }} {{ f | times: 2 }} {{ '0x10' | times: 1 }} {{ ' 1e3 ' | times: 1 }} {{ '-Infinity' | times: 1 }}", "2.5 5 16 1000 -Infinity"),
    ("{{ 7 | modulo: 3 }} {{ -7 | modulo: 3 }} {{ 7.5 | modulo: 2 }} {{ 1 | modulo: 0 }}", "1 2 1.5 NaN"),
    ("{{ -2.5 | abs }} {{ 2.1 | ceil }} {{ 2.9 | floor }} {{ 2.5 | round }} {{ -2.5 | round }} {{ 3.14159 | round: 2 }} {{ 1250 | round: -2 }}", "2.5 3 2 3 -3 3.14 1300"),
    ("{{ 5 | at_least: 7 }} {{ 5 | at_most: 3, 1 }} {{ '12px' | to_integer }} {{ '12' | to_integer }}", "7 1 NaN 12"),
    # filters of texts
    ("{{ s | upcase }} {{ s | downcase }} {{ 'aDA x' | capitalize }} {{ s | append: '!' }} {{ s | prepend: n }}", "ADA LOVELACE ada lovelace Ada x Ada Lovelace! 5Ada Lovelace"),
    ("{{ 'a.b.a' | replace: 'a', 'x' }} {{ 'a.b.a' | replace_first: 'a', 'x' }} {{ 'a.b.a' | replace_last: 'a', 'x' }} {{ 'abc' | replace: '', '-' }}", "x.b.x x.b.a a.b.x a-b-c"),
    ("{{ 'a.b.a' | remove: 'a' }} {{ 'a.b.a' | remove_first: 'a' }} {{ 'a.b.a' | remove_last: 'a' }} {{ 'a' | remove_last: 'z' }}", ".b. .b.a a.b. a"),
    ("{{ 'a,b,,' | split: ',' | json }} {{ 'abc' | split: '' | json }} {{ nil | split: ',' | size }}", '["a","b"] ["a","b","c"] 0'),
    ("[{{ ' a ' | strip }}] [{{ ' a ' | lstrip }}] [{{ ' a ' | rstrip }}] [{{ 'xaxx' | strip: 'x' }}] [{{ ' a  b ' | squish }}] [{{ ' a  b ' | normalize_whitespace }}]", "[a] [a ] [ a] [a] [a b] [ a b ]"),
    ("{{ s | truncate: 6 }} {{ s | truncate: 6, '' }} {{ s | truncate }} {{ s | truncatewords: 1 }} {{ s | truncatewords: 0, '!' }} {{ s | truncatewords }}", "Ada... Ada Lo Ada Lovelace Ada... Ada! Ada Lovelace"),
    ("{{ s | slice: 0 }} {{ s | slice: -4, 2 }} {{ s | slice: 4, 99 }} {{ 'x' | slice: -9 }}{{ nil | slice: 0 }} {{ emoji | slice: 1 }} {{ list | slice: 0, 2 | json }}", 'A la Lovelace  😀 [3,"b"]'),
    ("{{ s | size }} {{ emoji | size }} {{ list | size }} {{ n | size }} {{ s | number_of_words }} {{ '漢字 a' | number_of_words: 'cjk' }}", "12 3 4 0 2 3"),
    ("{{ html | escape }}|{{ '&lt;<' | escape_once }}{{ '>' | xml_escape }}|{{ html | strip_html }}|{{ 'a\r\nb' | strip_newlines }}", "&lt;b class=&#39;x&#39;&gt;Hi&lt;/b&gt; &amp; &lt;!-- no --&gt;&lt;script&gt;x&lt;/script&gt;you|&lt;&lt;&gt;|Hi & you|ab"),
    ("{{ 'Ä b/c!' | slugify }} {{ 'Ä b/é!' | slugify: 'latin' }} {{ 'A b_c' | slugify: 'pretty', true }} {{ 'a é' | slugify: 'ascii' }} {{ 'A  b' | slugify: 'raw' }} {{ 'A b' | slugify: 'none' }}", "ä-b-c ä-b-e A-b_c a a-b a b"),
    ("{{ 'a b&é!' | url_encode }} {{ 'a b!' | cgi_escape }} {{ 'a b/[é]' | uri_escape }} {{ 'a+b%C3%A9' | url_decode }}", "a+b%26%C3%A9! a+b%21 a%20b/[%C3%A9] a bé"),
    ("{{ 'é' | base64_encode }} {{ 'w6k' | base64_decode }} {{ 'a' | sha256 | slice: 0, 8 }} {{ 'a' | hmac_sha256: 'k' | slice: 0, 8 }}", "w6k= é ca978112 78da9151"),
    # filters of arrays and objects
    ("{{ list | join }} {{ (1..3) | join: '-' }} {{ 'x' | join }} {{ nil | join }}|{{ list | first }} {{ emoji | first }} {{ n | first }}{{ list | slice: 0, 2 | last }}{{ emoji | last | size }}", '3 b  {"id":1,"tag":{"x":true}} 1-2-3 x |3 a b1'),
    ("{{ ids | where: 'id', 1 | size }} {{ list | where: 'tag.x' | size }} {{ ids | where: 'no', nil | size }} {{ ids | sum: 'id' }} {{ list | sum }}", "2 1 3 4 3"),
    ("{{ list | compact | size }} {{ (1..2) | push: 3 | unshift: 0 | json }} {{ (1..3) | pop | shift | json }} {{ s | push: 1 | size }}", "3 [0,1,2,3] [2] 2"),
    ("{{ p | json }} {{ list | jsonify: 1 | size }} {{ nope | json }}{{ big | inspect }}", '{"x":1} 65 9007199254740993'),
    ("{{ nope | default: 'd' }} {{ '' | default: 'd' }} {{ empty_list | default: 'd' }} {{ false | default: 'd' }} {{ false | default: 'd', allow_false: true }} {{ 0 | default: 'd' }}", "d d d d false 0"),
    ("{{ s | nosuch: 1 | upcase }} {{ s | raw }} {{ s | upcase: }} {{ s | }}", "ADA LOVELACE Ada Lovelace ADA LOVELACE Ada Lovelace"),
    ("{{ 'x' | sample }}{{ empty_list | sample }}{{ 'xx' | sample: 2 | join: '' }}", "xxx"),
    # filters of dates
    ("{{ at | date: '%Y-%m-%d %H:%M:%S.%L' }} {{ at | date }}", "2026-03-01 12:34:56.789 Sunday, March 1, 2026 at 12:34 pm +0000"),
    ("{{ at | date: '%-d.%-m.%y %e|%j|%k|%l|%I|%p|%P|%s|%u|%w|%U|%W|%C|%q|%a %b %h|%3N|%N' }}", "1.3.26  1|060|12|12|12|PM|pm|1772368496|7|0|09|08|20|st|Sun Mar Mar|789|789000000"),
    ("{{ at | date: '%10Y %^a %#p %_m %05d %c %x %X %z %:z %Z %t%n%% %Q %' }}", "0000002026 SUN pm  3 00001 3/1/2026, 12:34:56 PM 3/1/2026 12:34:56 PM +0000 +00:00 UTC \t\n% %Q %"),
    ("{{ at | date: '%H %z %Z', 'Asia/Tokyo' }} {{ at | date: '%H:%M %z %Z', 330 }} {{ 0 | date: '%F' }} {{ '1772368496' | date: '%Y' }}", "21 +0900 Asia/Tokyo 07:04 -0530 -0530 %F 2026"),
    ("{{ at | date_to_xmlschema }} {{ at | date_to_rfc822 }} {{ at | date_to_string }} {{ at | date_to_long_string: 'ordinal' }} {{ at | date_to_string: 'ordinal', 'US' }}", "2026-03-01T12:34:56+00:00 Sun, 01 Mar 2026 12:34:56 +0000 01 Mar 2026 1st March 2026 Mar 1st, 2026"),
    ("{{ 'March 14, 2016' | date: '%F%m' }} {{ '3/4/2016 1:05 PM' | date: '%m %H' }} {{ '2026-03-01T01:00:00+05:30' | date: '%d %H' }} {{ 'Tue, 3 Mar 2026 10:00:00 +0200' | date: '%H' }}", "%F03 03 13 28 19 08"),
    ("{{ 'soon' | date: '%Y' }} {{ nil | date: '%Y' }}|{{ p | date: '%Y' }} {{ true | date: '%Y' }} {{ '2026-13-01' | date: '%Y' }} {{ 1e999 | date: '%Y' }}", 'soon |{"x":1} 1970 2026-13-01 '),
]  # fmt: skip


@pytest.mark.parametrize(("template", "text"), RENDERED, ids=[template[:60] for template, _ in RENDERED])
def test_rendered(template: str, text: str) -> None:
    """A template renders as in LiquidJS, and objects as JSON."""
    assert Mapping({"@liquid": template}).resolve(EVENT) == text


def test_every_filter_is_rendered() -> None:
    """Every filter has a case here."""
    written = " ".join(template for template, _ in RENDERED)
    assert [name for name in FILTERS if f"| {name}" not in written] == []


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ huge | plus: 1 }} {{ huge | times: -1 }} {{ huge }}", f"Infinity -Infinity {10**400}"),
        ("{{ big | plus: 1 }}", "9007199254740994"),
        ("{{ infinite | round }} {{ n | round: 0.5 }} {{ n | round: infinite }} {{ infinite | ceil }}", "Infinity 5 5 Infinity"),
        ("{{ '0xg' | plus: 1 }} {{ '1e999' | plus: 1 }} {{ ids | plus: 1 }} {{ one | plus: 1 }}", "1 Infinity 1 3"),
        ("{{ s | truncatewords: 'x' }}{{ p | size }}{{ empty_list | sample: 2 | size }}{{ emoji | sample: 9 | size }}", "002"),
        ("{{ '9999-12-31T23:59:59Z' | date: '%Y', 'Asia/Tokyo' }} {{ '0000-01-01' | date: '%Y' }}", "9999-12-31T23:59:59Z 0000-01-01"),
        ("{{ '9999-12-31T99:00' | date: '%Y' }} {{ 'Sun, 1 Mar 2026 10:00' | date: '%H' }}", "9999-12-31T99:00 10"),
        ("{{ '2026-03-01T05:00:00-0530' | date: '%H:%M' }} {{ '0900-01-01' | date: '%C|%-C|%y' }}", "10:30 09|9|00"),
        ("{{ s | truncate: '-Infinity' }} {{ s | truncate: infinite }} {{ s | sample: '-Infinity' | size }}", "... Ada Lovelace 0"),
        ("{{ long | date: '%Y' | size }} {{ '. 1' | plus: 1 }} {{ '1.' | plus: 1 }} {{ '.5' | plus: 1 }} {{ '1.5e1' | plus: 1 }}", "112 1 2 1.5 16"),
        ("{{ 'x' | date: '%Y' }}{{ list[infinite] }} {{ infinite | date: '%Y' }}", "x Infinity"),
    ],
)  # fmt: skip
def test_extreme_numbers_and_dates(template: str, text: str) -> None:
    """Numbers and dates beyond the limits of Python or JavaScript render without an error."""
    event = {**EVENT, "huge": 10**400, "infinite": float("inf"), "one": [2], "long": "March" + " " * 100 + "1, 2026"}
    assert Mapping({"@liquid": template}).resolve(event) == text


def test_now() -> None:
    """`now` and `today` are dates."""
    assert Mapping({"@liquid": "{{ 'now' | date: '%Y' | size }}{{ 'today' | date: '%Y' | size }}"}).resolve({}) == "44"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ n", "an output {{ is not closed"),
        ("{{ 'n }}", "an output {{ is not closed"),
        ("{% if n", "a tag {% is not closed"),
        ("{% %}", "a tag must have a name"),
        ("{{ }}", "a value is missing, at the end"),
        ("{% if %}{% endif %}", "a value is missing, at the end"),
        ("{{ | upcase }}", "a value is missing, before '| upcase"),
        ("{{ n ! 5 }}", "a | is missing before a filter, before '! 5"),
        ("{{ n | ! }}", "a filter must have a name, before '!"),
        ("{{ n | plus 1 }}", "unexpected text after the filter plus, before '1"),
        ("{{ (1..) }}", "a range must be written as (1..5)"),
        ("{{ (n) }}", "a range must be written as (1..5)"),
        ("{{ o['a' }}", "a bracket is not closed"),
        ("{% nope %}", "unexpected tag nope"),
        ("{% endif %}", "unexpected tag endif"),
        ("{% if n %}", "the tag endif is missing"),
        ("{% if n %}{% else %}{% else %}{% endif %}", "else cannot follow else"),
        ("{% if n %}{% else if %}{% endif %}", "nothing can follow else or endif"),
        ("{% if n %}{% endif n %}", "nothing can follow else or endif"),
        ("{% assign = 1 %}", "assign must be written as"),
        ("{% assign x 1 %}", "assign must be written as"),
        ("{% capture %}{% endcapture %}", "capture must name a variable"),
        ("{% capture x %}", "the tag endcapture is missing"),
        ("{% cycle %}", "cycle must have candidates"),
        ("{% comment %}", "the tag endcomment is missing"),
        ("{% raw %}", "the tag raw is not closed"),
        ("{% # a\n b %}", "every line of an inline comment must start with #"),
        ("{% liquid\n ! %}", "a tag must have a name"),
        ("{{ " + "a[" * 41 + "]" * 41 + " }}", "brackets are nested more than 40 deep"),
        ("{% if a %}" * 41 + "{%endif%}" * 41, "tags are nested more than 40 deep"),
    ],
)
def test_refused(template: str, message: str) -> None:
    """Invalid Liquid is a problem of the mapping, with a message that says what is wrong."""
    with pytest.raises(MappingError) as refused:
        Mapping({"x": {"@liquid": template}})
    assert str(refused.value).startswith(f"/x/@liquid: {message}")


@pytest.mark.parametrize("tag", sorted(DISABLED_TAGS))
def test_disabled_tags(tag: str) -> None:
    """The tags that Segment disables are refused."""
    with pytest.raises(MappingError, match=f"the tag {tag} is disabled"):
        Mapping({"@liquid": f"{{% {tag} a %}}{{% end{tag} %}}"})


@pytest.mark.parametrize("name", sorted(DISABLED_FILTERS))
def test_disabled_filters(name: str) -> None:
    """The filters that Segment disables are refused, and not implemented."""
    assert name not in FILTERS
    with pytest.raises(MappingError, match=f"the filter {name} is disabled"):
        Mapping({"@liquid": f"{{{{ a | {name}: b }}}}"})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ s | append }}", "append and prepend need exactly one text"),
        ("{{ s | prepend: 1, 2 }}", "append and prepend need exactly one text"),
        ("{{ '%zz' | url_decode }}", "the characters after a % are not a byte"),
        ("{{ '%ff' | url_decode }}", "the bytes are not UTF-8"),
        ("{{ '\\ud83d' | url_encode }}", "half of a surrogate pair cannot be written in a URL"),
        ("{{ 'a!' | base64_decode }}", "the text is not base64"),
        ("{{ at | date: '%Y', 'Nowhere' }}", "unknown time zone"),
        ("{{ at | date: '%Y', 99999 }}", "unknown time zone"),
        ("{{ at | date: '%Y', long }}", "unknown time zone"),
    ],
)
def test_rendering_fails(template: str, message: str) -> None:
    """A filter that cannot handle its input fails the resolution, at the template's place."""
    with pytest.raises(MappingError) as failed:
        Mapping({"x": {"@liquid": template}}).resolve({**EVENT, "long": "a/" * 100})
    assert str(failed.value) == f"/x/@liquid: {message}"


LONG = "x" * 200_000


@pytest.mark.parametrize(
    "template",
    [
        "{% assign a = s %}" + "{% assign a = a | append: a %}" * 30,
        "{% assign a = s | split: '' %}" + "{% assign a = a | push: a %}" * 30 + "{{ a | json }}",
        "{% assign a = s | split: '' %}" + "{% assign a = a | push: a %}" * 30 + "{% if a == a %}{% endif %}",
        "{{ 'aa'" + " | replace: 'a', 'aaaaaaaaaa'" * 30 + " }}",
        "{{ long | replace: 'x', long }}",
        "{{ long | replace: '', long }}",
        "{{ long | split: '' | join: long }}",
        "{{ (1..1000000000) }}",
        "{{ at | date: '%999999999d' }}",
        "{{ at | date: widths }}",
        "{% capture a %}{{ long }}{{ long }}{% endcapture %}" + "{{ a }}" * 30,
    ],
)
def test_work_is_bounded(template: str) -> None:
    """A template that multiplies its input fails before it fills the memory."""
    event = {**EVENT, "long": LONG, "widths": "%999999d" * 1000}
    with pytest.raises(MappingError, match=r"too much work|too long"):
        Mapping({"@liquid": template}).resolve(event)


@pytest.mark.parametrize(
    ("template", "size"),
    [
        ("{{ a | remove_last: b }}", 200_000),
        ("{{ a | replace: b, '' }}", 200_000),
        ("{{ tags | strip_html }}", 200_000),
        ("{{ a | strip: b | append: a }}", 200_000),
        ("{{ a | lstrip: c }}", 200_000),
        ("{{ a | rstrip: c }}", 200_000),
        ("{{ digits | to_integer | append: a | remove: 'NaN' }}", 200_000),
        ("{{ a | truncatewords: 9999999 }}", 200_000),
    ],
)
def test_searches_are_linear(template: str, size: int) -> None:
    """A text made to slow down a search takes time in proportion to its length."""
    event = {"a": "a" * size, "b": "a" * (size // 2) + "b", "c": "c" * size, "tags": "<" * size}
    event["digits"] = "1" * size + "x"
    assert len(Mapping({"@liquid": template}).resolve(event)) == size
