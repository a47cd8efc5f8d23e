"""Describe tool calls: titles of steps, calls as Python, fields for approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from budget_magic.report.exact import as_json, shown_name, shown_value
from budget_magic.report.numbers import plural
from budget_magic.report.text import exact_line, exact_text, one_line
from budget_magic.report.view_models import InputField, TitlePart

_MAIN: Final = ("path", "file_path", "command", "url", "file", "folder", "directory", "root")
"""Inputs whose values need no name."""
_QUOTED: Final = ("pattern", "query", "regex", "search")
_DETAIL_CHARS: Final = 60
_LOOKED_AT: Final = 4 * _DETAIL_CHARS
_GROUPS: Final = 3
_LONG_CHARS: Final = 600
_LONG_LINES: Final = 10
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})


def _call_detail(name: str, call_input: object) -> str:
    """Return a call's input for a title, with invisible characters escaped.

    >>> _call_detail("grep", {"pattern": "a|b", "path": "src/"})
    '"a|b" src/'
    >>> _call_detail("glob", {"pattern": "*.py"}), _call_detail("look", {"sku": "B-7", "n": 2})
    ('*.py', 'sku=B-7 n=2')
    """
    if not isinstance(call_input, Mapping):
        return ""
    words = []
    for key, value in sorted(call_input.items(), key=lambda item: item[0] in _MAIN):
        if value in _EMPTY:
            continue
        text = value if isinstance(value, str) else as_json(value)
        shown = one_line(exact_text(text[:_LOOKED_AT]), _DETAIL_CHARS)
        if key in _MAIN or (key in _QUOTED and name == "glob"):
            words.append(shown)
        elif key in _QUOTED:
            words.append(f'"{shown}"')
        else:
            words.append(f"{one_line(str(key), 24)}={shown}")
    return one_line(" ".join(words), _DETAIL_CHARS)


def call_text(name: str, call_input: object) -> str:
    """Return the whole call as Python.

    >>> call_text("read_file", {"path": "a.py"})
    'read_file(path="a.py")'
    """
    if not isinstance(call_input, Mapping):
        return exact_text(f"{name}({as_json(call_input)})")
    inside = ", ".join(f"{key}={as_json(value)}" for key, value in call_input.items())
    return exact_text(f"{name}({inside})")


def title_parts(calls: Sequence[tuple[str, object]]) -> tuple[TitlePart, ...]:
    """Return the calls of a step, with adjacent calls of the same tool grouped."""
    groups: list[tuple[str, list[str]]] = []
    for name, call_input in calls:
        shown, detail = one_line(name, 48), _call_detail(name, call_input)
        if not groups or groups[-1][0] != shown:
            groups.append((shown, []))
        groups[-1][1].append(detail)
    parts = [
        TitlePart(
            name=name,
            times=len(details),
            detail=one_line(", ".join(filter(None, details)), _DETAIL_CHARS),
        )
        for name, details in groups[:_GROUPS]
    ]
    if len(groups) > _GROUPS:
        parts.append(TitlePart(detail=f"{sum(len(d) for _, d in groups[_GROUPS:])} more"))
    return tuple(parts)


def approval_sentence(name: str, why: str) -> str:
    """Return what Claude wants to run, and why that needs approval."""
    return f"Claude wants to run {exact_line(name)}. {exact_line(why)}".strip()


def input_fields(
    call_input: Mapping[str, Any], *, ascii_only: bool = False
) -> tuple[InputField, ...]:
    """Return the whole input of a call by name; different inputs give different fields.

    With `ascii_only`, characters beyond ASCII are escaped too.
    """
    return tuple(
        InputField(
            name=shown_name(str(key), ascii_only=ascii_only),
            value=shown_value(value, ascii_only=ascii_only),
            size=_size(value if isinstance(value, str) else as_json(value)),
        )
        for key, value in call_input.items()
    )


def _size(text: str) -> str:
    """Return the size of a text too long for a card, else an empty string."""
    is_long = len(text) > _LONG_CHARS or text.count("\n") > _LONG_LINES
    return plural(len(text), "character") if is_long else ""
