"""Small shipped scenes that decide from the view: runaway, greedy, a budget that is too small."""

from __future__ import annotations

import re
from typing import Final

from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes.audit.evidence import gather
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.scenes.toolbox import any_call, file_tools
from budget_magic.simulator.view import View

_NO_TOOLS: Final = re.compile(
    r"\bwithout (\w+ )*tools?|\bno (\w+ )?tools?\b|\bdo(n't| not) (call|use) (\w+ )*tools?"
    r"|\bfinal (summary|answer|report)|\bsummari[sz]e (the|this|our|your) (conversation|work|task)",
    re.IGNORECASE,
)
_WORK: Final = (
    ("fix", "I change the line that the last message points at."),
    ("build", "I build again with the change."),
    ("test", "The build went through, so I run the tests; one still fails."),
)
_WORDS: Final = (
    "import",
    "def",
    "class",
    "return",
    "raise",
    "assert",
    "with",
    "for",
    "while",
    "if",
)
_FILLER: Final = "The simulator fills the room that it was given. "
_TOKENS_OF_FILLER: Final = 10


def is_last_word(view: View) -> bool:
    """Whether the client wants an answer now and no further calls."""
    return not view.can_call or _NO_TOOLS.search(view.asked) is not None


class Runaway(Scene):
    """Fixes, builds and tests, and never comes to an end by itself."""

    def reply(self, view: View) -> Reply:
        """One more round with whatever tool is offered."""
        number = view.replies
        if is_last_word(view):
            said = f"This is the simulator: after {number} steps the tests still fail"
            return Reply(text=f"{said}, and I was asked to stop.")
        step, text = _WORK[number % len(_WORK)]
        return Reply(
            thinking=f"Round {number // len(_WORK) + 1}, {step}: it must work this time.",
            text=text,
            calls=[another_call(view, number)],
        )


def another_call(view: View, number: int) -> Call:
    """A call that differs from the ones before it as far as the offered tools allow."""
    files = file_tools(view)
    known = sorted(gather(view, files).files)
    round_, which = divmod(number, 2)
    if files.read and known and which:
        first = 1 + 40 * (round_ // len(known))
        call = files.read_call(known[round_ % len(known)], (first, first + 39))
    elif files.grep and known:
        again = round_ // len(_WORDS)
        word = _WORDS[round_ % len(_WORDS)]
        call = files.grep_call(rf"\b{word}\b.{{{again},}}" if again else rf"\b{word}\b")
    elif files.glob and not known:
        call = files.glob_call("**/*")
    else:
        call = None
    return call or any_call(view, number)


class Greedy(Scene):
    """Fills `max_tokens` in every reply, to the last token, and calls what tools it is offered."""

    def reply(self, view: View) -> Reply:
        """A reply as long as allowed."""
        calls = () if is_last_word(view) else (another_call(view, view.replies),)
        text = f"This is the simulator, greedy: reply {view.replies + 1}."
        if view.thinks:
            thinking = "I use all the room that I have."
            return Reply(thinking=thinking, text=text, calls=calls, output_tokens=view.max_tokens)
        filler = _FILLER * (view.max_tokens // _TOKENS_OF_FILLER + 1)
        return Reply(text=f"{text} {filler}", calls=calls, output_tokens=view.max_tokens)


class BudgetTooSmall(Scene):
    """Ends at once because of the task budget: by a short answer or, at odd seeds, a refusal."""

    def reply(self, view: View) -> Reply:
        """As little as possible."""
        left = "no task budget" if view.remaining is None else f"{view.remaining:,} tokens left"
        text = f"This is the simulator: with {left}, I only outline what I would do, and stop."
        if view.seed % 2:
            return Reply(text=text, stop_reason="refusal")
        thinking = "The task is larger than the budget, so I scope it down to an outline."
        return Reply(thinking=thinking, text=text)
