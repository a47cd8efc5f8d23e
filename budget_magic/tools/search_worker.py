"""The child process of `grep`: searches given files for a pattern and prints each hit as JSON.

Run by its path with `python -I -S`, so it imports the standard library only. A regular expression
is bounded by ending its process: `re` holds the interpreter's lock while it matches, and a thread
cannot be stopped.

Notes
-----
The time limit of the package `regex` does not replace the process (measured with 2026.11.19):

- Compiling has no limit and holds the lock: `a{10000000}` takes 6 s and 2.6 GB, and more repeats
  take all memory there is, which would end the kernel. `re` compiles it in 1 ms.
- A recursive pattern such as `((?1)?a)+b` takes 0.9 GB in 2.5 s of matching.
- `item{i}` is a fuzzy match of `item`, and `[[:alpha:]]` a POSIX class; `re` knows neither.
- With `timeout` and `concurrent`, searching this repository takes 0.41 s; in a process 0.25 s.
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
    # Last on the path: `secrets` beside this file must not hide the standard library's.
    sys.path.append(str(Path(__file__).parent))
    from directory_handle import DirectoryHandle

BINARY_PROBE_BYTES = 8192


def main() -> None:
    """Read the job from standard input; print hits, and at last what the reader must know."""
    job = json.load(sys.stdin.buffer)
    if hasattr(signal, "alarm"):
        # Should the parent be killed, nobody else would end a pattern that never does.
        signal.alarm(job["alarm_s"])
    warnings.simplefilter("ignore")
    try:
        search = Search(job)
    except (re.error, RecursionError, OverflowError) as error:
        say({"bad_pattern": str(error) or type(error).__name__})
        return
    with DirectoryHandle(job["root"]) as root:
        for index, parts in enumerate(job["files"]):
            search.search(index, root, parts)
            if search.report["full"]:
                break
    say(search.report)


def say(message: Any) -> None:
    """Print one message at once, since this process may be ended at any moment."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Search:
    """One pattern, the limits, and what was met on the way."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.pattern = re.compile(job["pattern"])
        self.hits_left: int = job["hit_limit"]
        self.line_bytes: int = job["line_bytes"]
        self.shown_chars: int = job["shown_chars"]
        self.report: dict[str, Any] = {"long_lines": 0, "unreadable": 0, "full": False}

    def search(self, index: int, root: DirectoryHandle, parts: list[str]) -> None:
        """Print the hits of one file, if it is still an ordinary one."""
        try:
            file = root.open(parts)
        except OSError:
            self.report["unreadable"] += 1
            return
        with file:
            if b"\0" in file.read(BINARY_PROBE_BYTES):
                return
            file.seek(0)
            number = 0
            while (line := file.readline(self.line_bytes)) and not self.report["full"]:
                number += 1
                self.search_line(index, number, line)
                if len(line) == self.line_bytes and not line.endswith(b"\n"):
                    self.report["long_lines"] += 1
                    self.skip_rest(file)

    def search_line(self, index: int, number: int, line: bytes) -> None:
        """Print one line if it matches."""
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").rstrip("\r\n")
        found = self.pattern.search(text)
        if found is None:
            return
        if self.hits_left == 0:
            self.report["full"] = True
            return
        self.hits_left -= 1
        say([index, number, around(text, found.start(), self.shown_chars)])

    def skip_rest(self, file: BinaryIO) -> None:
        """Go to the end of a line that is longer than what is searched."""
        while (part := file.readline(self.line_bytes)) and not part.endswith(b"\n"):
            pass


def around(text: str, at: int, size: int) -> str:
    """The line, or of a long one what stands around the hit."""
    if len(text) <= size:
        return text
    start = max(0, min(at - size // 4, len(text) - size))
    end = start + size
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")


if __name__ == "__main__":
    main()
