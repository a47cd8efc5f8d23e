"""What the tool results of a conversation say: files, hits, what was read and what was not."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from budget_magic.simulator.scenes.audit.rules import (
    CODE,
    CONFIG,
    GROUPS,
    SEVERITIES,
    Rule,
    find_rule,
    search_pattern,
)
from budget_magic.simulator.scenes.toolbox import FileTools
from budget_magic.simulator.view import Done, View

_HIT: Final = re.compile(r"^(?P<path>.+?):(?P<line>\d+):(?P<text>.*)$")
_BARE_HIT: Final = re.compile(r"^(?P<line>\d+):(?P<text>.*)$")
_NUMBERED: Final = re.compile(r"^\s*(\d+)(?:\t|: |\| ?|→)(.*)$")
_LISTED: Final = re.compile(
    r"^\s*(?:[-*•]\s+)?(?P<name>[^\s(][^\t(]*?)(?:\s{2,}.*|\t.*|\s*\(.*\))?$"
)
_REPORTED: Final = re.compile(
    r"^- `(?P<path>[^`:]+):(?P<line>\d+)`: (?P<fence>`+) ?(?P<text>.+?) ?(?P=fence)$", re.MULTILINE
)
_CUT: Final = re.compile(
    r"^\[?(\.\.\.|[\d,]+ (bytes|characters|lines) (left out|omitted|not shown))"
)
"""The line that stands for the middle of a result that was too long."""
_NOTHING: Final = ("no matches", "(empty)", "")
_NOT_A_FILE: Final = re.compile(r"\[.*\]|\.\.\..*|.*[:.!?]\s*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Hit:
    """A line that shows a problem."""

    rank: int
    """Place of its severity, worst first."""
    path: str
    line: int
    text: str
    rule: Rule = field(compare=False)


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything the tools told so far."""

    files: list[str] = field(default_factory=list)
    """All file paths seen, as the tools wrote them."""
    lines: dict[tuple[str, int], str] = field(default_factory=dict)
    """Lines seen by grep or read, by (path, line number)."""
    read: dict[str, str] = field(default_factory=dict)
    """Text of the files that were read, by path as asked for."""
    partly: set[str] = field(default_factory=set)
    """Paths of which only some lines were read, or were shown."""
    failed: list[tuple[Done, str]] = field(default_factory=list)
    """Calls that gave an error, with its first line."""
    searched: list[str] = field(default_factory=list)
    """Patterns that grep has looked for."""
    root: str = ""
    """The folder that all absolute paths share; empty where paths are relative."""
    _hits: list[Hit] | None = None

    def short(self, path: str) -> str:
        """A path as the report names it: relative to the common folder."""
        if self.root and path.startswith(self.root):
            return path[len(self.root) :].lstrip("/\\") or path
        return path.removeprefix("./")

    def hits(self) -> list[Hit]:
        """All lines that show a problem, worst first, each once; call it when all is gathered."""
        if self._hits is not None:
            return self._hits
        found: dict[tuple[str, int], Hit] = {}
        for (path, number), text in self.lines.items():
            name = self.short(path)
            rule = find_rule(name, text)
            if rule is not None:
                rank = SEVERITIES.index(rule.severity)
                hit = Hit(rank=rank, path=name, line=number, text=text.strip(), rule=rule)
                found.setdefault((name, number), hit)
        self._hits = sorted(found.values())
        return self._hits

    def source_files(self) -> list[str]:
        """The files that can hold code or settings, as the tools wrote them."""
        return [path for path in self.files if _suffix(path) in CODE | CONFIG]

    def full_path(self, short: str) -> str:
        """The path as the tools wrote it, for a path of the report."""
        return next((path for path in self.files if self.short(path) == short), short)

    def was_read(self, path: str) -> bool:
        """Whether the file was read, under any spelling of its path."""
        return self.short(path) in {self.short(read) for read in self.read}


def gather(view: View, files: FileTools) -> Evidence:
    """What all results of the conversation say."""
    found = Evidence()
    seen: dict[str, None] = {}
    for done in view.done:
        kind = files.kind(done.name)
        if kind is None:
            continue
        if kind == "grep":
            found.searched.append(str(_first(done, "pattern", "regex", "query")))
        if done.is_error:
            found.failed.append((done, done.text.strip().split("\n")[0][:160]))
        else:
            _take(found, done, kind, seen)
    for prompt in view.prompts:
        _take_report(found, prompt)
    found.root = _common([path for path in seen if PurePath(path).is_absolute()])
    shown: dict[str, str] = {}
    for path in seen:
        shown.setdefault(found.short(path), path)
    found.files = sorted(shown.values(), key=found.short)
    return found


def _take(found: Evidence, done: Done, kind: str, seen: dict[str, None]) -> None:
    if kind == "grep":
        _take_hits(found, done, seen)
    elif kind == "read":
        _take_text(found, done, seen)
    elif kind == "glob":
        for path in _paths(_whole_lines(done.text)):
            seen.setdefault(path)
    else:
        _take_listing(done, seen)


def _take_report(found: Evidence, prompt: str) -> None:
    """The findings of an earlier report, where a conversation was replaced by its summary."""
    for match in _REPORTED.finditer(prompt):
        found.lines[match["path"], int(match["line"])] = match["text"]
    if _REPORTED.search(prompt) and "Searched all files" in prompt:
        found.searched.extend(search_pattern(rules) for _, rules in GROUPS)


def _take_hits(found: Evidence, done: Done, seen: dict[str, None]) -> None:
    one_file = str(_first(done, "path", "file_path") or "")
    for line in _whole_lines(done.text):
        match = _HIT.match(line)
        bare = _BARE_HIT.match(line) if one_file else None
        if bare:
            found.lines[one_file, int(bare["line"])] = bare["text"]
        elif match:
            seen.setdefault(match["path"])
            found.lines[match["path"], int(match["line"])] = match["text"]


def _take_text(found: Evidence, done: Done, seen: dict[str, None]) -> None:
    path = str(_first(done, "file_path", "path", "filename", "file", "name") or "")
    lines_asked = _first(done, "view_range", "line_range", "lines")
    first = lines_asked[0] if isinstance(lines_asked, list) and lines_asked else 1
    seen.setdefault(path)
    found.read[path] = done.text
    if lines_asked:
        found.partly.add(path)
    lines = done.text.split("\n")
    numbered = [_NUMBERED.match(line) for line in lines[:20] if line.strip()]
    has_numbers = bool(numbered) and all(numbered)
    number = first - 1
    for line in lines:
        number += 1
        match = _NUMBERED.match(line) if has_numbers else None
        if match:
            number = int(match[1])
            found.lines[path, number] = match[2]
        elif not has_numbers:
            if _CUT.match(line):
                # The numbers of what follows are not known, and the line before is not whole.
                found.partly.add(path)
                found.lines.pop((path, number - 1), None)
                break
            found.lines[path, number] = line


def _take_listing(done: Done, seen: dict[str, None]) -> None:
    folder = str(_first(done, "path", "dir", "directory") or "").rstrip("/")
    for line in _whole_lines(done.text):
        match = _LISTED.match(line)
        name = match["name"].strip() if match else ""
        if name and not name.endswith("/") and "." in name.strip(".") and " " not in name:
            under = folder and folder != "." and not name.startswith(folder)
            seen.setdefault(f"{folder}/{name}" if under else name)


def _whole_lines(text: str) -> list[str]:
    """The lines of a result, without those that a cut went through."""
    lines = text.splitlines()
    cuts = [at for at, line in enumerate(lines) if _CUT.match(line)]
    broken = {at + step for at in cuts for step in (-1, 0, 1)}
    return [line for at, line in enumerate(lines) if at not in broken]


def _paths(lines: Iterable[str]) -> list[str]:
    stripped = [line.strip() for line in lines]
    return [
        line
        for line in stripped
        if line not in _NOTHING
        and not _NOT_A_FILE.fullmatch(line)
        and not line.endswith("/")
        and "." in line.replace("\\", "/").rsplit("/", 1)[-1]
    ]


def _first(done: Done, *names: str) -> object:
    return next((done.input[name] for name in names if done.input.get(name)), None)


def _suffix(path: str) -> str:
    name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
    return name.rsplit(".", 1)[-1] if "." in name else ""


def _common(paths: list[str]) -> str:
    try:
        return os.path.commonpath([str(PurePath(path).parent) for path in paths]) if paths else ""
    except ValueError:
        return ""
