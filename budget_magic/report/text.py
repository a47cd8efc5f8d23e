"""Clean text from models, tools and users for display, and cut it to size."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from budget_magic.characters import ESCAPES, is_seen
from budget_magic.report.numbers import exact

_LINE_ENDS: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNFIT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_OPEN_END: Final = re.compile(
    r"(?:\x1b[ -/]*|(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,64}\x1b?)\Z"
)
"""A terminal escape that what follows may complete; a longer one is not held back."""
_MOST_OPEN: Final = 80
"""Characters at the end of a piece in which such an escape may begin."""
_CONTROL_PICTURES: Final = 0x2400
_SPACE: Final = 0x20
_DELETE: Final = 0x7F
HEAD: Final = 0.7
"""Share of the beginning in the kept part of a cut text."""


def clean_text(text: str) -> str:
    r"""Return `text` without terminal escapes, with other control codes and bidi overrides visible.

    The only control codes left are newline and tab, and UTF-8 can encode the result.

    >>> clean_text("\x1b[31mred\x1b[0m\r\n\x07")
    'red\n␇'
    """
    if _UNFIT.search(text) is None:
        return text
    return _visible(ESCAPES.sub("", text))


def clean_piece(text: str) -> tuple[str, str]:
    r"""Return a piece of streamed text, cleaned, and its end that only the next piece completes.

    Put that end before the next piece: then the cleaned pieces join to the cleaned text.

    >>> clean_piece("\x1b[31mred\r")
    ('red', '\r')
    """
    if _UNFIT.search(text) is None:
        return text, ""
    end = _OPEN_END.search(text, max(0, len(text) - _MOST_OPEN))
    start = len(text) if end is None else end.start()
    ended, held = ESCAPES.sub("", text[:start]), text[start:]
    if ended.endswith("\r"):
        ended, held = ended[:-1], f"\r{held}"
    return _visible(ended), held


def exact_text(text: str) -> str:
    r"""Return the text with invisible characters escaped as in Python, except newline and tab.

    These are control, bidi and zero-width characters, tags, variation selectors, lone surrogates,
    and spaces and line separators other than the plain ones.

    >>> exact_text("echo \x1b]hidden\x07" + chr(0x202E))
    'echo \\x1b]hidden\\x07\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one if one in "\n\t" or is_seen(one) else one.encode("unicode_escape").decode()
        for one in text
    )


def exact_line(text: str) -> str:
    r"""Return the text like `exact_text`, with newlines and tabs escaped too.

    >>> exact_line("a\nb")
    'a\\nb'
    """
    return exact_text(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: str, limit: int) -> str:
    """Return the cleaned text on one line, cut to `limit` characters with an ellipsis."""
    most = 4 * limit + 64
    line = " ".join(clean_text(text[:most]).split())
    if len(line) > limit or (len(text) > most and line):
        return line[: limit - 1].rstrip() + "…"
    return line


class Cut(NamedTuple):
    """A text cut to size."""

    text: str
    note: str
    """What is shown, such as "first 8 and last 4 of 31 lines"; empty if all is."""


def cut_text(text: str, *, lines: int, chars: int) -> Cut:
    """Return head and tail of `text`: at most `lines` lines and `chars` characters, 2 or more."""
    every = text.split("\n")
    if len(every) > lines:
        head = max(1, round(lines * HEAD))
        tail = lines - head
        kept = "\n".join([*every[:head], "…", *every[len(every) - tail :]])
        if len(kept) <= chars:
            return Cut(kept, f"first {head} and last {tail} of {exact(len(every))} lines")
    if len(text) <= chars:
        return Cut(text, "")
    head = max(1, round(chars * HEAD))
    tail = chars - head
    note = f"first {exact(head)} and last {exact(tail)} of {exact(len(text))} characters"
    return Cut(f"{text[:head]}\n…\n{text[len(text) - tail :]}", note)


def _visible(text: str) -> str:
    return _UNFIT.sub(_picture, _LINE_ENDS.sub("\n", text))


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < _SPACE:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return "␡"
    if 0x202A <= code <= 0x2069:  # noqa: PLR2004 - the directional codes
        return f"[U+{code:04X}]"
    return "�"
