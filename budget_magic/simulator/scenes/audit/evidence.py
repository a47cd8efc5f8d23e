"""Read what the file tools of a conversation returned: files, numbered lines, findings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from budget_magic.simulator.scenes.toolbox import PATH, PATTERN, RANGE, FileTools
from budget_magic.simulator.view import Done, View

_HIT: Final = re.compile(r"(.+?):(\d+):(.*)")
_NAME: Final = re.compile(r"(?:[-*•] )?(.*[^/\\\s]\.\w+)(?:\s{2,}.*|\t.*| \(.*\))?")
_CUT: Final = re.compile(
    r"^(?:.*\n)?(?:\[|\(|\.{3}) ?"
    r"(?:output truncated|[\d,]+ \w+ (?:left out|omitted|not shown)).*(?:\n.*)?",
    re.MULTILINE,
)
"""The note that a result was cut, with the lines beside it, which may not be whole."""
_REPORTED: Final = re.compile(r"^- `(.+?):(\d+)`: (`+) ?(.+?) ?\3$", re.MULTILINE)
_SEARCHED: Final = re.compile(r"Searched all files with (\d+) patterns")
_COMMENT: Final = ("#", "//", "*", "--", ">>>", "...")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One kind of problem, a table of `problems.toml`."""

    title: str
    severity: str
    search: str
    why: str
    instead: str
    unless: str = ""
    comments: bool = False

    def fits(self, text: str) -> bool:
        """Return whether a line shows the problem."""
        if text.lstrip().startswith(_COMMENT) and not self.comments:
            return False
        cleared = self.unless and re.search(self.unless, text)
        return not cleared and re.search(self.search, text) is not None


_DATA: Final = tomllib.loads(Path(__file__).with_name("problems.toml").read_text(encoding="utf-8"))
PROBLEMS: Final = tuple(
    Problem(severity=severity, **table)
    for severity in ("high", "medium", "low")
    for table in _DATA[severity]
)
_SOURCE: Final = re.compile(_DATA["files"], re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line that shows a problem."""

    problem: Problem
    path: str
    line: int
    text: str


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything that the tools returned so far, with paths as they wrote them."""

    files: set[str] = field(default_factory=set)
    lines: dict[tuple[str, int], str] = field(default_factory=dict)
    """Lines by (path, number), from searches and from files that were read."""
    read: dict[str, str] = field(default_factory=dict)
    """`whole`, `part` or `failed` for each file that was asked for."""
    searched: dict[str, bool] = field(default_factory=dict)
    """Whether the search was answered, by pattern."""
    failed: list[str] = field(default_factory=list)

    def sources(self) -> list[str]:
        """Return the files that can hold code or settings."""
        return sorted(path for path in self.files if _SOURCE.search(path))

    def findings(self) -> list[Finding]:
        """Return the lines that show a problem, worst first."""
        sources = set(self.sources())
        left = {place: text for place, text in sorted(self.lines.items()) if place[0] in sources}
        found = []
        for problem in PROBLEMS:
            for path, line in [place for place, text in left.items() if problem.fits(text)]:
                text = left.pop((path, line)).strip()
                found.append(Finding(problem=problem, path=path, line=line, text=text))
        return found


def gather(view: View, files: FileTools) -> Evidence:
    """Collect what all results of the conversation say.

    Findings of an earlier report count too where a summary with them replaced the conversation.
    """
    found = Evidence()
    for prompt in view.prompts:
        for path, line, _, text in _REPORTED.findall(prompt):
            found.files.add(path)
            found.lines[path, int(line)] = text
        if told := _SEARCHED.search(prompt):
            found.searched |= {problem.search: True for problem in PROBLEMS[: int(told[1])]}
    for done in view.done:
        kind = files.kind(done.name)
        if kind == "grep":
            found.searched[str(_given(done, PATTERN))] = not done.is_error
        if kind and done.is_error:
            found.failed.append(f"`{done.name}`: {' '.join(done.text.split())[:160]}")
            if kind == "read":
                found.read.setdefault(_path(done), "failed")
        elif kind == "read":
            _take_file(found, done)
        elif kind and not (kind == "list" and files.glob):
            # A listing may name a file otherwise than the other tools do.
            _take_lines(found, done, kind)
    return found


def _take_file(found: Evidence, done: Done) -> None:
    path, asked = _path(done), _given(done, RANGE)
    first = int(asked[0]) if isinstance(asked, list) and asked else 1
    whole, *rest = _CUT.split(done.text)
    found.files.add(path)
    found.read[path] = "part" if asked or rest else "whole"
    # The numbers of the lines after a cut are not known.
    for number, line in enumerate(whole.splitlines(), first):
        found.lines.setdefault((path, number), line)


def _take_lines(found: Evidence, done: Done, kind: str) -> None:
    if _CUT.search(done.text):
        found.failed.append(f"`{done.name}`: its result was cut")
    for line in _CUT.sub("", done.text).splitlines():
        if kind == "grep" and (hit := _HIT.fullmatch(line)):
            path = hit[1].removeprefix("./")
            found.files.add(path)
            found.lines[path, int(hit[2])] = hit[3]
        elif kind != "grep" and (name := _NAME.fullmatch(line.strip())):
            found.files.add(name[1].removeprefix("./"))


def _given(done: Done, names: tuple[str, ...]) -> object:
    return next((done.input[name] for name in names if done.input.get(name)), None)


def _path(done: Done) -> str:
    return str(_given(done, PATH) or "").removeprefix("./")
