"""A long audit: many small steps, made for compaction, with a summary when one is asked for."""

from __future__ import annotations

import re
from typing import Final

from budget_magic.simulator.reply import Reply
from budget_magic.simulator.scenes.audit import Audit
from budget_magic.simulator.scenes.audit.agent import WRAP_UP
from budget_magic.simulator.scenes.audit.evidence import gather
from budget_magic.simulator.scenes.audit.report import write_report
from budget_magic.simulator.scenes.small import another_call, is_last_word
from budget_magic.simulator.scenes.toolbox import file_tools
from budget_magic.simulator.view import View

_PROGRESS: Final = re.compile(r"(\d+) of (\d+) steps are done")
_SUMMARY: Final = re.compile(r"\bsummar(y|ies|i[sz]e)", re.IGNORECASE)
_ROOM: Final = 1_500


class LongAudit(Audit):
    """Goes through a folder in many small steps and then reports.

    Asked for a summary, it writes one that holds its findings and how far it got; a conversation
    that begins with such a summary goes on from there.

    Parameters
    ----------
    steps
        Steps before the report.
    """

    def __init__(self, steps: int = 40) -> None:
        self._steps = steps

    def reply(self, view: View) -> Reply:
        """The next small step, a summary, or the report."""
        told = _PROGRESS.search(view.prompts[0]) if view.prompts else None
        done = view.replies + (int(told[1]) if told else 0)
        asked = view.replies > 0 and _SUMMARY.search(view.asked) is not None
        if asked or is_last_word(view) or done >= self._steps or view.used >= WRAP_UP:
            return self._report(view, done)
        progress = f"Step {done + 1} of {self._steps}."
        if not view.done:
            files = file_tools(view)
            looks = [files.list_call(), files.glob_call("**/*")]
            calls = [call for call in looks if call] or [another_call(view, done)]
        else:
            calls = [another_call(view, done)]
        return Reply(thinking=f"{progress} I go on with the next part.", text=progress, calls=calls)

    def _report(self, view: View, done: int) -> Reply:
        """Report the findings and the progress, from which a later conversation can go on."""
        evidence = gather(view, file_tools(view))
        findings = write_report(evidence, most_tokens=min(_ROOM, max(200, view.max_tokens - 500)))
        progress = f"{min(done, self._steps)} of {self._steps} steps are done."
        return Reply(
            thinking="I put down what I found and how far I got.",
            text=f"{findings}\n\nProgress: {progress}",
        )
