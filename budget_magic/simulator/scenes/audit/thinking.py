"""What the simulated agent shows of its thinking: more of it at higher effort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budget_magic.simulator.reply import Call
from budget_magic.simulator.scenes.audit.evidence import Evidence
from budget_magic.simulator.tokens import count_text
from budget_magic.simulator.view import View

_SENTENCES: Final = {"low": 1, "medium": 2, "high": 3, "xhigh": 5, "max": 7}
_RAW_PER_SUMMARY: Final = {
    "low": (1.0, 2.0),
    "medium": (1.5, 3.0),
    "high": (2.0, 5.0),
    "xhigh": (4.0, 7.0),
    "max": (6.0, 8.0),
}
"""Raw thinking tokens for each token of the summary that is shown, by effort."""


def before_calls(view: View, calls: Sequence[Call]) -> tuple[str, int]:
    """The summary of the thinking before some calls, and its raw tokens."""
    names = ", ".join(dict.fromkeys(call.name for call in calls))
    thoughts = [
        f"The next thing I need is {len(calls)} call{'s' if len(calls) != 1 else ''}: {names}.",
        *_about_results(view),
        _about_budget(view),
        "Calls that do not depend on each other can go out together.",
        "I would rather read less and be sure of each line than guess from file names.",
        "What I report has to be a line that a tool returned, with its number.",
        "If the results are large, I narrow the next search instead of reading everything.",
    ]
    return _said(view, thoughts)


def before_answer(view: View, evidence: Evidence) -> tuple[str, int]:
    """The summary of the thinking before the answer, and its raw tokens."""
    hits = evidence.hits()
    worst = f"the worst is {hits[0].rule.title.lower()} in {hits[0].path}" if hits else "none"
    thoughts = [
        f"I have seen {len(evidence.files)} files and {len(hits)} suspicious lines; {worst}.",
        _about_budget(view),
        "I order the findings by severity and quote each line as the tool returned it.",
        "For each I say why it matters and what to do instead, in a sentence.",
        f"I also say which of the {len(evidence.files)} files I did not read.",
        *(f"{hit.path}:{hit.line} looks like {hit.rule.title.lower()}." for hit in hits[:3]),
    ]
    return _said(view, thoughts)


def _said(view: View, thoughts: Sequence[str]) -> tuple[str, int]:
    summary = " ".join([thought for thought in thoughts if thought][: _SENTENCES[view.effort]])
    least, most = _RAW_PER_SUMMARY[view.effort]
    return summary, round(count_text(summary) * view.random().uniform(least, most))


def _about_results(view: View) -> list[str]:
    failed = [done for done in view.last if done.is_error]
    if failed:
        return [f"{failed[0].name} failed, so I go on without what it would have told."]
    if view.last:
        size = sum(len(done.text) for done in view.last)
        return [f"The last {len(view.last)} results gave me {size:,} characters."]
    if view.done:
        return [f"I still have {len(view.done)} results from before; this needs one more look."]
    return ["Nothing is known yet, so I start with an overview."]


def _about_budget(view: View) -> str:
    if view.budget is None or view.remaining is None:
        return ""
    return f"{view.remaining:,} of {view.budget:,} tokens are left, {view.used:.0%} is used."
