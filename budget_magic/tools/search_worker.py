"""The child process of `grep`: searches given files for a pattern and prints each hit as JSON.

Run by its path with `python -I -S`, so it imports the standard library only. A regular expression
is bounded by ending its process: `re` holds the interpreter's lock while it matches, and a thread
cannot be stopped. The time limit of the package `regex` does not replace the process (measured with
2026.11.19): compiling `a{10000000}` has no limit and takes 6 s and 2.6 GB, and matching
`((?1)?a)+b` takes 0.9 GB in 2.5 s; `re` compiles the first in 1 ms and knows no recursion.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING or __name__ != "__main__":
    from budget_magic.tools.directory_handle import DirectoryHandle
else:
    # Last on the path: no file beside this one may hide a module of the standard library.
    sys.path.append(str(Path(__file__).parent))
    from directory_handle import DirectoryHandle

BINARY_PROBE_BYTES = 8192


def main() -> None:
    """Read the job from standard input; print the hits, and last a report."""
    job = json.load(sys.stdin.buffer)
    if hasattr(signal, "alarm"):
        # If the parent is killed, nothing else ends a pattern that backtracks forever.
        signal.alarm(job["alarm_s"])
    warnings.simplefilter("ignore")
    try:
        search = Search(job)
    except (re.error, RecursionError, OverflowError) as error:
        say({"bad_pattern": str(error) or type(error).__name__})
        return
    with DirectoryHandle(job["root"]) as root:
        for index, parts in enumerate(job["files"]):
            try:
                with root.open(parts) as file:
                    search.file(index, file)
            except OSError:
                search.report["unreadable"] += 1
            if search.report["is_full"]:
                break
    say(search.report)


def say(message: Any) -> None:
    """Print one message, flushed: this process may be killed at any moment."""
    print(json.dumps(message), flush=True)  # noqa: T201 - the parent process reads it


class Search:
    """One search: the pattern, the limits, and the report."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.pattern = re.compile(job["pattern"])
        self.hits_left: int = job["hit_limit"]
        self.line_bytes: int = job["line_bytes"]
        self.shown_chars: int = job["shown_chars"]
        self.report: dict[str, Any] = {"long_lines": 0, "unreadable": 0, "is_full": False}

    def file(self, index: int, file: BinaryIO) -> None:
        """Print the hits of one file, unless it is binary."""
        if b"\0" in file.read(BINARY_PROBE_BYTES):
            return
        file.seek(0)
        number = 0
        while (line := file.readline(self.line_bytes)) and not self.report["is_full"]:
            number += 1
            text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").rstrip("\r\n")
            found = self.pattern.search(text)
            if found and self.hits_left:
                self.hits_left -= 1
                say([index, number, around(text, found.start(), self.shown_chars)])
            elif found:
                self.report["is_full"] = True
            if len(line) == self.line_bytes and not line.endswith(b"\n"):
                self.report["long_lines"] += 1
                while (part := file.readline(self.line_bytes)) and not part.endswith(b"\n"):
                    pass


def around(text: str, at: int, size: int) -> str:
    """Return the line, or the part around the hit if the line is long."""
    if len(text) <= size:
        return text
    start = max(0, min(at - size // 4, len(text) - size))
    end = start + size
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")


if __name__ == "__main__":
    main()
