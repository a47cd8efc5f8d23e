"""Invisible and control characters, recognised alike by all rooms."""

from __future__ import annotations

import re
from typing import Final

# Possessive quantifiers keep matching linear; an unterminated escape loses only its start.
ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x9c|\x1b\\)"
    r"|\x1b[ -/]*+[0-~]|\ufeff"
)
"""Terminal escapes and byte order marks, which views strip."""
UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible though Unicode calls them printable: fillers, joiners and variation selectors."""


def is_seen(character: str) -> bool:
    """Return whether a reader can see a character, the space included.

    >>> is_seen("a"), is_seen(chr(0x200B)), is_seen(chr(0x3164))
    (True, False, False)
    """
    return character.isprintable() and UNSEEN.match(character) is None


def without_lone_surrogates(text: str) -> str:
    """Return the text with each half of a surrogate pair replaced, since UTF-8 cannot carry one.

    >>> without_lone_surrogates("a" + chr(0xD800) + "b") == "a" + chr(0xFFFD) + "b"
    True
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
