"""The Markdown report of an audit, in three lengths, and short answers to later questions."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from budget_magic.simulator.scenes.audit.evidence import Evidence, Hit
from budget_magic.simulator.scenes.audit.rules import SEVERITIES, Rule
from budget_magic.simulator.tokens import count_text

SIMULATED: Final = (
    "This is a simulated answer: the simulator built into budget_magic wrote it from what the tools"
    " returned; no Claude model was asked."
)
_QUOTE_LENGTH: Final = 140
_PLACES: Final = 6


def write_report(evidence: Evidence, *, wrapped_up: str, most_tokens: int) -> str:
    """The longest form of the report that fits.

    Parameters
    ----------
    evidence
        What the tools told.
    wrapped_up
        Why the audit stopped short, as a sentence; empty where it did not.
    most_tokens
        Room for the text.
    """
    text = ""
    for places, explained in ((_PLACES, True), (3, True), (3, False), (1, False)):
        text = _report(evidence, wrapped_up, places=places, explained=explained)
        if count_text(text) <= most_tokens:
            return text
    return text if count_text(text) <= most_tokens else _shortest(evidence)


def _report(evidence: Evidence, wrapped_up: str, *, places: int, explained: bool) -> str:
    by_rule: dict[str, list[Hit]] = {}
    for hit in evidence.hits():
        by_rule.setdefault(hit.rule.title, []).append(hit)
    parts = [SIMULATED, _summary(evidence, by_rule)]
    if wrapped_up:
        parts.append(wrapped_up)
    number = 0
    for severity in SEVERITIES:
        found = [hits for hits in by_rule.values() if hits[0].rule.severity == severity]
        if found:
            parts.append(f"## {severity.capitalize()}")
        for hits in sorted(found, key=len, reverse=True):
            number += 1
            parts.append(_finding(number, hits, places=places, explained=explained))
    parts.extend(_coverage(evidence, brief=not explained))
    return "\n\n".join(parts)


def _summary(evidence: Evidence, by_rule: dict[str, list[Hit]]) -> str:
    name = re.split(r"[/\\]", evidence.root)[-1]
    where = f"`{name}`" if name else "this folder"
    count = sum(map(len, by_rule.values()))
    if not count:
        return f"I audited {where} and none of my searches found a problem."
    severities = Counter(hit.rule.severity for hits in by_rule.values() for hit in hits)
    split = ", ".join(f"{severities[one]} {one}" for one in SEVERITIES if severities[one])
    places = "1 place" if count == 1 else f"{count} places"
    return f"I audited {where} and found {places} to look at ({split}), worst first."


def _finding(number: int, hits: list[Hit], *, places: int, explained: bool) -> str:
    rule: Rule = hits[0].rule
    lines = [f"**{number}. {rule.title}**", ""]
    lines += [f"- `{hit.path}:{hit.line}`: {quote(hit.text)}" for hit in hits[:places]]
    if len(hits) > places:
        lines.append(f"- and {len(hits) - places} more")
    if explained:
        lines += ["", f"Why it matters: {rule.why} Instead: {rule.instead}"]
    return "\n".join(lines)


def _coverage(evidence: Evidence, *, brief: bool) -> list[str]:
    whole = [path for path in evidence.read if path not in evidence.partly]
    sources = evidence.source_files()
    unread = [evidence.short(path) for path in sources if not evidence.was_read(path)]
    read = []
    if whole or not evidence.partly:
        read.append(f"Read: {_names([evidence.short(path) for path in whole])}.")
    if evidence.partly:
        read.append(f"Read in part: {_names([evidence.short(p) for p in evidence.partly])}.")
    searches = len(set(evidence.searched))
    if searches:
        read.append(f"Searched all files with {searches} pattern{'s' if searches > 1 else ''}.")
    left = [f"Not read, only searched: {_names(unread)}."] if unread else []
    if not sources:
        left.append(f"Seen by name only: {_names([evidence.short(p) for p in evidence.files])}.")
    if evidence.failed:
        failed = "; ".join(f"`{done.name}`: {line}" for done, line in evidence.failed[:3])
        left.append(f"Tools that failed: {failed}.")
    left.append("Patterns find lines, not intentions: a person should confirm each finding.")
    if brief:
        return [" ".join(read + left)]
    return ["## What I read", " ".join(read), "## What I did not read", " ".join(left)]


def _shortest(evidence: Evidence) -> str:
    hits = evidence.hits()
    if not hits:
        return f"{SIMULATED} No problem was found before the room for an answer ran out."
    named = "; ".join(f"{hit.rule.title.lower()} at `{hit.path}:{hit.line}`" for hit in hits[:3])
    more = f", and {len(hits) - 3} more" if len(hits) > 3 else ""  # noqa: PLR2004 - as sliced
    return f"{SIMULATED} Worst first: {named}{more}."


def quote(text: str) -> str:
    """A line of source as a Markdown code span, shortened where it is long."""
    text = text.strip()
    if len(text) > _QUOTE_LENGTH:
        text = text[:_QUOTE_LENGTH].rstrip() + " ..."
    runs = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (runs + 1)
    pad = " " if runs else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _names(names: list[str], most: int = 10) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(f"`{name}`" for name in sorted(set(names))[:most])
    rest = len(set(names)) - most
    return f"{shown} and {rest} more" if rest > 0 else shown


def answer_question(evidence: Evidence, question: str, words: list[str], most_tokens: int) -> str:
    """A short answer to a question about the files, from the lines that hold its words."""
    matching = [
        (evidence.short(path), number, text)
        for (path, number), text in sorted(evidence.lines.items())
        if any(word.lower() in f"{evidence.short(path)}:{text}".lower() for word in words)
        and text.strip()
    ]
    hits = [
        hit
        for hit in evidence.hits()
        if any(word.lower() in _spoken(hit) for word in words) or not words
    ]
    parts = [SIMULATED]
    if hits:
        parts.append("From the findings so far, worst first:")
        parts.append("\n".join(_advice(hit) for hit in hits[:5]))
    elif evidence.hits() and _asks_for_findings(question):
        parts.append("The findings to start with, worst first:")
        parts.append("\n".join(_advice(hit) for hit in evidence.hits()[:3]))
    shown = [one for one in matching if (one[0], one[1]) not in {(h.path, h.line) for h in hits}]
    if shown:
        parts.append("Lines that speak of " + " or ".join(f"`{word}`" for word in words[:4]) + ":")
        parts.append("\n".join(f"- `{p}:{n}`: {quote(text)}" for p, n, text in shown[:8]))
    if len(parts) == 1:
        known = _names([evidence.short(path) for path in evidence.files])
        parts.append(f"Nothing I read or searched speaks of that. Files I know of: {known}.")
    while len(parts) > 2 and count_text("\n\n".join(parts)) > most_tokens:  # noqa: PLR2004 - keeps the heading sentence and one part
        parts.pop()
    return "\n\n".join(parts)


def _advice(hit: Hit) -> str:
    place = f"- `{hit.path}:{hit.line}`, {hit.rule.title.lower()}:"
    return f"{place} {quote(hit.text)}. {hit.rule.instead}"


def _spoken(hit: Hit) -> str:
    return f"{hit.path} {hit.text} {hit.rule.title} {hit.rule.why}".lower()


def _asks_for_findings(question: str) -> bool:
    wanted = r"\b(first|worst|fix|finding|problem|serious|important|urgent|risk|severe|high)"
    return re.search(wanted, question, re.IGNORECASE) is not None
