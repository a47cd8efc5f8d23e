"""Render Markdown while it streams: finished blocks as HTML, the open one as text."""

from __future__ import annotations

import re
from typing import Final

from budget_magic.report.highlight import Highlighter, Target
from budget_magic.report.markdown_blocks import (
    MARKDOWN_CHARS,
    TABLE_CELLS,
    block_starts,
    plain_block,
    render_blocks,
)

_GROWTH: Final = 1.25
"""An open block is parsed again when it has grown by this factor, so parsing stays linear."""
_MAY_CONTINUE: Final = re.compile(r"[ \t]|[-+*](?:[ \t]|$)|\d{1,9}(?:[.)](?:[ \t]|$)|$)|$")
"""Matches a line, or its beginning, that can continue a list or indented code after a blank one."""
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_DECIDED: Final = 16
"""Characters of a line that `_MAY_CONTINUE` needs at most."""


class StreamedMarkdown:
    """Renders a Markdown text that grows; each top-level block is rendered once, when it ends.

    A block has ended when no text that follows can change it. In the open block, only whole lines
    are parsed, and not at every line: the time per character is bounded. From a block of more than
    `MARKDOWN_CHARS` on, and from a table of more than `TABLE_CELLS`, the text is shown as it is.

    Notes
    -----
    All blocks together are the same HTML wherever the text was split: what a line does depends only
    on the lines before it, and that of an unfinished line only on characters it cannot lose. Links
    whose address stands elsewhere (`[text][1]` and `[1]: ...`) stay text, since the definition may
    come after the block.

    Parameters
    ----------
    target
        Where it is shown: see `render_markdown`.
    colours
        Whether code is highlighted.
    """

    def __init__(self, *, target: Target = "panel", colours: bool = True) -> None:
        self._target = target
        self._highlighter = Highlighter(target) if colours else None
        self._lines: list[str] = []
        """Whole lines of the open block, and of blocks that are not known to have ended."""
        self._chars = 0
        self._line: list[str] = []
        """The line that has no end yet, in pieces."""
        self._is_looked_at = False
        """Whether its beginning has been looked at."""
        self._kind = ""
        """Type of the first token of the open block; empty if that is not known."""
        self._look_at = 0
        """Number of characters at which the open block is parsed again."""
        self._is_text = False
        """Whether the rest is shown as it is."""

    @property
    def tail(self) -> str:
        """The text that is not rendered yet."""
        return "".join([*(f"{line}\n" for line in self._lines), *self._line])

    def feed(self, text: str) -> list[str]:
        """Add text that `clean_text` has cleaned, and return the HTML of blocks that have ended."""
        done: list[str] = []
        *ended, rest = text.split("\n")
        for piece in ended:
            self._line.append(piece)
            done += self._begin_line()
            done += self._end_line()
        if rest:
            self._line.append(rest)
            done += self._begin_line()
        return done

    def finish(self) -> list[str]:
        """End the text, and return the HTML of the blocks that were open."""
        done = self.feed("\n") if self._line else []
        if self._is_text:
            done.append(plain_block("\n".join(self._lines), self._target))
            self._lines = []
        return [*done, *self._take(len(self._lines))]

    def _begin_line(self) -> list[str]:
        """End the open list or indented code if the new line cannot continue it."""
        if self._is_looked_at or not self._lines or self._lines[-1].strip(" \t") or self._is_text:
            return []
        start = "".join(self._line)[:_DECIDED] if len(self._line) < _DECIDED else ""
        if _MAY_CONTINUE.match(start):
            return []
        self._is_looked_at = True
        return [] if self._kind == "fence" else self._look(extra="x")

    def _end_line(self) -> list[str]:
        line, done = "".join(self._line), list[str]()
        self._line, self._is_looked_at = [], False
        if self._is_text:
            self._lines.append(line)
            return done
        is_blank = not line.strip(" \t")
        if is_blank and not self._lines:
            return done
        if self._chars + len(line) > MARKDOWN_CHARS:
            done += self._look()
            self._is_text = self._chars + len(line) > MARKDOWN_CHARS
        self._lines.append(line)
        self._chars += len(line) + 1
        if self._kind == "table_open":
            self._is_text = self._lines[0].count("|") * len(self._lines) > TABLE_CELLS
        if self._is_text:
            return done
        if self._kind == "fence":
            is_due = _closes_fence(self._lines[0], line)
        elif is_blank:
            is_due = self._kind not in {"bullet_list_open", "ordered_list_open", "code_block"}
        else:
            is_due = self._chars >= self._look_at
        return [*done, *self._look()] if is_due else done

    def _look(self, extra: str | None = None) -> list[str]:
        """Parse the open text and render the blocks that have ended; `extra` is one more line."""
        lines = self._lines if extra is None else [*self._lines, extra]
        starts = block_starts("".join(f"{line}\n" for line in lines))
        self._look_at = int(self._chars * _GROWTH)
        if not starts:
            return []
        line, self._kind = starts[-1]
        if extra is None and self._has_ended(line):
            line = len(self._lines)
        return self._take(line)

    def _has_ended(self, start: int) -> bool:
        """Return whether no line can continue the last block, which starts in line `start`."""
        match self._kind:
            case "heading_open" | "hr":
                return True
            case "paragraph_open" | "table_open" | "blockquote_open":
                return not self._lines[-1].strip(" \t")
            case "fence":
                opening, *rest = self._lines[start:]
                return any(_closes_fence(opening, line) for line in rest)
            case _:
                return False

    def _take(self, count: int) -> list[str]:
        """Render the first lines of the open text and remove them."""
        if not count:
            return []
        text = "".join(f"{line}\n" for line in self._lines[:count])
        self._lines = self._lines[count:]
        self._chars = sum(len(line) + 1 for line in self._lines)
        if not self._lines:
            self._kind, self._look_at = "", 0
        else:
            self._look_at = int(self._chars * _GROWTH)
        return list(render_blocks(text, self._target, self._highlighter))


def _closes_fence(opening: str, line: str) -> bool:
    """Return whether a line of code in a fence is the end of it."""
    first, last = _FENCE.match(opening), _FENCE.match(line)
    if first is None or last is None:
        return False
    return last[1].startswith(first[1]) and not line[last.end() :].strip(" \t")
