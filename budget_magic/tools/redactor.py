"""Redact the process's credentials before anything is sent, shown or logged."""

from __future__ import annotations

import base64
import json
import re
import string
from collections.abc import Collection, Iterable, Iterator, Mapping
from html import escape
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, quote_plus

from budget_magic.characters import ESCAPES
from budget_magic.tools.credentials import credentials, parts

T = TypeVar("T")

MINIMUM_LENGTH: Final = 8
"""Shorter values are not redacted: they occur in ordinary text."""
_LONGEST_GRAM: Final = 8
_BITS: Final = 6
"""Bits that one character of base64 holds."""
_ESCAPED_IN_MARKDOWN: Final = ("_", "_*", string.punctuation)
"""What a writer of Markdown puts a backslash before: the usual marks, or all."""
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Redactor:
    """Replaces the values of credentials by "[secret NAME]" in texts and JSON values.

    Parameters
    ----------
    environ
        Environment variables; `credentials` says which of them count. Read again by `refresh`.
    extra
        More names and values, such as the key that a client was made with; one name may have
        several values. Read again by `refresh`.
    known
        A redactor whose secrets this one replaces too.

    Examples
    --------
    >>> Redactor({"MY_API_KEY": "k-12345678"}).redact({"log": ["key=k-12345678!"]})
    {'log': ['key=[secret MY_API_KEY]!']}
    """

    __slots__ = ("_environ", "_extra", "_index", "_names", "_read")

    def __init__(
        self,
        environ: Mapping[str, str],
        extra: Iterable[tuple[str, str]] = (),
        known: Redactor | None = None,
    ) -> None:
        self._environ, self._extra = environ, extra
        self._names: dict[str, str] = {}
        if known is not None:
            self._names |= known._names  # noqa: SLF001 - of the same class
        self._index = _Index(self._names)
        self._read: object = None
        self.refresh()

    def refresh(self) -> None:
        """Add credentials that were set since; none is ever removed."""
        # Another thread may remove a variable meanwhile.
        found = ((name, self._environ.get(name)) for name in list(self._environ))
        environ = {name: value for name, value in found if value is not None}
        extra = list(self._extra)
        if (environ, extra) == self._read:
            return
        names = dict(self._names)
        given = ((name, part) for name, value in extra for part in parts(value))
        for name, value in (*given, *credentials(environ)):
            if len(value) >= MINIMUM_LENGTH:
                for form in _forms(value):
                    names.setdefault(form, name)
        if len(names) > len(self._names):
            # In this order: a thread that sees the new index must find all names.
            self._names, self._index = names, _Index(names)
        self._read = environ, extra

    def __repr__(self) -> str:
        return f"Redactor({', '.join(self.names) or 'nothing to replace'})"

    @property
    def names(self) -> list[str]:
        """The names of the credentials it knows, sorted; never their values."""
        return sorted(set(self._names.values()))

    def redact(self, value: T) -> T:
        """Return a copy with every known secret replaced; walks str, dict, list and tuple."""
        return cast("T", self._walk(value, set()))

    def names_in(self, value: object) -> list[str]:
        """Return the names of the secrets that a text or a JSON value holds, sorted."""
        found: set[str] = set()
        self._walk(value, found)
        return sorted(found)

    def _walk(self, value: Any, found: set[str]) -> Any:
        """Return a redacted copy; the names of the secrets in it go to `found`."""
        if isinstance(value, str):
            return self._text(value, found)
        if isinstance(value, dict):
            return self._dict(value, found)
        if isinstance(value, list):
            return [self._walk(item, found) for item in value]
        if type(value) is tuple:
            return tuple(self._walk(item, found) for item in value)
        return value

    def _dict(self, value: dict[Any, Any], found: set[str]) -> dict[Any, Any]:
        walked: dict[Any, Any] = {}
        for key, item in value.items():
            # Two redacted keys may be equal; neither entry may be lost.
            redacted = shown = self._walk(key, found)
            number = 1
            while shown in walked:
                number += 1
                shown = f"{redacted} {number}"
            walked[shown] = self._walk(item, found)
        return walked

    def _text(self, text: str, found: set[str]) -> str:
        forms = self._index.forms_in(text)
        # The first is much faster than a search for escapes.
        if not text.isprintable() and ESCAPES.search(text):
            # Views strip terminal escapes, which would join a secret that they split.
            plain = ESCAPES.sub("", text)
            in_plain = self._index.forms_in(plain)
            if in_plain - forms:
                text, forms = plain, in_plain
        if not forms:
            return text
        found.update(self._names[form] for form in forms)
        return _pattern(forms).sub(lambda match: self._label(match[0]), text)

    def _label(self, form: str) -> str:
        return f"[secret {self._names[form]}]"

    def split(self, text: str, *, last: bool) -> tuple[str, str]:
        """Return the part of a growing text that is safe to show, redacted, and the rest."""
        if not self._names:
            return text, ""
        pattern = _pattern(self._index.forms_in(text))
        safe, at = "", 0
        while True:
            hold = len(text) if last else self._index.beginning_of_a_form(text, at)
            match = pattern.search(text, at)
            if match is None or match.start() >= hold:
                return safe + text[at:hold], text[hold:]
            safe += text[at : match.start()] + self._label(match[0])
            at = match.end()


def _pattern(forms: Collection[str]) -> re.Pattern[str]:
    """Return a pattern for some forms, longest first; without any it matches nothing."""
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


class _Index:
    """An index of all forms, to search a text for all of them at once.

    Wherever a form occurs, one of its grams begins at a multiple of `step`: only every `step`th
    gram of a text is looked up.
    """

    __slots__ = ("by_first", "by_gram", "gram", "longest", "step")

    def __init__(self, forms: Collection[str]) -> None:
        lengths = [len(form) for form in forms]
        self.longest, shortest = max(lengths, default=0), min(lengths, default=MINIMUM_LENGTH)
        self.gram = min(shortest // 2, _LONGEST_GRAM)
        self.step = shortest - self.gram + 1
        self.by_gram: dict[str, set[str]] = {}
        self.by_first: dict[str, list[str]] = {}
        for form in forms:
            self.by_first.setdefault(form[0], []).append(form)
            for at in range(self.step):
                self.by_gram.setdefault(form[at : at + self.gram], set()).add(form)

    def forms_in(self, text: str) -> set[str]:
        """Return the forms that a text holds."""
        size = self.gram
        grams = [text[at : at + size] for at in range(0, len(text) - size + 1, self.step)]
        if self.by_gram.keys().isdisjoint(grams):  # mostly so, and no set has to be made
            return set()
        found = self.by_gram.keys() & grams
        return {form for gram in found for form in self.by_gram[gram] if form in text}

    def beginning_of_a_form(self, text: str, start: int) -> int:
        """Return the start of the first suffix that could be the beginning of a form."""
        for at in range(max(start, len(text) - self.longest + 1), len(text)):
            left = len(text) - at
            for form in self.by_first.get(text[at], ()):
                if len(form) > left and text.endswith(form[:left]):
                    return at
        return len(text)


class StreamRedactor:
    """Redacts a text that arrives in pieces, so that a secret split over them never shows.

    Only text that could begin a secret is held back. The pieces add up to the whole text redacted
    at once.

    Examples
    --------
    >>> stream = StreamRedactor(Redactor({"MY_API_KEY": "k-12345678"}))
    >>> [stream.feed("my k-12"), stream.feed("345678, "), stream.feed("k"), stream.flush()]
    ['my ', '[secret MY_API_KEY], ', '', 'k']
    """

    __slots__ = ("_held", "_redactor")

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what may be shown now."""
        shown, self._held = self._redactor.split(self._held + piece, last=False)
        return shown

    def flush(self) -> str:
        """Return what was held back, when nothing more will come."""
        shown, self._held = self._redactor.split(self._held, last=True)
        return shown


def _forms(value: str) -> Iterator[str]:
    """Yield a secret as it stands, and as languages and encodings write it.

    These are JSON, Python, Markdown, HTML, URLs, base64 and hex.
    """
    yield value
    yield from _in_python(value)
    for special in _ESCAPED_IN_MARKDOWN:
        yield "".join(f"\\{one}" if one in special else one for one in value)
    yield escape(value, quote=False)
    yield escape(value)
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (escaped, escaped.replace("/", "\\/"))
    for quoted in (quote(value, errors="replace"), quote(value, safe="", errors="replace"),
                   quote_plus(value, errors="replace")):  # fmt: skip
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    data = value.encode("utf-8", "surrogatepass")
    yield from (data.hex(), data.hex().upper())
    for encoded in _in_base64(data):
        yield from (encoded, encoded.translate(_URL_SAFE))


def _in_python(value: str) -> Iterator[str]:
    """Yield what `repr` and `ascii` make of a text and of its bytes, inside a longer one.

    The text around the value decides which quotes are escaped: none, single or double ones.
    """
    in_bytes = value.encode("utf-8", "surrogatepass").decode("latin-1")
    for written, text in ((repr, value), (ascii, value), (ascii, in_bytes)):
        pieces = re.split("(['\"])", text)
        inside = [piece if piece in {"'", '"'} else written(piece)[1:-1] for piece in pieces]
        yield "".join(inside)
        for mark in ("'", '"'):
            yield "".join(f"\\{one}" if one == mark else one for one in inside)


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield a value in base64: alone, and the part that is the same inside any longer text.

    A value begins at one of three places within the groups of three bytes that base64 encodes.
    Characters at both ends that also hold bits of its neighbours are left out.
    """
    alone = base64.b64encode(data).decode()
    yield from (alone, alone.rstrip("="))
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        first, end = -(-8 * before // _BITS), 8 * (before + len(data)) // _BITS
        yield encoded[first:end]
