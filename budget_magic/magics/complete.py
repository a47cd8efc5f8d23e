"""Completion of options, their values and task names on the magics' lines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from budget_magic.magics.shell_context import ShellContext
from budget_magic.session.session import Session

if TYPE_CHECKING:
    from budget_magic.settings.row import Row

_LINE: Final = re.compile(
    r"^\s*(?:[\w.]+\s*=\s*)?(?P<magic>%%?claude_(?:tasks?|resume|stop))(?P<rest>\s.*)$"
)
_WORD: Final = re.compile(r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])+""")
Matcher = Callable[[CompletionContext], SimpleMatcherResult]


def make_matcher(shell_context: ShellContext, session: Session) -> Matcher:
    """Return a matcher for the magics' lines that suppresses Python completions there."""

    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        found = _LINE.match(context.line_with_cursor[: context.cursor_position])
        is_first_line = context.cursor_line == 0 or not context.full_text.startswith("%%")
        if found is None or not is_first_line:
            return SimpleMatcherResult(completions=[], suppress=False)
        words = _WORD.findall(found["rest"])
        word = words.pop() if words and found["rest"].endswith(words[-1]) else ""
        candidates = _Candidates(shell_context, session, found["magic"], words)
        fragment, texts, kind = candidates.of(word)
        # IPython suppresses others only for a matcher that offers something: at least what stands
        # there already.
        fitting = [text for text in texts if text.startswith(fragment)] or [fragment]
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text, type=kind) for text in fitting],
            matched_fragment=fragment,
            suppress=True,
            ordered=True,
        )

    marked: Matcher = context_matcher(identifier="budget_magic")(matcher)
    return marked


class _Candidates:
    """What may stand at the cursor, after the words before it."""

    def __init__(
        self, shell_context: ShellContext, session: Session, magic: str, before: Sequence[str]
    ) -> None:
        from budget_magic.magics import help, options  # noqa: PLC0415, A004 - keeps loading cheap

        self._shell_context, self._session, self._before = shell_context, session, before
        self._flags, self._rows = options.FLAGS, options.OPTIONS
        self._taken = help.MAGICS[magic].options
        self._magic, self._texts = magic, options.texts

    def of(self, word: str) -> tuple[str, Iterable[str], str]:
        """Return the part of the word that is replaced, what may replace it, and its kind."""
        flag, equals, value = word.partition("=")
        if equals and flag in self._flags:
            return self._values(self._flags[flag], value)
        last = self._flags.get(self._before[-1]) if self._before else None
        if last is not None and last.takes:
            return self._values(last, word)
        return word, [*self._names(), *self._options()], "magic"

    def _names(self) -> Iterable[str]:
        has_name = any(self._is_name(at) for at in range(len(self._before)))
        if has_name or self._magic == "%claude_tasks":
            return ()
        is_stop, tasks = self._magic == "%claude_stop", self._session.tasks.items()
        return [name for name, task in tasks if task.is_running or not is_stop]

    def _is_name(self, at: int) -> bool:
        flag = self._flags.get(self._before[at - 1]) if at else None
        return not self._before[at].startswith("-") and not (flag is not None and flag.takes)

    def _options(self) -> Iterator[str]:
        given = {self._flags[flag].name for word in self._before
                 if (flag := word.partition("=")[0]) in self._flags}  # fmt: skip
        for row in self._rows.values():
            if row.name in self._taken and (row.repeats or row.name not in given):
                yield f"--{row.option}"
        yield "--help"

    def _values(self, row: Row, typed: str) -> tuple[str, Iterable[str], str]:
        if row.takes == "DIR":
            return typed, _folders(typed), "path"
        values = [value or "none" for value in row.values]
        if row.name == "tools":
            first, comma, last = typed.rpartition(",")
            named = set(first.split(","))
            functions = self._shell_context.candidates()
            offered = [*(["files"] if comma else values), *functions]
            return last, [name for name in offered if name not in named], "function"
        return typed, [*values, *self._more_values(row)], "magic"

    def _more_values(self, row: Row) -> Iterable[str]:
        settings = self._session.defaults.settings
        if row.name == "model":
            from budget_magic.models import MODELS  # noqa: PLC0415 - keeps loading cheap

            return dict.fromkeys([*MODELS, *settings.prices])
        if row.name == "client":
            return self._shell_context.clients()
        if row.name == "tags":
            used = [task.settings.tags for task in self._session.tasks.values()]
            return dict.fromkeys(f"{key}={tags[key]}" for tags in used for key in tags)
        return () if row.values else filter(None, [self._texts(settings).get(row.name, "")])


def _folders(typed: str) -> Iterator[str]:
    """Yield the folders that what was typed may become, in quotes if they hold a space."""
    quote = typed[:1] if typed[:1] in {"'", '"'} else ""
    start = typed[len(quote) :].rpartition("/")
    parent = "".join(start[:2])
    where = Path(os.path.expanduser(parent) or ".")  # noqa: PTH111 - keeps `~name` it cannot expand
    try:
        found = sorted(one.name for one in where.iterdir() if one.is_dir())
    except OSError:
        return
    for name in found:
        if name.startswith(".") and not start[2].startswith("."):
            continue
        path = f"{parent}{name}/"
        mark = quote or ('"' if " " in path else "")
        yield f"{mark}{path}{mark}"
