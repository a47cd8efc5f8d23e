"""The options of the magics: one table, one parser, one sentence for each mistake."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from IPython.utils.process import arg_split  # type: ignore[attr-defined] # re-exported there

from budget_magic.errors import ConfigurationError
from budget_magic.meter.cost import REGION_FACTORS

_SIZES: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_EQUALS_QUOTE: Final = re.compile(r"(?<!\S)(--[\w-]+)=(?=[\"'])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of the table."""

    name: str
    short: str = ""
    value: str = ""
    """What it takes, as the help shows it; empty for a switch."""
    help: str
    read: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A magic's line, read."""

    task: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    """Values by option name; switches are True."""
    wants_help: bool = False


def tokens(text: str) -> int:
    """Parse a number of tokens.

    >>> tokens("64k"), tokens("1.5M"), tokens("20000")
    (64000, 1500000, 20000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text)
    if match is None:
        raise ValueError(_decimal_hint(text) or "give a number of tokens, such as 20000, 64k, 1.5M")
    return int(Decimal(match[1]) * _SIZES[match[2].lower()])


def tokens_or_none(text: str) -> int | None:
    """Parse a number of tokens, or `none`."""
    return None if text == "none" else tokens(text)


def usd_or_none(text: str) -> Decimal | None:
    """Parse US dollars, or `none` for an open ceiling.

    >>> usd_or_none("$2.50")
    Decimal('2.50')
    """
    if text == "none":
        return None
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value < 0:
        raise ValueError(_decimal_hint(text) or "give US dollars, such as 5 or 0.50, or none")
    return value


def count_or_none(text: str) -> int | None:
    """Parse a whole number, or `none` for an open ceiling."""
    if text == "none":
        return None
    if not re.fullmatch(r"\d+", text):
        raise ValueError("give a whole number, such as 50, or none")
    return int(text)


def seconds_or_none(text: str) -> float | None:
    """Parse a time, or `none` for an open ceiling.

    >>> seconds_or_none("90s"), seconds_or_none("10m"), seconds_or_none("1h")
    (90.0, 600.0, 3600.0)
    """
    if text == "none":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise ValueError(_decimal_hint(text) or "give a time with its unit: 90s, 10m, 1h, or none")
    return float(match[1]) * _SECONDS[match[2]]


def variable(text: str) -> str:
    """Parse the name of a notebook variable."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ValueError("give the name of a variable, such as outcome")
    return text


def tag(text: str) -> tuple[str, str]:
    """Parse a label `KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError("give KEY=VALUE, such as pr=123")
    return key, value


def _decimal_hint(text: str) -> str:
    if re.fullmatch(r"\$?\d+,\d+\w?", text):
        return f"write the number with a point: {text.replace(',', '.')}"
    return ""


def region_or_none(text: str) -> str | None:
    """Return an inference region, or None for `none`."""
    if text not in {*REGION_FACTORS, "none"}:
        raise ValueError(f"choose one of {', '.join(REGION_FACTORS)}, none")
    return None if text == "none" else text


EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
OPTIONS: Final = (
    Option(name="budget", short="b", value="TOKENS", read=tokens_or_none,
           help="advisory task budget for the whole task (20000, 64k, 1.5M, none)"),
    Option(name="effort", short="e", value="LEVEL", choices=EFFORTS,
           help="low, medium, high, xhigh or max"),
    Option(name="model", short="m", value="ID", help="model"),
    Option(name="max-tokens", value="N", read=tokens, help="hard cap of one response"),
    Option(name="max-cost", value="USD", read=usd_or_none,
           help="hard ceiling of the task in US dollars"),
    Option(name="max-total-tokens", value="N", read=tokens_or_none,
           help="hard ceiling on input, cache-write and output tokens of the task"),
    Option(name="max-steps", value="N", read=count_or_none,
           help="hard ceiling on the steps of one turn"),
    Option(name="max-time", value="T", read=seconds_or_none,
           help="hard ceiling on the running time of one turn (90s, 10m, 1h)"),
    Option(name="tools", short="t", value="LIST",
           help="files, names of functions in the notebook, or none"),
    Option(name="approve", value="POLICY", choices=("ask", "all", "none"),
           help="ask: read-only tools run, others ask; all: nothing asks; none: refused"),
    Option(name="root", value="DIR", help="the only folder that file tools may touch"),
    Option(name="system", value="TEXT", help="system prompt, on a task's first turn only"),
    Option(name="out", short="o", value="VAR", read=variable,
           help="binds the turn's Outcome in the notebook"),
    Option(name="new", help="start afresh under NAME"),
    Option(name="again", help="run this cell's turn anew though its result is paid for"),
    Option(name="no-wrap-up", help="do not keep back room for one last answer"),
    Option(name="compact-at", value="N", read=tokens_or_none,
           help="prompt size from which on a summary replaces the history (100k, none)"),
    Option(name="inference-geo", value="REGION", read=region_or_none,
           help="inference region of the requests: us (1.1 x the price), global, none"),
    Option(name="background", help="return at once; task.wait() waits"),
    Option(name="tag", value="KEY=VALUE", read=tag, repeats=True, help="label; may repeat"),
    Option(name="release-held",
           help="%claude_task only: release what cut-off requests hold against the ceilings"),
    Option(name="client", value="NAME",
           help="auto, simulator, or the name of a client object in the notebook"),
)  # fmt: skip
"""Every option, in the order of the help."""

SETTINGS: Final = frozenset(
    {
        "budget", "effort", "model", "max-tokens", "max-cost", "max-total-tokens", "max-steps",
        "max-time", "tools", "approve", "root", "system", "no-wrap-up", "compact-at",
        "inference-geo", "tag", "client",
    }
)  # fmt: skip
"""Options that change a task; the others concern one cell."""
CELL: Final = frozenset(option.name for option in OPTIONS) - {"release-held"}
"""Options of `%%claude_task`."""
LINE: Final = SETTINGS | {"new", "release-held"}
"""Options of `%claude_task`."""


def split(line: str, expand: Callable[[str], str]) -> list[str]:
    """Return the words of a line; quoted ones keep `$x` and `{x}`, others are expanded.

    Parameters
    ----------
    line
        As typed after the magic's name; backslashes survive.
    expand
        IPython's expansion of `$x` and `{x}`.
    """
    try:
        words = arg_split(_EQUALS_QUOTE.sub(r"\1 ", line), posix=False)
    except ValueError as error:
        raise ConfigurationError("a quote on this line is not closed") from error
    return [
        word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else expand(word)
        for word in words
    ]


def parse(words: list[str], allowed: frozenset[str] | None = None) -> Line:
    """Parse a line's words.

    Parameters
    ----------
    words
        As `split` gives them.
    allowed
        Option names this magic takes; None is all of them.

    Raises
    ------
    ConfigurationError
        An unknown option, a missing or wrong value, or more than one word for a name.
    """
    names: list[str] = []
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in {"--help", "-h"}:
            return Line(wants_help=True)
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        key, equals, inline = word.partition("=")
        option = _find(key, allowed)
        if not option.value:
            if equals:
                raise ConfigurationError(f"{key} takes no value; write it alone")
            given[option.name] = True
            continue
        if not equals and not rest:
            raise ConfigurationError(f"{key} needs a value: {key} {option.value}")
        value = _read(option, key, inline if equals else rest.pop(0))
        if option.repeats:
            given.setdefault(option.name, []).append(value)
        elif option.name in given:
            raise ConfigurationError(f"{key} is given twice; give it once")
        else:
            given[option.name] = value
    if len(names) > 1:
        raise ConfigurationError(
            f"{' '.join(names)!r} is more than a task name: the prompt goes below the first line"
        )
    return Line(task=names[0] if names else None, given=given)


def _find(key: str, allowed: frozenset[str] | None) -> Option:
    flags = {f"--{option.name}": option for option in OPTIONS}
    flags |= {f"-{option.short}": option for option in OPTIONS if option.short}
    option = flags.get(key)
    if option is None:
        whole = [flag for flag in flags if key.startswith("--") and flag.startswith(key)]
        close = whole or difflib.get_close_matches(key, flags, n=1)
        hint = f"did you mean {' or '.join(close)}?" if close else "--help lists the options"
        raise ConfigurationError(f"there is no option {key}; {hint}")
    if allowed is not None and option.name not in allowed:
        magic = "%%claude_task" if option.name in CELL else "%claude_task NAME"
        raise ConfigurationError(f"{key} has no meaning here; use it with {magic}")
    return option


def _read(option: Option, key: str, text: str) -> Any:
    if option.choices and text not in option.choices:
        raise ConfigurationError(f"{key} {text}: choose one of {', '.join(option.choices)}")
    try:
        return option.read(text)
    except ValueError as error:
        raise ConfigurationError(f"{key} {text}: {error}") from error


def help_text(magic: str) -> str:
    """Return the table that `--help` prints."""
    rows = []
    for option in OPTIONS:
        flags = f"-{option.short}, " if option.short else "    "
        rows.append((f"{flags}--{option.name} {option.value}".rstrip(), option.help))
    width = max(len(flag) for flag, _ in rows)
    lines = [f"{magic} [NAME] [options]", *(f"  {flag:<{width}}  {told}" for flag, told in rows)]
    return "\n".join(lines)
