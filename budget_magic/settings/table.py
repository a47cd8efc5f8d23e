"""The table of settings: each field below is one, with its type, default and `row`.

Options, traits, the arguments of `Task`, their help, completion, recorded settings and the table
in README.md come from here. To add a setting, add a field to `Settings`, or to `RecordedSettings`
if the loop acts on it, and use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from budget_magic.errors import ConfigurationError
from budget_magic.settings import parsers
from budget_magic.settings.ceilings import Ceilings, ceilings
from budget_magic.settings.parsers import StuckRule, ToolEntry
from budget_magic.settings.row import Row, parsed, row

if TYPE_CHECKING:
    from budget_magic.models import PriceTable

Carry = Literal["today", "documented"]
EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
SYSTEM: Final = (
    "You work on a task inside a Jupyter notebook. Use the tools you are given, look before you"
    " claim, and name files and lines. Answer in Markdown, the result first."
)
LARGE_EFFORTS: Final = frozenset({"xhigh", "max"})
MAX_TOKENS: Final = 32_000
MAX_TOKENS_AT_LARGE_EFFORT: Final = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSettings:
    """Settings that the loop acts on, recorded as requested."""

    # fmt: off
    budget: int | None = field(default=64_000, metadata=row(
        "advisory task budget of the whole task, in tokens; {none} sends no budget",
        parsers.tokens, short="b", takes="TOKENS", values=("20k", "64k", "128k", None),
        counts=True, live=True))
    effort: str = field(default="high", metadata=row(
        f"effort: {', '.join(EFFORTS)}", short="e", takes="LEVEL", values=EFFORTS,
        counts=True, live=True))
    model: str = field(default="claude-opus-5-5", metadata=row(
        "model id", parsers.text, short="m", takes="ID", counts=True))
    ceilings: Ceilings = field(default_factory=Ceilings, metadata=row(
        "hard ceilings, which the harness never lets pass", ceilings))
    compact_at: int | None = field(default=None, metadata=row(
        "prompt size at which a summary replaces the history, such as 100k; {none}: never",
        parsers.history, takes="N"))
    carry: Carry = field(default="today", metadata=row(
        "how later prompts send the budget: today, or documented for a server that starts a fresh"
        " budget with each prompt",
        values=("today", "documented")))
    inference_geo: str | None = field(default=None, metadata=row(
        "inference region: us (1.1 x the price), global, or {none}: the workspace's default",
        takes="REGION", values=("us", "global", None)))
    wrap_up: bool = field(default=True, metadata=row(
        "reserve room for one last answer before a ceiling", parsers.flag, option="no-wrap-up"))
    # fmt: on

    def as_asked(self) -> dict[str, Any]:
        """Return these settings by name."""
        return {part.name: getattr(self, part.name) for part in fields(RecordedSettings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(RecordedSettings):
    """All settings of one task, as requested."""

    # fmt: off
    max_tokens: int | None = field(default=None, metadata=row(
        "hard cap of one response; {none}: 32k, at xhigh and max 64k", parsers.tokens, takes="N"))
    tools: Sequence[ToolEntry] = field(default=("files",), metadata=row(
        "files and names of functions in the notebook, or none",
        parsers.tools, more="; also functions and tools themselves",
        short="t", takes="LIST", values=("files", "none"), counts=True))
    approve: object = field(default="ask", metadata=row(
        "ask: tools that are not read-only ask; all: nothing asks; none: what would ask is refused",
        parsers.policy, more="; or a function `(call) -> True, False or a reason`",
        takes="POLICY", values=("ask", "all", "none")))
    root: str | os.PathLike[str] = field(default=".", metadata=row(
        "the only folder that file tools may touch", parsers.folder, takes="DIR", counts=True))
    system: str | None = field(default=None, repr=False, metadata=row(
        "system prompt, set on a task's first turn only; {none}: a short built-in one",
        parsers.text_or_none, takes="TEXT", counts=True))
    client: object = field(default="auto", repr=False, metadata=row(
        "auto, simulator, or the name of a client object in the notebook",
        parsers.client, more="; or an object with `.beta.messages.stream`",
        takes="NAME", values=("auto", "simulator"), counts=True))
    client_name: str = "client"
    """Name of a client that is an object."""
    tags: Mapping[str, str] = field(default_factory=dict, repr=False, metadata=row(
        "label for reports; repeatable", parsers.tags,
        option="tag", takes="KEY=VALUE", repeats=True))
    prices: Mapping[str, PriceTable] = field(default_factory=dict, metadata=row(
        "USD per million tokens by model id; they override the built-in prices", parsers.prices))
    stuck_rule: StuckRule | None = field(default=StuckRule(), metadata=row(
        "(3, 9): halt at the third identical call within nine; {none}: never", parsers.stuck_rule))
    # fmt: on

    def __post_init__(self) -> None:
        """Parse what users write: one tool for a list, `"64k"` for a number, a pair for a rule."""
        if not isinstance(self.client_name, str):
            raise ConfigurationError(f"{self.client_name!r}: give a text", setting="client_name")
        for part in fields(self):
            found: Row | None = part.metadata.get("row")
            if found is not None:
                value = parsed(_name(part), found.parse, getattr(self, part.name))
                object.__setattr__(self, part.name, value)

    @property
    def reply_tokens(self) -> int:
        """The `max_tokens` in force."""
        if self.max_tokens is not None:
            return self.max_tokens
        return MAX_TOKENS_AT_LARGE_EFFORT if self.effort in LARGE_EFFORTS else MAX_TOKENS

    @property
    def system_text(self) -> str:
        """The system prompt in force."""
        return SYSTEM if self.system is None else self.system

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The entries of `tools` as words."""
        return tuple(
            entry
            if isinstance(entry, str)
            else str(getattr(entry, "__name__", None) or getattr(entry, "name", "function"))
            for entry in self.tools
        )

    def root_path(self) -> Path:
        """Return the folder of the file tools, absolute."""
        return Path(os.path.expanduser(self.root)).resolve()  # noqa: PTH111 - keeps `~name` errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Default settings of a task, and settings of the session."""

    settings: Settings = field(default_factory=Settings)
    # fmt: off
    session_cost_usd: Decimal | None = field(default=None, metadata=row(
        "ceiling of all tasks in US dollars; {none}: ANTHROPIC_COST_BUDGET",
        parsers.usd, name="session_cost", scope="session"))
    session_tokens: int | None = field(default=None, metadata=row(
        "ceiling of all tasks in tokens; {none}: ANTHROPIC_TOKEN_BUDGET",
        parsers.tokens, scope="session"))
    save_transcript: bool = field(default=True, metadata=row(
        "whether saved outputs hold the steps, or only figures, prompt and answer",
        parsers.flag, scope="session"))
    secrets: tuple[str, ...] = field(default=(), metadata=row(
        "names of more variables whose values are redacted everywhere",
        parsers.names, scope="session"))
    # fmt: on


_Group = TypeVar("_Group", bound="Defaults | Settings | Ceilings")


def evolve(group: _Group, values: Mapping[str, Any]) -> _Group:
    """Return a copy with new values by name of the setting, such as `effort` or `max_steps`.

    >>> evolve(Settings(), {"effort": "low", "max_steps": 9}).ceilings.steps
    9

    Raises
    ------
    ConfigurationError
        A name is not that of a setting in the group, or a value is invalid.
    """
    left, changes = dict(values), dict[str, Any]()
    for part in fields(group):
        name = _name(part)
        if name in left:
            changes[part.name] = left.pop(name)
        before = getattr(group, part.name)
        value = changes.get(part.name, before)
        if isinstance(value, Ceilings) and value is not before:
            value = value.over(before)
        if isinstance(value, Settings | Ceilings):
            inner = {
                row.name: parsed(row.name, row.parse, left.pop(row.name))
                for row in rows(value)
                if row.name in left
            }
            changes[part.name] = evolve(value, inner)
    for name in left:
        raise ConfigurationError(_unknown(name, group))
    return replace(group, **changes)


def _unknown(name: str, group: Defaults | Settings | Ceilings) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - keeps loading cheap

    if name in TABLE:
        return f"{name} is a setting of the session, not of a task"
    names = {row.argument.rpartition(".")[2]: row.name for row in rows(group)}
    names |= {row.name: row.name for row in rows(group)}
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {names[close[0]]}?" if close else ""
    return f"there is no setting {name}{hint}"


def _name(part: Field[Any]) -> str:
    found: Row | None = part.metadata.get("row")
    return (found.name if found else "") or part.name


def rows(group: Defaults | Settings | Ceilings, path: str = "") -> Iterator[Row]:
    """Yield the rows of the table for a group, with the values of the group as their defaults."""
    for part in fields(group):
        default, name = getattr(group, part.name), _name(part)
        found: Row | None = part.metadata.get("row")
        if isinstance(default, Settings):
            yield from rows(default)
        elif isinstance(default, Ceilings):
            yield from rows(default, f"{part.name}.")
        elif found is not None:
            option = found.option or (name.replace("_", "-") if found.takes else "")
            argument = "" if found.scope == "session" else path + part.name
            yield found._replace(name=name, default=default, option=option, argument=argument)


TABLE: Final[Mapping[str, Row]] = {found.name: found for found in rows(Defaults())}
"""All settings by name."""
LIVE: Final = frozenset(row.argument.partition(".")[0] for row in TABLE.values() if row.live)
"""Fields of `Settings` that can change while a turn runs."""
