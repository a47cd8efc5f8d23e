"""One row of the table of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from budget_magic.errors import ConfigurationError
from budget_magic.settings.parsers import one_of


class Row(NamedTuple):
    """One setting, described independently of the host."""

    help: str
    """What it is, in one line; `{none}` becomes None or the word none."""
    parse: Callable[[Any], Any]
    """Parses a text or a Python value, or raises ConfigurationError."""
    more: str = ""
    """Continuation of the help that applies to Python only."""
    name: str = ""
    """Its name as a default (`max_cost`); empty for the name of the dataclass field."""
    argument: str = ""
    """Its name as an argument of `Task` (`ceilings.cost_usd`); empty if it is none."""
    default: Any = None
    scope: Literal["session", "task", "turn"] = "task"
    option: str = ""
    """Name of the option without dashes; empty if there is none."""
    short: str = ""
    takes: str = ""
    """What the option takes, as a help text shows it; a switch takes nothing."""
    values: tuple[str | None, ...] = ()
    """What completion offers."""
    repeats: bool = False
    """Whether the option may be repeated; its values are mappings, which are merged."""
    counts: bool = False
    """Whether a cell that is run again counts as changed if the setting differs."""
    live: bool = False
    """Whether it can be changed while a turn runs."""

    @property
    def python_help(self) -> str:
        """The help of the argument and of the default."""
        return self.help.replace("{none}", "None") + self.more

    @property
    def option_help(self) -> str:
        """The help of the option; a switch does the opposite of the built-in default."""
        return self.help_with(self.default_text)

    def help_with(self, default: str) -> str:
        """Return the help of the option with another default than the built-in one."""
        text = self.help.replace("{none}", "none")
        if not self.takes:
            told = f"do not {text}" if self.default else text
            return f"{told} (the default)" if self.default and default == "False" else told
        return f"{text} (default {default})" if default else text

    @property
    def default_text(self) -> str:
        """The documented default, as an option takes it; empty where it has no meaning."""
        if self.default is None and "{none}" not in self.help:
            return ""
        return as_text(self.default)


def as_text(value: object) -> str:
    """Return a value as an option takes it; a float is a duration in seconds.

    >>> as_text(64_000), as_text(1_000_000), as_text(1800.0), as_text(None)
    ('64k', '1M', '30m', 'none')
    """
    if isinstance(value, int) and not isinstance(value, bool) and value:
        for size, unit in ((1_000_000, "M"), (1_000, "k")):
            if value % size == 0:
                return f"{value // size}{unit}"
    if isinstance(value, float):
        return f"{value / 60:g}m" if value % 60 == 0 else f"{value:g}s"
    if isinstance(value, Mapping | tuple):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


def row(help: str, parse: Callable[[Any], Any] | None = None, **columns: Any) -> dict[str, Row]:  # noqa: A002 - names the column
    """Return the metadata of a field that is a setting; by default, one of `values` is parsed."""
    parse = parse or one_of(*columns.get("values", ()))
    return {"row": Row(help=help, parse=parse, **columns)}


def parsed(name: str, parse: Callable[[Any], Any], value: Any) -> Any:
    """Parse the value of a setting.

    Raises
    ------
    ConfigurationError
        The value is invalid; the error names the setting.
    """
    try:
        return parse(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{value!r}: {error}", setting=name) from None
