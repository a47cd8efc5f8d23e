r"""Show the values of a call's input so that no two different values look the same.

A string is shown without quotes, everything else as JSON. Invisible characters are escaped as in
Python: `\x1b`, `\u202e`, and `\x20` for the last space at the end of a line. Each tab follows a
visible mark. If a string contains such an escape literally, its backslashes are doubled; if it
looks like JSON, it is quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from budget_magic.characters import is_seen

EMPTY: Final = "(empty)"
TAB: Final = "\N{RIGHTWARDS ARROW TO BAR}"
"""Precedes each tab."""

# Backslashes before what may have to be escaped, or before letters that look like an escape.
_DOUBTFUL: Final = r"(?<!\\)(?:(\\*+)(%s)|(\\++)(?=x[{0}]{{2}}|u[{0}]{{4}}|U[{0}]{{8}}))".format(
    "0-9a-fA-F"
)
_IN_VALUE: Final = re.compile(_DOUBTFUL % r"[^\n -~]| (?=\n|\Z)")
_IN_NAME: Final = re.compile(_DOUBTFUL % r"[^!#-~]|\A[^\w\\]")
_LIKE_JSON: Final = re.compile(
    r'"(?:[^"\\]|\\.)*+"|\[\s*(?:[\[{"\-0-9tfnNI].*)?\]|\{\s*(?:".*)?\}'
    r"|-?[0-9][0-9.eE+-]*|true|false|null|NaN|-?Infinity"
)
"""Matches all JSON, quoted strings among it, and some other strings."""
_BMP: Final = 0xFFFF
_LATIN: Final = 0xFF


def shown_value(value: object, *, ascii_only: bool = False) -> str:
    r"""Return a JSON value of a call's input as text that no other value has.

    The text is never empty, and has several lines only if the value is a string of several lines.
    With `ascii_only`, other characters are escaped too.

    >>> shown_value("rm -r build && echo '\\d'"), shown_value(3), shown_value("3")
    ("rm -r build && echo '\\d'", '3', '"3"')
    >>> print(shown_value("echo \x1b]hidden\x07 "), shown_value(r"echo \x1b"))
    echo \x1b]hidden\x07\x20 echo \\x1b
    """
    if not isinstance(value, str):
        return _json(value, ascii_only=ascii_only)
    if value == "":
        return EMPTY
    if "\n" not in value and (value == EMPTY or _LIKE_JSON.fullmatch(value.strip())):
        return _json(value, ascii_only=ascii_only)

    def written(character: str) -> str:
        if character == "\t" and not ascii_only:
            return f"{TAB}\t"
        is_plain = character != " " and _is_plain(character, ascii_only)
        return character if is_plain else _escape(character)

    return _escaped(value, _IN_VALUE, written)


def shown_name(name: str, *, ascii_only: bool = False) -> str:
    r"""Return a name as text without spaces that no other name has.

    >>> shown_name("path"), shown_name("path "), shown_name("")
    ('path', 'path\\x20', '""')
    """

    def written(character: str) -> str:
        is_plain = character.isalnum() and _is_plain(character, ascii_only)
        return character if is_plain else _escape(character)

    return _escaped(name, _IN_NAME, written) or '""'


def as_json(value: object) -> str:
    """Return the value as JSON, or a note that it cannot be shown."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return "(cannot be shown)"


def _json(value: object, *, ascii_only: bool) -> str:
    """Return the value as visible JSON, in which escapes and backslashes cannot be confused."""
    text = as_json(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_plain(one, ascii_only) else _escape(one) for one in text)


def _escaped(text: str, doubtful: re.Pattern[str], written: Callable[[str], str]) -> str:
    def escape(match: re.Match[str]) -> str:
        before, character, lookalike = match.groups()
        if character is None:
            return 2 * str(lookalike)
        instead = written(character)
        return (2 * before if instead.startswith("\\") else before) + instead

    return doubtful.sub(escape, text)


def _is_plain(character: str, ascii_only: bool) -> bool:  # noqa: FBT001 - of this module only
    return is_seen(character) and character != TAB and not (ascii_only and character > "~")


def _escape(character: str) -> str:
    code = ord(character)
    if code <= _LATIN:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _BMP else f"\\U{code:08x}"
