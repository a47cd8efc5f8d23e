"""Collect what the file tools returned: files, numbered lines, findings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from budget_magic.simulator.scenes.context import CompletedCall, SceneContext
from budget_magic.simulator.scenes.toolbox import FILE_TOOLS, PATH, PATTERN, RANGE, FileTools, Kind

_HIT: Final = re.compile(r"(.+?):(\d+):(.*)")
_NAME: Final = re.compile(r"(?:[-*•] )?(.*[^/\\\s]\.\w+)(?:\s{2,}.*|\t.*| \(.*\))?")
_CUT: Final = re.compile(
    r"^(?:.*\n)?(?:\[|\(|\.{3}) ?"
    r"(?:output truncated|[\d,]+ \w+ (?:left out|omitted|not shown)).*(?:\n.*)?",
    re.MULTILINE,
)
"""A note that a result was truncated, with the neighbouring lines, which may be incomplete."""
_REPORTED: Final = re.compile(r"^- `(.+?):(\d+)`: (`+) ?(.+?) ?\3$", re.MULTILINE)
_SEARCHED: Final = re.compile(r"Searched all files with (\d+) patterns")
_COMMENT: Final = ("#", "//", "*", "--", ">>>", "...")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A kind of problem: a table of `problems.toml`."""

    title: str
    severity: str
    search: str
    why: str
    instead: str
    unless: str = ""
    comments: bool = False

    def matches(self, text: str) -> bool:
        """Return whether a line shows the problem."""
        if text.lstrip().startswith(_COMMENT) and not self.comments:
            return False
        is_excused = self.unless and re.search(self.unless, text)
        return not is_excused and re.search(self.search, text) is not None


_DATA: Final = tomllib.loads(Path(__file__).with_name("problems.toml").read_text(encoding="utf-8"))
PROBLEMS: Final = tuple(
    Problem(severity=severity, **table)
    for severity in ("high", "medium", "low")
    for table in _DATA[severity]
)
_SOURCE: Final = re.compile(_DATA["files"], re.IGNORECASE)


class Finding(NamedTuple):
    """A line that shows a problem."""

    problem: Problem
    path: str
    line: int
    text: str


@dataclass(slots=True, kw_only=True)
class Evidence:
    """What the tools returned so far, with paths as they wrote them."""

    context: SceneContext
    tools: FileTools
    files: set[str] = field(default_factory=set)
    lines: dict[tuple[str, int], str] = field(default_factory=dict)
    """Lines by (path, number), from searches and from the files that were read."""
    read: dict[str, str] = field(default_factory=dict)
    """`whole`, `part` or `failed`, by requested file."""
    searched: dict[str, bool] = field(default_factory=dict)
    """Whether the search succeeded, by pattern."""
    failed: list[str] = field(default_factory=list)

    def findings(self) -> list[Finding]:
        """Return the lines that show a problem, worst first."""
        lines = ((place, text) for place, text in sorted(self.lines.items()))
        left = {place: text for place, text in lines if _SOURCE.search(place[0])}
        found = []
        for problem in PROBLEMS:
            for path, line in [place for place, text in left.items() if problem.matches(text)]:
                found.append(Finding(problem, path, line, left.pop((path, line)).strip()))
        return found

    def ranked_files(self) -> list[str]:
        """Return the files with findings, worst first, then others with code or settings."""
        sources = (path for path in sorted(self.files) if _SOURCE.search(path))
        return [*dict.fromkeys([*(finding.path for finding in self.findings()), *sources])]

    def add_file(self, call: CompletedCall) -> None:
        """Add the result of reading a file."""
        path, lines = _path(call), _argument(call, RANGE)
        first = int(lines[0]) if isinstance(lines, list) and lines else 1
        whole, *rest = _CUT.split(call.text)
        self.files.add(path)
        self.read[path] = "part" if lines or rest else "whole"
        # Line numbers after a truncation are unknown.
        for number, line in enumerate(whole.splitlines(), first):
            self.lines.setdefault((path, number), line)

    def add_lines(self, call: CompletedCall, kind: Kind) -> None:
        """Add the result of a search or a listing."""
        if _CUT.search(call.text):
            self.failed.append(f"`{call.name}`: its result was cut")
        for line in _CUT.sub("", call.text).splitlines():
            if kind == "grep" and (hit := _HIT.fullmatch(line)):
                path = hit[1].removeprefix("./")
                self.files.add(path)
                self.lines[path, int(hit[2])] = hit[3]
            elif kind != "grep" and (name := _NAME.fullmatch(line.strip())):
                self.files.add(name[1].removeprefix("./"))


def gather_evidence(context: SceneContext) -> Evidence:
    """Collect all results of the conversation, and the findings in a summary that replaced it."""
    found = Evidence(context=context, tools=FileTools(context))
    for prompt in context.prompts:
        for path, line, _, text in _REPORTED.findall(prompt):
            found.files.add(path)
            found.lines[path, int(line)] = text
        if searched := _SEARCHED.search(prompt):
            found.searched |= {problem.search: True for problem in PROBLEMS[: int(searched[1])]}
    for call in context.completed_calls:
        kind = FILE_TOOLS.get(call.name)
        if kind == "grep":
            found.searched[str(_argument(call, PATTERN))] = not call.is_error
        if kind and call.is_error:
            found.failed.append(f"`{call.name}`: {' '.join(call.text.split())[:160]}")
            if kind == "read":
                found.read.setdefault(_path(call), "failed")
        elif kind == "read":
            found.add_file(call)
        elif kind and not (kind == "list" and "glob" in found.tools):
            # The paths in a listing may differ from those of the other tools.
            found.add_lines(call, kind)
    return found


def _argument(call: CompletedCall, names: tuple[str, ...]) -> object:
    return next((call.input[name] for name in names if call.input.get(name)), None)


def _path(call: CompletedCall) -> str:
    return str(_argument(call, PATH) or "").removeprefix("./")
