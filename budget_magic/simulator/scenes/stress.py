"""Shipped scenes that push a limit: budget, ceilings, `max_tokens`, context window."""

from __future__ import annotations

import re
from typing import Final

from budget_magic.simulator.scenes.audit.agent import REPORT_FROM, Audit
from budget_magic.simulator.scenes.audit.evidence import gather_evidence
from budget_magic.simulator.scenes.audit.report import write_report
from budget_magic.simulator.scenes.context import SceneContext
from budget_magic.simulator.scenes.scene import Call, Reply, Scene
from budget_magic.simulator.scenes.toolbox import FileTools, call_any_tool

_ROUND: Final = (
    ("fix", "I change the line that the last message points at."),
    ("build", "I build again with the change."),
    ("test", "The build went through, so I run the tests; one still fails."),
)
_KEYWORDS: Final = "import def class return raise assert with for while if".split()  # noqa: SIM905 - reads better as words
_FILLER: Final = "The simulator fills the room that it was given. "
_FILLER_TOKENS: Final = 10
_PROGRESS: Final = re.compile(r"(\d+) of (\d+) steps are done")
_SUMMARY: Final = re.compile(r"\bsummar(y|ies|i[sz]e)", re.IGNORECASE)
_REPORT_TOKENS: Final = 1_500


class Runaway(Scene):
    """Fixes, builds and tests, and never ends by itself."""

    def reply(self, context: SceneContext) -> Reply:
        """Return one more step with any of the tools."""
        number = context.replies
        if context.wants_answer:
            said = f"This is the simulator: after {number} steps the tests still fail"
            return Reply(text=f"{said}, and I was asked to stop.")
        step, text = _ROUND[number % len(_ROUND)]
        return Reply(
            thinking=f"Round {number // len(_ROUND) + 1}, {step}: it must work this time.",
            text=text,
            calls=[_new_call(context, number)],
        )


class Greedy(Scene):
    """Fills `max_tokens` in every reply, to the last token, and calls a tool if it can."""

    def reply(self, context: SceneContext) -> Reply:
        """Return a reply as long as allowed."""
        room = context.max_tokens
        calls = () if context.wants_answer else (_new_call(context, context.replies),)
        text = f"This is the simulator, greedy: reply {context.replies + 1}."
        if context.thinks:
            thinking = "I use all the room that I have."
            return Reply(thinking=thinking, text=text, calls=calls, output_tokens=room)
        filler = _FILLER * (room // _FILLER_TOKENS + 1)
        return Reply(text=f"{text} {filler}", calls=calls, output_tokens=room)


class BudgetTooSmall(Scene):
    """Ends at once because of the task budget: by a short answer or, at odd seeds, a refusal."""

    def reply(self, context: SceneContext) -> Reply:
        """Return an outline."""
        remaining = context.remaining
        left = "no task budget" if remaining is None else f"{remaining:,} tokens left"
        text = f"This is the simulator: with {left}, I only outline what I would do, and stop."
        if context.seed % 2:
            return Reply(text=text, stop_reason="refusal")
        thinking = "The task is larger than the budget, so I scope it down to an outline."
        return Reply(thinking=thinking, text=text)


class LongAudit(Audit):
    """Goes through a folder in many small steps and then reports, to exercise compaction.

    When asked for a summary, it writes its findings and progress; a conversation that begins with
    such a summary continues from there. The report comes after `steps` steps.
    """

    def __init__(self, steps: int = 40) -> None:
        self._steps = steps

    def reply(self, context: SceneContext) -> Reply:
        """Return the next small step, a summary, or the report."""
        earlier = _PROGRESS.search(context.prompts[0]) if context.prompts else None
        done = context.replies + (int(earlier[1]) if earlier else 0)
        asks_summary = context.replies > 0 and _SUMMARY.search(context.asked) is not None
        is_over = done >= self._steps or context.used >= REPORT_FROM
        if asks_summary or context.wants_answer or is_over:
            return self._report(context, done)
        progress = f"Step {done + 1} of {self._steps}."
        calls = []
        if not context.completed_calls:
            files = FileTools(context)
            calls = [call for call in (files.call("list"), files.call("glob", "**/*")) if call]
        return Reply(
            thinking=f"{progress} I go on with the next part.",
            text=progress,
            calls=calls or [_new_call(context, done)],
        )

    def _report(self, context: SceneContext, done: int) -> Reply:
        """Return the findings and the progress, from which a later conversation can go on."""
        evidence = gather_evidence(context)
        room = min(_REPORT_TOKENS, max(200, context.max_tokens - 500))
        findings = write_report(evidence, max_tokens=room)
        progress = f"{min(done, self._steps)} of {self._steps} steps are done."
        return Reply(
            thinking="I put down what I found and how far I got.",
            text=f"{findings}\n\nProgress: {progress}",
        )


def _new_call(context: SceneContext, number: int) -> Call:
    """Return a call that differs from the earlier ones as far as the offered tools allow."""
    evidence = gather_evidence(context)
    files, known = evidence.tools, sorted(evidence.files)
    round_, is_odd = divmod(number, 2)
    call = None
    if "read" in files and known and is_odd:
        first = 1 + 40 * (round_ // len(known))
        call = files.call("read", known[round_ % len(known)], (first, first + 39))
    elif "grep" in files and known:
        repeats, place = divmod(round_, len(_KEYWORDS))
        word = rf"\b{_KEYWORDS[place]}\b"
        call = files.call("grep", f"{word}.{{{repeats},}}" if repeats else word)
    elif not known:
        call = files.call("glob", "**/*")
    return call or call_any_tool(context, number)
