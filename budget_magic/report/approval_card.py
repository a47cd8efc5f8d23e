"""What a person reads in a terminal before a call runs: all of its input, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from budget_magic.report.plain import columns, in_ascii
from budget_magic.report.text import clean_text
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
        All that Claude passes to it. Nothing of it is cut.
    width
        Columns, at least 40.
    utf8
        False writes ASCII in place of the marks.

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
    wants = f"Claude wants to run {' '.join(clean_text(name).split())}."
    head = f"{wants} {' '.join(clean_text(why).split())}".strip()
    lines = list(_folded(head, width - 2))
    card = [f"? {lines[0]}", *(f"    {line}" for line in _rest(lines, width))]
    card += _fields(input_fields(call_input), width)
    text = "\n".join(line.rstrip() for line in card)
    return text if utf8 else in_ascii(text.replace(_GO_ON, "+ "))


def _rest(lines: list[str], width: int) -> Iterator[str]:
    for line in lines[1:]:
        yield from _folded(line, width - _INDENT)


def _fields(fields: tuple[tuple[str, str], ...], width: int) -> Iterator[str]:
    if not fields:
        yield " " * _INDENT + "(no input)"
    values = [(name, value.expandtabs(_TAB)) for name, value in fields]
    by_name = dict(values)
    edit = next((pair for pair in _EDITS if by_name.keys() >= set(pair)), ())
    left = [(name, value) for name, value in values if name not in edit]
    for name, value in left:
        if _is_short(name, value, width):
            yield f"{' ' * _INDENT}{name:<9} {value or '(empty)'}"
    for name, value in left:
        if not _is_short(name, value, width):
            yield from _indented(" ".join(name.split()), width, _INDENT)
            for line in value.split("\n"):
                yield from _indented(line, width, _INDENT + 2)
    if edit:
        before, after = (by_name[name].split("\n") for name in edit)
        for sign, line in _compared(before, after):
            yield from _indented(line, width, _INDENT, sign)


def _is_short(name: str, value: str, width: int) -> bool:
    """Whether both stand on one line."""
    fits = columns(name) <= _NAME_COLUMNS and columns(value) <= width - _INDENT - _NAME_COLUMNS - 1
    return fits and "\n" not in value + name


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
