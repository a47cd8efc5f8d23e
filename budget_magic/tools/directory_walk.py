"""The files under a folder that may be seen, found by directory handles and within limits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from budget_magic.tools.directory_handle import DirectoryHandle, Parts
from budget_magic.tools.path_sandbox import forbidden
from budget_magic.tools.time_limit import TimeLimit

SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules"})
ENTRY_LIMIT: Final = 50_000


@dataclass(slots=True)
class DirectoryWalk:
    """The files under a folder that may be seen, links not followed, sorted by name.

    The SDK's `glob` and `grep` would meet hidden and credential files, and a filter behind them
    cannot tell whether their limits were used up by what it must drop.
    """

    root: DirectoryHandle
    start: Parts
    limit: TimeLimit
    is_cut: bool = field(default=False, init=False)
    """Whether the limit of entries was reached, so that files are missing."""
    is_late: bool = field(default=False, init=False)
    """Whether the time was up before all was seen."""
    unreadable: int = field(default=0, init=False)
    """Folders that could not be opened."""

    def files(
        self, enters: Callable[[Parts], bool] = lambda _: True
    ) -> Iterator[tuple[Parts, os.DirEntry[str]]]:
        """Yield each file by its path below the start; `enters` chooses the subfolders."""
        left = ENTRY_LIMIT
        folders: list[Parts] = [()]
        while folders and left and not self._is_over():
            folder = folders.pop()
            inner: list[Parts] = []
            try:
                with self.root.scan((*self.start, *folder)) as scan:
                    entries = list(islice(scan, left))
                    left -= len(entries)
                    self.is_cut |= next(scan, None) is not None
                    if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
                        # A virtual environment: thousands of files that nobody means to search.
                        continue
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if self._is_over():
                            return
                        parts = (*folder, entry.name)
                        if entry.name in SKIPPED_FOLDERS or forbidden(entry.name):
                            continue
                        if entry.is_file(follow_symlinks=False):
                            yield parts, entry
                        elif entry.is_dir(follow_symlinks=False) and enters(parts):
                            inner.append(parts)
            except OSError:
                self.unreadable += 1
            folders.extend(reversed(inner))
        self.is_cut |= bool(folders) and not left

    def _is_over(self) -> bool:
        self.is_late |= self.limit.is_over
        return self.is_late

    def notes(self) -> list[str]:
        """Return sentences that say what is missing."""
        found = []
        if self.is_cut:
            found.append(f"[stopped after {ENTRY_LIMIT:,} entries; give a folder as path]")
        if self.is_late:
            found.append(
                f"[stopped after {self.limit.limit_s:g} s, so files are missing; "
                "use a simpler pattern or a folder as path]"
            )
        if self.unreadable:
            found.append(f"[folders that could not be opened: {self.unreadable:,}]")
        return found
