"""Write the Markdown report of an audit, or the answer to a question, within a token limit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from budget_magic.simulator.scenes.audit.evidence import PROBLEMS, Evidence, Finding
from budget_magic.simulator.tokens import count_text

SIMULATED: Final = (
    "This is a simulated answer: the simulator built into budget_magic wrote it from what the tools"
    " returned; no Claude model was asked."
)
_MAX_LINES: Final = 6
_MAX_NAMES: Final = 10
_READ_LABELS: Final = {"whole": "Read", "part": "Read in part", "failed": "Could not read"}


def write_report(evidence: Evidence, *, why: str = "", max_tokens: int) -> str:
    """Return the findings and what was read; `why` says why the audit stopped early."""
    found = evidence.findings()
    searches = sum(evidence.searched.get(problem.search, False) for problem in PROBLEMS)
    summary = "I audited this folder and none of my searches found a problem."
    if not found and not searches:
        summary = "I could not search this folder, so I cannot say whether it has problems."
    elif found:
        counts = Counter(finding.problem.severity for finding in found)
        split = ", ".join(f"{count} {severity}" for severity, count in counts.items())
        places = "1 place" if len(found) == 1 else f"{len(found)} places"
        summary = f"I audited this folder and found {places} to look at ({split}), worst first."
    tail = ["## What I read"]
    for status, label in _READ_LABELS.items():
        paths = [path for path, one in evidence.read.items() if one == status]
        tail += [f"{label}: {_names(paths)}."] if paths else []
    tail += [f"Searched all files with {searches} patterns."] if searches else []
    tail.append("## What I did not read")
    unread = evidence.files - evidence.read.keys()
    tail += [f"Not read: {_names(unread)}."] if unread else []
    failed = "; ".join(evidence.failed[:3])
    tail += [f"Tools that failed or were cut: {failed}."] if failed else []
    tail.append("Patterns find lines, not intentions: a person should confirm each finding.")
    return _fit([SIMULATED, f"{summary} {why}".strip(), *_findings(found)], max_tokens, tail)


def answer_question(evidence: Evidence, words: Sequence[str], *, max_tokens: int) -> str:
    """Return the findings and lines that contain one of the words."""

    def mentions(*texts: str) -> bool:
        return any(word.lower() in text.lower() for word in words for text in texts)

    found = evidence.findings()
    about = [f for f in found if mentions(f.path, f.text, f.problem.title, f.problem.why)] or found
    lines = [
        f"- `{path}:{line}`: {quote(text)}"
        for (path, line), text in sorted(evidence.lines.items())
        if text.strip() and mentions(path, text)
    ]
    parts = [SIMULATED]
    if about:
        parts += ["From the findings, worst first:", *_findings(about)[:5]]
    if lines:
        parts.append(f"Lines that speak of {' or '.join(words)}:\n\n" + "\n".join(lines[:8]))
    if len(parts) == 1:
        parts.append(f"Nothing I read or searched speaks of that; I know {_names(evidence.files)}.")
    return _fit(parts, max_tokens)


def _findings(found: Sequence[Finding]) -> list[str]:
    """Return a paragraph per kind of problem, under headings by severity."""
    paragraphs = []
    heading = ""
    for number, problem in enumerate(dict.fromkeys(finding.problem for finding in found), 1):
        here = [finding for finding in found if finding.problem == problem]
        lines = [f"- `{one.path}:{one.line}`: {quote(one.text)}" for one in here[:_MAX_LINES]]
        lines += [f"- and {len(here) - _MAX_LINES} more"] if len(here) > _MAX_LINES else []
        new = "" if problem.severity == heading else f"## {problem.severity.capitalize()}\n\n"
        heading = problem.severity
        paragraphs.append(
            f"{new}**{number}. {problem.title}**\n\n" + "\n".join(lines) + "\n\n"
            f"Why it matters: {problem.why} Instead: {problem.instead}"
        )
    return paragraphs


def _fit(parts: Sequence[str], max_tokens: int, tail: Sequence[str] = ()) -> str:
    """Join as many of the first parts as fit, and the tail if it fits too."""
    for kept in range(len(parts), 1, -1):
        note = ["The rest did not fit here."] if kept < len(parts) else []
        text = "\n\n".join([*parts[:kept], *note, *tail])
        if count_text(text) <= max_tokens:
            return text
    return " ".join(parts[:2]) if tail else parts[0]


def quote(text: str, max_characters: int = 140) -> str:
    """Return a text as a Markdown code span on one line, shortened to `max_characters`."""
    text = " ".join(text.split()) or "(nothing)"
    text = text if len(text) <= max_characters else f"{text[:max_characters]} ..."
    fence = "`" * (max(map(len, re.findall(r"`+", text)), default=0) + 1)
    pad = " " if len(fence) > 1 else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _names(paths: Iterable[str]) -> str:
    names = sorted(paths)
    rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(f"`{name}`" for name in names[:_MAX_NAMES]) + rest
