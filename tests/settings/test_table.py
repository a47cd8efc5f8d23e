"""One table of settings: both doors, the records and the README say what it says."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from budget_magic import Ceilings, ConfigurationError, Task, tasks
from budget_magic.events import TurnSettings, TurnStarted
from budget_magic.magics.defaults import TaskDefaults
from budget_magic.magics.options import OPTIONS, parse
from budget_magic.models import EFFORT_LEVELS, REGION_FACTORS
from budget_magic.settings import (
    TABLE,
    Defaults,
    RecordedSettings,
    Settings,
    StuckRule,
    evolve,
)
from budget_magic.simulator import Reply, Simulator
from tests.loop.running import facts, task_on

README: Final = Path(__file__).parents[2] / "README.md"
TYPED: Final = {
    "budget": "128k",
    "effort": "low",
    "model": "claude-opus-4-7",
    "max_cost": "0.50",
    "max_total_tokens": "1.5M",
    "max_steps": "9",
    "max_time": "90s",
    "compact_at": "100k",
    "inference_geo": "us",
    "max_tokens": "none",
    "tools": "files, look",
    "approve": "all",
    "root": "data",
    "system": "Be short.",
    "client": "simulator",
    "tags": "pr=1",
}


def readme_table() -> str:
    """The table as README.md must hold it."""
    lines = ["| option | `%config` | `Task` | meaning |", "| --- | --- | --- | --- |"]
    for row in [*TABLE.values(), *(row for row in OPTIONS.values() if row.scope == "turn")]:
        short = f"-{row.short}, " if row.short else ""
        option = f"{short}--{row.option} {row.takes}".rstrip() if row.option else ""
        name = row.name if row.name in TABLE else ""
        default = f" (default {row.default_text})" if row.default_text else ""
        meaning = row.option_help if row.option else row.python_help + default
        marks = "°" * row.counts + "*" * row.live
        cells = [f"`{code}`" if code else "" for code in (option, name, row.argument)]
        lines.append(f"| {' | '.join(cells)} | {meaning}{marks and ' ' + marks} |")
    return "\n".join(lines)


def test_the_readme_holds_the_table() -> None:
    assert readme_table() in README.read_text(encoding="utf-8"), readme_table()


@pytest.mark.parametrize("name", TYPED)
def test_an_option_and_the_default_of_its_name_are_parsed_alike(name: str) -> None:
    configured = TaskDefaults()
    setattr(configured, name, TYPED[name])

    given = parse([f"--{TABLE[name].option}", TYPED[name]]).given

    assert given == {name: getattr(configured, name)}


def test_every_setting_is_a_default_that_the_session_takes() -> None:
    configured = TaskDefaults()

    assert set(TABLE) <= set(configured.trait_names(config=True))
    assert configured.as_defaults() == Defaults()


def test_a_default_of_a_config_is_in_force_in_the_settings() -> None:
    configured = TaskDefaults(max_cost="2", wrap_up=False, tags={"pr": "1"}, stuck_rule=(2, 4))

    settings = configured.as_defaults().settings

    assert settings.ceilings == Ceilings(cost_usd=2)
    assert (settings.wrap_up, settings.tags, settings.stuck_rule) == (False, {"pr": "1"}, (2, 4))


def test_task_takes_and_documents_every_setting_of_a_task() -> None:
    parameters = inspect.signature(Task).parameters
    told = inspect.getdoc(Task.__init__) or ""

    for row in TABLE.values():
        argument = row.argument.partition(".")[0]
        assert (argument in parameters) is (row.scope == "task")
        assert not argument or f"\n{argument} : " in told


def test_an_argument_that_is_no_setting_is_refused_by_name() -> None:
    given: dict[str, Any] = {"budgt": 64_000}

    with pytest.raises(ConfigurationError, match="no setting budgt; did you mean budget"):
        Task("audit", **given)

    assert "audit" not in tasks()


def test_task_takes_in_python_what_a_cell_takes_in_words() -> None:
    def look(name: str) -> str:
        """Look a name up."""
        return name

    rows = {"mine": dict.fromkeys(("input", "output", "cache_read", "write_5m", "write_1h"), 1)}
    given: dict[str, Any] = {"tools": look, "prices": rows, "stuck_rule": (2, 4)}
    task = Task("audit", root=Path(), wrap_up=False, **given)

    settings = task.settings
    assert (settings.tool_names, settings.wrap_up) == (("look",), False)
    assert settings.prices["mine"].base.write_1h == 1
    assert settings.stuck_rule == StuckRule(repeats=2, among=4)


def test_records_hold_the_settings_as_they_were_asked_for() -> None:
    task = task_on(Simulator([Reply(text="Done.")]), compact_at=100_000, wrap_up=False)
    task.run("Look around.")

    recorded = facts(task, TurnStarted)[0].settings

    assert isinstance(recorded, TurnSettings)
    for part in fields(RecordedSettings):
        assert getattr(recorded, part.name) == getattr(task.settings, part.name)


def test_what_the_panel_changes_while_a_turn_runs_is_marked_live() -> None:
    live = {row.argument.partition(".")[0] for row in TABLE.values() if row.live}

    assert live == {"effort", "budget", "ceilings"}


def test_words_that_name_other_tables_entries_are_theirs() -> None:
    assert TABLE["effort"].values == EFFORT_LEVELS
    assert TABLE["inference_geo"].values == (*REGION_FACTORS, None)


def test_values_are_put_where_they_belong_and_others_are_refused() -> None:
    changed = evolve(Defaults(), {"max_steps": 9, "session_cost": 3})

    with pytest.raises(ConfigurationError, match=r"no setting max_step; did you mean max_steps\?"):
        evolve(Defaults(), {"max_step": 9})
    both = evolve(Settings(), {"ceilings": Ceilings(steps=3), "max_cost": 2}).ceilings
    assert both == Ceilings(steps=3, cost_usd=2)

    assert changed.settings.ceilings == Ceilings(steps=9)
    assert changed.session_cost_usd == 3


@pytest.mark.parametrize("name", [name for name in TABLE if name != "client"])
def test_what_a_setting_does_not_take_is_refused_in_words(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^(give|choose|repeats) "):
        TABLE[name].parse(object())
