"""The child process of `grep`: searches given files for a pattern and prints each hit as JSON.

Run by its path with `python -I -S`, so it imports the standard library only. A process of its own
is the one way to bound a regular expression: matching holds the interpreter's lock, and a thread
cannot be stopped.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import sys
import warnings
from typing import Any, BinaryIO

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
    for index, path in enumerate(job["files"]):
        search.search(index, path)
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

    def search(self, index: int, path: str) -> None:
        """Print the hits of one file."""
        file = opened(path)
        if file is None:
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


def opened(path: str) -> BinaryIO | None:
    """The file, if it is still an ordinary one; links are not followed, pipes not waited for."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        file = os.fdopen(os.open(path, flags), "rb")
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def around(text: str, at: int, size: int) -> str:
    """The line, or of a long one what stands around the hit."""
    if len(text) <= size:
        return text
    start = max(0, min(at - size // 4, len(text) - size))
    end = start + size
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")


if __name__ == "__main__":
    main()
