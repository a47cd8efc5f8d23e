"""Going through the files under a folder, and matching their names against a glob pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import islice
from pathlib import Path
from typing import Final

import bracex

from budget_magic.errors import ToolRefusal
from budget_magic.tools.allowance import Allowance
from budget_magic.tools.handles import Below
from budget_magic.tools.path_sandbox import forbidden

SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules"})
ENTRY_LIMIT: Final = 50_000
PATTERN_LENGTH: Final = 1_000
BRACE_LIMIT: Final = 64

Parts = tuple[str, ...]


def _every_folder(_parts: Parts) -> bool:
    return True


@dataclass(slots=True)
class Walk:
    """The files under a folder that may be seen, links not followed, names in order.

    Our own walk, because the SDK's `glob` and `grep` would meet hidden and credential files, and
    a filter behind them cannot tell whether their limits were used up by what it must drop.
    """

    below: Below
    start: Parts
    allowance: Allowance
    entry_limit: int = ENTRY_LIMIT
    is_cut: bool = field(default=False, init=False)
    """Whether the limit was reached, so that files are missing."""
    is_late: bool = field(default=False, init=False)
    """Whether the time was up before all was seen."""
    unreadable: int = field(default=0, init=False)
    """Folders that could not be opened."""

    def files(
        self, enters: Callable[[Parts], bool] = _every_folder
    ) -> Iterator[tuple[Parts, os.DirEntry[str]]]:
        """Each file by its parts below the start, those of a folder before those of its subfolders.

        Parameters
        ----------
        enters
            Whether to go into a subfolder, by its parts below the start.
        """
        left = self.entry_limit
        folders: list[Parts] = [()]
        while folders and left and not self._is_over():
            folder = folders.pop()
            inner: list[Parts] = []
            try:
                with self.below.scan((*self.start, *folder)) as scan:
                    entries = list(islice(scan, left))
                    left -= len(entries)
                    self.is_cut = self.is_cut or next(scan, None) is not None
                    if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
                        # A virtual environment holds thousands of files nobody means to search.
                        continue
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if self._is_over():
                            return
                        parts = (*folder, entry.name)
                        if forbidden(entry.name):
                            continue
                        if entry.is_file(follow_symlinks=False):
                            yield parts, entry
                        elif _is_worth_entering(entry) and enters(parts):
                            inner.append(parts)
            except OSError:
                self.unreadable += 1
            folders.extend(reversed(inner))
        self.is_cut = self.is_cut or (bool(folders) and not left)

    def _is_over(self) -> bool:
        self.is_late = self.is_late or self.allowance.is_over
        return self.is_late

    def notes(self) -> list[str]:
        """What the reader must know about what is missing."""
        found = []
        if self.is_cut:
            found.append(f"[stopped after {self.entry_limit:,} entries; give a folder as path]")
        if self.is_late:
            found.append(
                f"[stopped after {self.allowance.limit_s:g} s, so files are missing; "
                "use a simpler pattern or a folder as path]"
            )
        if self.unreadable:
            found.append(f"[folders that could not be opened: {self.unreadable:,}]")
        return found


def _is_worth_entering(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED_FOLDERS


class GlobPattern:
    """A glob pattern such as `src/**/*.{py,pyi}`, matched part by part in linear time.

    `*` and `?` stay within one name, `**` spans folders; `[...]` as in `fnmatch`, `{...,...}` and
    `{1..9}` as in a shell.

    Notes
    -----
    `wcmatch` 12.0.1 is not used. `wcmatch.glob` compiles the whole path to one regular expression,
    which backtracks where `**` is repeated: `**/a/**/a/**/a/**/a/**/a/b` took 21 s on one path of
    100 folders, with the interpreter's lock held. `wcmatch.fnmatch` on each name took 2 to 8 times
    as long as `fnmatch`. `PurePath.full_match` needs Python 3.13.

    Examples
    --------
    >>> GlobPattern("**/*.py").matches(("a", "b.py"))
    True
    >>> GlobPattern("*.py").matches(("a", "b.py"))
    False
    """

    def __init__(self, pattern: str) -> None:
        if not pattern or len(pattern) > PATTERN_LENGTH:
            raise ToolRefusal(f"a pattern has 1 to {PATTERN_LENGTH:,} characters")
        if pattern.startswith(("/", "~")) or Path(pattern).is_absolute():
            raise ToolRefusal("the pattern must be relative; give a folder as path if need be")
        self._alternatives = [_compiled(one) for one in _expanded(pattern)]

    def matches(self, parts: Parts) -> bool:
        """Return whether a file with these path parts matches."""
        return any(len(one) in _reached(one, parts) for one in self._alternatives)

    def may_match_below(self, parts: Parts) -> bool:
        """Return whether a file in the folder with these path parts could match."""
        return any(_reached(one, parts) - {len(one)} for one in self._alternatives)


def _expanded(pattern: str) -> list[str]:
    """Return the pattern's brace alternatives, written out."""
    try:
        return bracex.expand(pattern, keep_escapes=True, limit=BRACE_LIMIT)
    except bracex.ExpansionLimitException:
        raise ToolRefusal(
            f"the pattern's braces give more than {BRACE_LIMIT} alternatives"
        ) from None
    except RecursionError:
        raise ToolRefusal("the pattern's braces are nested too deeply") from None


def _compiled(pattern: str) -> list[re.Pattern[str] | None]:
    """Return a matcher for each part of the pattern; None stands for `**`."""
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ToolRefusal("`..` is not allowed in a pattern; give a folder as path")
    alone = (
        part
        for part, before in zip(parts, ["", *parts], strict=False)
        if part != before or part != "**"
    )
    return [None if part == "**" else re.compile(translate(part)) for part in alone]


def _reached(pattern: list[re.Pattern[str] | None], parts: Parts) -> set[int]:
    """Return every position in the pattern that the path parts can lead to."""
    states = _past_stars(pattern, {0})
    for part in parts:
        after: set[int] = set()
        for state in states:
            if state == len(pattern):
                continue
            piece = pattern[state]
            if piece is None:
                after.add(state)
            elif piece.match(part):
                after.add(state + 1)
        states = _past_stars(pattern, after)
    return states


def _past_stars(pattern: list[re.Pattern[str] | None], states: set[int]) -> set[int]:
    found = set(states)
    for state in states:
        position = state
        while position < len(pattern) and pattern[position] is None:
            position += 1
            found.add(position)
    return found
