"""Render a tool call for approval in a terminal: all of its input, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

from budget_magic.report.call_labels import approval_sentence, input_fields
from budget_magic.report.plain import columns, in_ascii
from budget_magic.report.view_models import InputField

_EDITS: Final = (("old_str", "new_str"), ("old_string", "new_string"), ("old_text", "new_text"))
_INDENT: Final = 4
_GO_ON: Final = "↪"
_GO_ON_ASCII: Final = ">"
_NAME_COLUMNS: Final = 16
"""Longest name that shares a line with its value."""
_TAB: Final = 4
_LAST_SPACE: Final = "\\x20"


def approval_card(
    name: str, why: str, call_input: Mapping[str, Any], *, width: int = 80, utf8: bool = True
) -> str:
    r"""Return a tool call and why it needs approval; the caller adds the question.

    Different inputs never give the same card: see `exact`. Lines have at most `width` columns (40
    or more) and no trailing spaces. Lines of the input are indented, so that none can look like
    the question. The rest of a folded line follows ↪ (in ASCII >), in a column where the input has
    no text. Without `utf8`, characters beyond ASCII are escaped.

    >>> print(approval_card("save_note", "It asks.", {"text": "one\ntwo", "n": 3}))
    ? Claude wants to run save_note. It asks.
        n         3
        text
          one
          two
    """
    head = " ".join(approval_sentence(name, why).split())
    first, *rest = (line.strip() for line in _folded(head, width - _INDENT))
    fields = input_fields(call_input, ascii_only=not utf8)
    lines = _fields(fields, width, _GO_ON if utf8 else _GO_ON_ASCII)
    card = [f"? {first}", *(f"    {line}" for line in rest), *lines]
    text = "\n".join(line.rstrip() for line in card)
    return text if utf8 else in_ascii(text)


def _fields(fields: Sequence[InputField], width: int, go_on: str) -> Iterator[str]:
    """Yield the input's lines: short values, long values below their names, edits as a diff.

    Names start at the fourth column and contain no spaces; values below them start at the sixth.
    Two spaces separate a name from a value on its line, one space separates it from a size.
    """
    if not fields:
        yield " " * _INDENT + "(no input)"
    by_name = {field.name: field for field in fields}
    edit = next((pair for pair in _EDITS if by_name.keys() >= set(pair)), ())
    left = [field for field in fields if field.name not in edit]
    for field in left:
        if _is_short(field, width):
            yield f"{' ' * _INDENT}{field.name:<8}  {_expanded(field.value)}"
    for field in left:
        if not _is_short(field, width):
            yield from _indented(_titled(field), width, _INDENT, go_on)
            for line in field.value.split("\n"):
                yield from _indented(line, width, _INDENT + 2, go_on)
    if edit:
        before, after = (by_name[name] for name in edit)
        yield from _indented(f"{_titled(before)} to {_titled(after)}", width, _INDENT, go_on)
        for sign, line in _compared(before.value.split("\n"), after.value.split("\n")):
            yield from _indented(line, width, _INDENT + 2, go_on, sign)


def _expanded(line: str) -> str:
    """Return the line with its tabs expanded; each has a visible mark already."""
    return line.expandtabs(_TAB).rstrip(" ")


def _titled(field: InputField) -> str:
    return f"{field.name} ({field.size})" if field.size else field.name


def _is_short(field: InputField, width: int) -> bool:
    """Return whether name and value fit on one line."""
    room = width - _INDENT - _NAME_COLUMNS - 2
    fits = columns(field.name) <= _NAME_COLUMNS and columns(_expanded(field.value)) <= room
    return fits and "\n" not in field.value and not field.value.startswith(" ")


def _indented(line: str, width: int, indent: int, go_on: str, sign: str = " ") -> Iterator[str]:
    """Yield the line after `sign`, folded without losing a character."""
    first, *rest = _folded(_expanded(line), width - indent)
    lead = " " * (indent - 2)
    yield f"{lead}{sign} {first}"
    yield from (f"{lead}{go_on} {piece}" for piece in rest)


def _folded(line: str, width: int) -> Iterator[str]:
    """Split the line into pieces of at most `width` columns without trailing spaces.

    The pieces add up to the line. Breaks come before a space if there is one near the end.
    """
    start = 0
    while (end := _end_of_piece(line, start, width)) < len(line):
        piece = line[start:end].rstrip(" ")
        if not piece:
            spaces = width - len(_LAST_SPACE)
            yield " " * spaces + _LAST_SPACE
            start += spaces + 1
            continue
        if len(piece) == end - start and line[end] != " ":
            space = piece.rfind(" ", len(piece) // 2)
            piece = piece[: max(space, 0)].rstrip(" ") or piece
        yield piece
        start += len(piece)
    yield line[start:]


def _end_of_piece(line: str, start: int, width: int) -> int:
    """Return the end of the longest piece of at most `width` columns."""
    used = 0
    for end in range(start, len(line)):
        used += columns(line[end])
        if used > width:
            return max(end, start + 1)
    return len(line)


def _compared(before: list[str], after: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a diff: what the texts share at both ends is context."""
    head = _shared(before, after)
    tail = _shared(before[head:][::-1], after[head:][::-1])
    yield from ((" ", line) for line in before[:head])
    yield from (("-", line) for line in before[head : len(before) - tail])
    yield from (("+", line) for line in after[head : len(after) - tail])
    yield from ((" ", line) for line in before[len(before) - tail :])


def _shared(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
