"""The process's own credentials, replaced in full before anything is sent, shown or logged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, quote_plus, unquote

T = TypeVar("T")

MINIMUM_LENGTH: Final = 8
"""Shorter values are left alone: replacing them would maim ordinary text."""
MINIMUM_LINE_LENGTH: Final = 16
"""Lines of a secret of several lines, such as a PEM key, count on their own from here on."""

_STRONG_NAME: Final = re.compile(
    r"SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY"
)
_WEAK_NAME: Final = re.compile(
    r"^(?:AWS|ANTHROPIC)_|TOKEN$|(?:^|_)TOKEN_|(?:_KEY|_PWD|_PASS|_PAT|_AUTH|CREDENTIALS?)$"
)
_HARMLESS_ENDING: Final = re.compile(
    r"_(?:URL|URI|ENDPOINT|HOST|PORT|FILE|PATH|DIR|HOME|BUDGET|LIMIT|MODEL|REGION|PROFILE|OUTPUT"
    r"|NAME|MODE|TYPE|ENV|ARN|VERSION|LOG|LEVEL|TTL|TIMEOUT|RETRIES|ATTEMPTS|COUNT|LENGTH|SIZE"
    r"|PAGER|BUCKET|BETAS?|TIER|VAULT|ISSUER|AUDIENCE|SCOPES?"
    r"|(?:PROJECT|ACCOUNT|WORKSPACE|ORGANIZATION|CLIENT|RULE)_ID)$"
    r"|^ANTHROPIC_OPEN_TELEMETRY"
)
_HARMLESS_VALUES: Final = frozenset(
    {
        "anonymous",
        "changeme",
        "development",
        "disabled",
        "localhost",
        "not-needed",
        "password",
        "placeholder",
        "postgres",
        "production",
        "undefined",
        "username",
        "your-api-key",
    }
)
_NUMBER: Final = re.compile(r"[+-]?[\d.,_]+(?:e[+-]?\d+)?", re.IGNORECASE)
# A leading slash alone is not enough: keys in base64 may begin with one.
_PATH: Final = re.compile(r"(?:~|\.{1,2})?/(?:[a-z]{2,15}|Users|Volumes|Library)(?:/[^+=]*)?")
_DRIVE_PATH: Final = re.compile(r"[A-Za-z]:[\\/]")
_URL_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@")
_SCHEME: Final = re.compile(r"(?:Bearer|Basic|Token) +(\S+)", re.IGNORECASE)


class Redactor:
    """Replaces the values of credentials by "[secret NAME]" in texts and JSON values.

    Parameters
    ----------
    environ
        Environment variables; those whose names look like credentials count, and the passwords
        in URLs of any variable. Values of fewer than 8 characters, paths, numbers and known
        harmless variables do not.
    extra
        More values by name, such as the key that a client was made with.

    Examples
    --------
    >>> Redactor({"MY_API_KEY": "k-12345678"}).redact({"log": ["key=k-12345678!"]})
    {'log': ['key=[secret MY_API_KEY]!']}
    """

    __slots__ = ("_by_first", "_labels", "_longest", "_pattern")

    def __init__(self, environ: Mapping[str, str], extra: Mapping[str, str] | None = None) -> None:
        labels: dict[str, str] = {}
        for name, value in _secrets(environ, extra or {}):
            for form in _forms(value):
                labels.setdefault(form, f"[secret {name}]")
        self._labels = labels
        longest_first = sorted(labels, key=lambda form: (-len(form), form))
        self._longest = len(longest_first[0]) if labels else 0
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if labels else None
        self._by_first: dict[str, list[str]] = {}
        for form in longest_first:
            self._by_first.setdefault(form[0], []).append(form)

    def __repr__(self) -> str:
        return f"Redactor({', '.join(self.names) or 'nothing to replace'})"

    @property
    def names(self) -> list[str]:
        """The names of the credentials it knows, sorted; never their values."""
        return sorted({label[len("[secret ") : -1] for label in self._labels.values()})

    def redact(self, value: T) -> T:
        """The value with every known secret replaced; walks str, dict, list and tuple."""
        return cast("T", self._walk(value))

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._walk(key): self._walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._walk(item) for item in value]
        if type(value) is tuple:
            return tuple(self._walk(item) for item in value)
        return value

    def _text(self, text: str) -> str:
        # Looking for each value by itself is far faster than the pattern, and mostly none is there.
        if self._pattern is None or not any(form in text for form in self._labels):
            return text
        return self._pattern.sub(lambda match: self._labels[match.group()], text)

    def split(self, text: str, *, last: bool) -> tuple[str, str]:
        """The part of a growing text that is safe to show, redacted, and the rest to hold back."""
        if self._pattern is None:
            return text, ""
        safe: list[str] = []
        at = 0
        while True:
            hold = len(text) if last else self._beginning_of_a_secret(text, at)
            match = self._pattern.search(text, at)
            if match is None or match.start() >= hold:
                return "".join(safe) + text[at:hold], text[hold:]
            safe += [text[at : match.start()], self._labels[match.group()]]
            at = match.end()

    def _beginning_of_a_secret(self, text: str, start: int) -> int:
        """Where the first ending of the text starts that a longer secret could go on from."""
        for at in range(max(start, len(text) - self._longest + 1), len(text)):
            for form in self._by_first.get(text[at], ()):
                if len(form) > len(text) - at and form.startswith(text[at:]):
                    return at
        return len(text)


class StreamRedactor:
    """Redacts a text that arrives in pieces, so that a secret split over them never shows.

    It holds back only what could be the beginning of a secret. The pieces it gives, joined, equal
    the whole text redacted at once, wherever it was split.

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
        """What may be shown now."""
        shown, self._held = self._redactor.split(self._held + piece, last=False)
        return shown

    def flush(self) -> str:
        """What was held back, when nothing more will come."""
        shown, self._held = self._redactor.split(self._held, last=True)
        return shown


def _secrets(environ: Mapping[str, str], extra: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each secret with its name: the given ones first, then the variables by name."""
    for name, value in extra.items():
        yield from ((name, part) for part in _parts(value))
    for name, value in sorted(environ.items()):
        for found in _URL_PASSWORD.finditer(value):
            yield name, found[1]
            yield name, unquote(found[1])
        if _is_credential(name.upper(), value.strip()):
            yield from ((name, part) for part in _parts(value))


def _is_credential(name: str, value: str) -> bool:
    strong = _STRONG_NAME.search(name) is not None
    if not strong and (_HARMLESS_ENDING.search(name) or not _WEAK_NAME.search(name)):
        return False
    if _PATH.fullmatch(value) or _DRIVE_PATH.match(value):
        return False
    return "PASSWORD" in name or _NUMBER.fullmatch(value) is None


def _parts(value: str) -> Iterator[str]:
    """A value, and what of it may turn up alone: its lines, the key behind `Bearer`."""
    yield value.strip()
    yield from (found[1] for found in _SCHEME.finditer(value))
    lines = value.strip().splitlines()
    if len(lines) > 1:
        long = (line.strip() for line in lines if not line.startswith("-----"))
        yield from (line for line in long if len(line) >= MINIMUM_LINE_LENGTH)


def _forms(value: str) -> Iterator[str]:
    """A secret as it stands, and as JSON and URLs write it."""
    if len(value) < MINIMUM_LENGTH or value.casefold() in _HARMLESS_VALUES:
        return
    yield value
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (escaped, escaped.replace("/", "\\/"))
    for quoted in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
