"""What a person reads in a terminal before a call runs: all of its input, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from budget_magic.report.plain import columns, in_ascii
from budget_magic.report.shapes import InputField
from budget_magic.report.text import exact_line
from budget_magic.report.titles import input_fields

_EDITS: Final = (("old_str", "new_str"), ("old_string", "new_string"), ("old_text", "new_text"))
_INDENT: Final = 4
_GO_ON: Final = "↪ "
_NAME_COLUMNS: Final = 16
"""Longest name that stands before its value on one line."""
_TAB: Final = 4


def approval_card(
    name: str, why: str, call_input: Mapping[str, Any], *, width: int = 80, utf8: bool = True
) -> str:
    r"""The question about a call, without its last line: who asks for what, and why it asks.

    Parameters
    ----------
    name
        The tool.
    why
        Why it asks, in one sentence; it may be empty.
    call_input
        All that Claude passes to it. Nothing of it is cut, and what cannot be seen is escaped.
    width
        Columns, at least 40.
    utf8
        False writes ASCII, with escapes in place of other characters.

    Returns
    -------
    str
        Lines of at most `width` columns. Every line of the input is indented, so that none can
        look like the question; where a line of it goes on in the next one, that begins with ↪.

    Examples
    --------
    >>> print(approval_card("save_note", "It asks.", {"text": "one\ntwo", "n": 3}))
    ? Claude wants to run save_note. It asks.
        n         3
        text
          one
          two
    """
    head = " ".join(f"Claude wants to run {exact_line(name)}. {exact_line(why)}".split())
    lines = list(_folded(head, width - 2))
    card = [f"? {lines[0]}", *(f"    {line}" for line in _rest(lines, width))]
    card += _fields([_expanded(field, utf8=utf8) for field in input_fields(call_input)], width)
    text = "\n".join(line.rstrip() for line in card)
    return text if utf8 else in_ascii(text.replace(_GO_ON, "+ "))


def _rest(lines: list[str], width: int) -> Iterator[str]:
    for line in lines[1:]:
        yield from _folded(line, width - _INDENT)


def _expanded(field: InputField, *, utf8: bool) -> InputField:
    """The field with its tabs as spaces, and in ASCII where the terminal has nothing else."""
    name, value = field.name, field.value.expandtabs(_TAB)
    if not utf8:
        name, value = (text.encode("ascii", "backslashreplace").decode() for text in (name, value))
    return replace(field, name=name, value=value)


def _fields(fields: Sequence[InputField], width: int) -> Iterator[str]:
    if not fields:
        yield " " * _INDENT + "(no input)"
    by_name = {field.name: field for field in fields}
    edit = next((pair for pair in _EDITS if by_name.keys() >= set(pair)), ())
    left = [field for field in fields if field.name not in edit]
    for field in left:
        if _is_short(field, width):
            yield f"{' ' * _INDENT}{field.name:<9} {field.value or '(empty)'}"
    for field in left:
        if not _is_short(field, width):
            yield from _indented(_titled(field), width, _INDENT)
            for line in field.value.split("\n"):
                yield from _indented(line, width, _INDENT + 2)
    if edit:
        before, after = (by_name[name] for name in edit)
        for field in filter(lambda field: field.size, (before, after)):
            yield from _indented(_titled(field), width, _INDENT)
        for sign, line in _compared(before.value.split("\n"), after.value.split("\n")):
            yield from _indented(line, width, _INDENT, sign)


def _titled(field: InputField) -> str:
    return f"{field.name} ({field.size})" if field.size else field.name


def _is_short(field: InputField, width: int) -> bool:
    """Whether name and value stand on one line."""
    room = width - _INDENT - _NAME_COLUMNS - 1
    fits = columns(field.name) <= _NAME_COLUMNS and columns(field.value) <= room
    return fits and "\n" not in field.value


def _indented(line: str, width: int, indent: int, sign: str = " ") -> Iterator[str]:
    """The line behind `sign`, folded without losing a character."""
    lead = " " * (indent - 2) + sign + " "
    pieces = _folded(line, width - indent - 2)
    yield lead + next(pieces)
    for piece in pieces:
        yield lead + _GO_ON + piece


def _folded(line: str, width: int) -> Iterator[str]:
    """The line in pieces of at most `width` columns, after a space where one is near the end."""
    while columns(line) > width:
        end, used = 0, 0
        for character in line:
            used += columns(character)
            if used > width:
                break
            end += 1
        space = line.rfind(" ", end // 2, end)
        end = space + 1 if space >= 0 else max(end, 1)
        yield line[:end]
        line = line[end:]
    yield line


def _compared(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    """Lines of both with what they share at both ends as context."""
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    yield from ((" ", line) for line in before[:head])
    yield from (("-", line) for line in before[head : len(before) - tail])
    yield from (("+", line) for line in after[head : len(after) - tail])
    yield from ((" ", line) for line in before[len(before) - tail :])


def _shared(one: list[str], other: list[str]) -> int:
    same = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        same += 1
    return same
