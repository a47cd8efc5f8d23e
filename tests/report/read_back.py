"""Reads approval cards and fields back: what can be read back cannot mean two inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_LOOKALIKE = re.compile(r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}")
_BODY = re.compile(r"x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}")
_BACKSLASHES = re.compile(r"\\+")
_IN_JSON = re.compile(r"\\(?:x([0-9a-f]{2})|U([0-9a-f]{8})|.)")
_TAB = "\N{RIGHTWARDS ARROW TO BAR}"
_TITLE = re.compile(r"\S+(?: \([\d,]+ characters\))?")
_EDIT = re.compile(rf"({_TITLE.pattern}) to ({_TITLE.pattern})")


def typed(value: object) -> str:
    """Return JSON, in which 1, 1.0, "1" and true differ."""
    return json.dumps(value, sort_keys=True)


def fields(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the input whose fields these are, as `typed`."""
    return typed({_name(name): _value(value.replace(f"{_TAB}\t", "\t")) for name, value in pairs})


def card(text: str, *, utf8: bool) -> str:
    """Return the input that a card shows, as `typed`."""
    lines = text.split("\n")[1:]
    found, mark = dict[str, Any](), "↪" if utf8 else ">"
    if lines == ["    (no input)"]:
        return typed(found)
    at = 0
    while at < len(lines) and "  " in lines[at].strip() and lines[at][4] != " ":
        name, value = lines[at].strip().split(maxsplit=1)
        found[_name(name)] = _value(_with_tabs(value))
        at += 1
    while at < len(lines):
        assert lines[at][4] != " ", lines[at]
        title, at = _joined(lines, at, 4, mark)
        below: list[tuple[str, str]] = []
        is_edit = _EDIT.fullmatch(title) is not None
        while at < len(lines) and (is_edit or _is_below(lines[at], mark)):
            sign = lines[at][4:5]
            line, at = _joined(lines, at, 6, mark)
            below.append((sign, _with_tabs(line)))
        if is_edit:
            one, other = title.split(" to ")
            found[_named(one)] = _value("\n".join(line for sign, line in below if sign != "+"))
            found[_named(other)] = _value("\n".join(line for sign, line in below if sign != "-"))
        else:
            assert _TITLE.fullmatch(title), title
            found[_named(title)] = _value("\n".join(line for _, line in below))
    return typed(found)


def _is_below(line: str, mark: str) -> bool:
    return not line or line.startswith(("     ", f"    {mark} "))


def _joined(lines: list[str], at: int, indent: int, mark: str) -> tuple[str, int]:
    line, go_on = lines[at][indent:], f"{' ' * (indent - 2)}{mark} "
    at += 1
    while at < len(lines) and lines[at].startswith(go_on):
        if not line.removesuffix(r"\x20").strip(" "):
            line = line.replace(r"\x20", " ")  # of spaces only, the last is escaped for the break
        line += lines[at][indent:]
        at += 1
    return line, at


def _with_tabs(line: str) -> str:
    """The line with its tabs, each of which goes to the next column that 4 divides."""
    out, at = "", 0
    while at < len(line):
        if line[at] == _TAB:
            out, at = f"{out}\t", (at + 1) // 4 * 4 + 4
        else:
            out, at = out + line[at], at + 1
    return out


def _named(title: str) -> str:
    return _name(title.split(" ", maxsplit=1)[0])


def _name(shown: str) -> str:
    return "" if shown == '""' else _unescaped(shown)


def _value(shown: str) -> object:
    if shown == "(empty)":
        return ""
    if "\n" not in shown and "\t" not in shown:
        try:
            return json.loads(_IN_JSON.sub(_in_json, shown))
        except ValueError:
            pass
    return _unescaped(shown)


def _in_json(match: re.Match[str]) -> str:
    """JSON for the escapes of Python that JSON does not know."""
    return (
        json.dumps(chr(int(match[1] or match[2], 16)))[1:-1] if match[1] or match[2] else match[0]
    )


def _unescaped(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        run = _BACKSLASHES.match(text, at)
        if run is None:
            out, at = out + text[at], at + 1
            continue
        at, count = run.end(), len(run[0])
        if not _LOOKALIKE.match(text, at):
            out += run[0]
            continue
        out += "\\" * (count // 2)
        if count % 2:
            body = _BODY.match(text, at)
            assert body is not None
            out, at = out + chr(int(body[0][1:], 16)), body.end()
    return out
