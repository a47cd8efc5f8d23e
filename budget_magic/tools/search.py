"""`glob` and `grep`, bounded in time and size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from budget_magic.errors import ToolRefusal
from budget_magic.tools import search_worker
from budget_magic.tools.context import TimeLimit
from budget_magic.tools.directory_handle import DirectoryHandle, Parts
from budget_magic.tools.glob_pattern import GlobPattern
from budget_magic.tools.path_sandbox import NEVER_SHOWN, PathSandbox, forbidden, shown

GLOB_LIMIT: Final = 200
HIT_LIMIT: Final = 500
SEARCHED_LINE_BYTES: Final = 10_000
SHOWN_LINE_CHARS: Final = 300
PATTERN_LENGTH: Final = 1_000
SKIPPED_FOLDERS: Final = frozenset({"__pycache__", "node_modules"})
ENTRY_LIMIT: Final = 50_000


def glob_files(root: Path, pattern: str, path: str | None, limit: TimeLimit) -> str:
    """Return the paths of the files that match, newest first, one a line."""
    wanted = GlobPattern(pattern)
    found: list[tuple[float, Parts]] = []
    with PathSandbox(root) as sandbox:
        start = sandbox.find(path or ".")
        if not start.is_folder:
            raise ToolRefusal(f"{path} is not a folder")
        walk = DirectoryWalk(sandbox, start.parts, limit)
        for parts, entry in walk.files(wanted.may_match_below):
            if wanted.matches(parts):
                with suppress(OSError):  # removed meanwhile
                    changed = entry.stat(follow_symlinks=False).st_mtime
                    found.append((-changed, (*start.parts, *parts)))
    found.sort()
    lines = [shown(parts) for _, parts in found[:GLOB_LIMIT]]
    if not lines:
        lines = ["no matches", f"[{NEVER_SHOWN}]"]
        if "/" not in pattern:
            lines.append(f"[{pattern} looks at this folder only; **/{pattern} looks below it too]")
    if len(found) > GLOB_LIMIT:
        lines.append(f"[the newest {GLOB_LIMIT:,} of {len(found):,} matches]")
    return "\n".join([*lines, *walk.notes()])


def grep_files(root: Path, pattern: str, path: str | None, limit: TimeLimit) -> str:
    """Return the lines that match a regular expression, as `path:line:text`."""
    if not pattern or len(pattern) > PATTERN_LENGTH:
        raise ToolRefusal(f"a pattern must have 1 to {PATTERN_LENGTH:,} characters")
    with PathSandbox(root) as sandbox:
        start = sandbox.find(path or ".")
        if not start.is_file and not start.is_folder:
            raise ToolRefusal(f"{path} is not an ordinary file")
        walk = DirectoryWalk(sandbox, start.parts, limit)
        inside = [()] if start.is_file else [parts for parts, _ in walk.files()]
    files = [(*start.parts, *parts) for parts in inside]
    messages, is_complete = _searched(root, pattern, files, limit)
    lines, notes = [], walk.notes()
    for message in messages:
        if isinstance(message, list):
            index, number, text = message
            lines.append(f"{shown(files[index])}:{number}:{text}")
        elif "bad_pattern" in message:
            why = message["bad_pattern"]
            raise ToolRefusal(f"{pattern!r} is not a valid regular expression: {why}")
        else:
            notes += _notes(**message)
    if not is_complete and not walk.is_late:
        notes.append(
            f"[stopped after {limit.limit_s:g} s, so the search is not complete; "
            "use a simpler pattern or a folder as path]"
        )
    if not lines:
        lines.append("no matches" if is_complete else "no matches so far")
    return "\n".join([*lines, *notes])


def _notes(*, is_full: bool, long_lines: int, unreadable: int) -> Iterable[str]:
    if is_full:
        yield f"[stopped after {HIT_LIMIT:,} matches; use a narrower pattern or a path]"
    if long_lines:
        limit = f"{SEARCHED_LINE_BYTES:,} bytes"
        yield f"[lines longer than {limit}, searched only that far: {long_lines:,}]"
    if unreadable:
        yield f"[files that could not be opened: {unreadable:,}]"


def _searched(
    root: Path, pattern: str, files: Sequence[Parts], limit: TimeLimit
) -> tuple[list[Any], bool]:
    """Return the messages of the search process, and whether it ended in time."""
    job = {
        "pattern": pattern,
        "root": str(root),
        "files": files,
        "hit_limit": HIT_LIMIT,
        "line_bytes": SEARCHED_LINE_BYTES,
        "shown_chars": SHOWN_LINE_CHARS,
        "alarm_s": int(limit.limit_s) + 5,
    }
    try:
        process = subprocess.Popen(  # noqa: S603 - our own file, run by this interpreter
            [sys.executable, "-I", "-S", "-X", "utf8", search_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # The environment, with its credentials, is not passed on.
            env={name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise ToolRefusal(f"the search could not be started: {error.strerror}") from error
    limit.cancel.on_cancel(process.kill)
    in_time = True
    with process:
        try:
            output, _ = process.communicate(json.dumps(job).encode(), timeout=limit.left_s)
        except subprocess.TimeoutExpired:
            in_time = False
            process.kill()
            output, _ = process.communicate()
        finally:
            process.kill()
    # An incomplete last line was cut off when the process was killed.
    whole = output[: output.rfind(b"\n") + 1]
    messages = [json.loads(line) for line in whole.splitlines()]
    if in_time and not (messages and isinstance(messages[-1], dict)):
        raise ToolRefusal("the search was ended from outside before it was complete")
    return messages, in_time


@dataclass(slots=True)
class DirectoryWalk:
    """A walk over the permitted files, sorted by name; links are not followed.

    The SDK's `glob` and `grep` include hidden and credential files. Filtering their output would
    not help: files that the filter drops may have used up their limits.
    """

    root: DirectoryHandle
    start: Parts
    limit: TimeLimit
    is_cut: bool = field(default=False, init=False)
    """Whether the limit of entries was reached, so that files are missing."""
    is_late: bool = field(default=False, init=False)
    """Whether time ran out before the end."""
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
                        # A virtual environment holds thousands of irrelevant files.
                        continue
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if self._is_over():
                            return
                        parts = (*folder, entry.name)
                        if forbidden(entry.name):
                            continue
                        if entry.is_file(follow_symlinks=False):
                            yield parts, entry
                        elif entry.name in SKIPPED_FOLDERS:
                            continue
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
        """Return notes on what is missing."""
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
