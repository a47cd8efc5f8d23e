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
    """Return a matcher for the magics' lines that suppresses Python completions there."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.line_with_cursor[: context.cursor_position])
        is_first_line = context.cursor_line == 0 or not context.full_text.startswith("%%")
        if found is None or not is_first_line:
            return SimpleMatcherResult(completions=[], suppress=False)
        words = found["rest"].split(" ")
        word, token = words[-1], context.token
        texts = _candidates(shell_context, session, found["magic"], words[1:-1])
        # The token may begin inside the word, after a dash: only what follows is replaced.
        skipped = len(word) - len(token) if word.endswith(token) else 0
        fitting = [text[skipped:] for text in texts if text.startswith(word)]
        completions = [SimpleCompletion(text, type="magic") for text in fitting]
        return SimpleMatcherResult(completions=completions, suppress=True)

    marked: Matcher = context_matcher(identifier="budget_magic")(matcher)
    return marked


def _candidates(
    shell_context: ShellContext, session: Session, magic: str, before: list[str]
) -> Iterable[str]:
    from budget_magic.magics import options  # noqa: PLC0415 - keeps loading cheap
    from budget_magic.models import MODELS  # noqa: PLC0415 - likewise

    last = options.FLAGS.get(before[-1]) if before else None
    if last is not None and last.takes:
        from_here = {"model": MODELS, "tools": shell_context.candidates()}
        return [*(value or "none" for value in last.values), *from_here.get(last.name, ())]
    is_named = any(not part.startswith("-") and part for part in before)
    names = [] if is_named else list(session.tasks)
    if magic == "%claude_stop":
        return names
    by_magic = {"%%claude_task": options.CELL, "%claude_task": options.LINE}
    taken = by_magic.get(magic, options.SETTINGS)
    rows = options.OPTIONS.values()
    return [*names, *(f"--{row.option}" for row in rows if row.name in taken)]
