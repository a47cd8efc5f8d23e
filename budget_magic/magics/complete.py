"""Completion of options, their values and task names on the magics' lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from budget_magic.magics.shell_context import ShellContext
from budget_magic.session.session import Session

_LINE: Final = re.compile(
    r"^\s*(?:[\w.]+\s*=\s*)?(?P<magic>%%?claude_(?:task|resume|stop))(?P<rest>\s.*)$"
)


Matcher = Callable[[CompletionContext], SimpleMatcherResult]


def make_matcher(shell_context: ShellContext, session: Session) -> Matcher:
    """Return a matcher that answers on the magics' lines and silences Python's own there."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.line_with_cursor[: context.cursor_position])
        is_first_line = context.cursor_line == 0 or not context.full_text.startswith("%%")
        if found is None or not is_first_line:
            return SimpleMatcherResult(completions=[], suppress=False)
        words = found["rest"].split(" ")
        texts = _candidates(shell_context, session, found["magic"], words[1:-1], words[-1])
        token = context.token
        # The token may begin inside the word, behind a dash: only what follows is replaced.
        skipped = len(words[-1]) - len(token) if words[-1].endswith(token) else 0
        return SimpleMatcherResult(
            completions=[
                SimpleCompletion(text[skipped:], type="magic")
                for text in texts
                if text.startswith(words[-1])
            ],
            suppress=True,
        )

    marked: Matcher = context_matcher(identifier="budget_magic")(matcher)
    return marked


def _candidates(
    shell_context: ShellContext, session: Session, magic: str, before: list[str], word: str
) -> Iterable[str]:
    from budget_magic.magics.options import (  # noqa: PLC0415 - keeps loading cheap
        CELL,
        LINE,
        OPTIONS,
        SETTINGS,
    )
    from budget_magic.models import MODELS  # noqa: PLC0415 - likewise

    options = {f"--{one.name}": one for one in OPTIONS}
    options |= {f"-{one.short}": one for one in OPTIONS if one.short}
    last = options.get(before[-1]) if before else None
    if last is not None and last.value:
        values = {
            "model": tuple(MODELS),
            "tools": ("files", "none", *shell_context.candidates()),
            "client": ("auto", "simulator"),
            "budget": ("20k", "64k", "128k", "none"),
        }
        return last.choices or values.get(last.name, ())
    is_named = any(not part.startswith("-") and part for part in before)
    names = [] if is_named else list(session.tasks)
    if magic == "%claude_stop":
        return names
    taken = {"%%claude_task": CELL, "%claude_task": LINE}.get(magic, SETTINGS)
    flags = [f"--{one.name}" for one in OPTIONS if one.name in taken]
    return [*names, *flags] if not word.startswith("-") else flags
