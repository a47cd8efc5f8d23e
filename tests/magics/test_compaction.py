"""Compaction and the carry policy as a person asks for them in a notebook."""

from __future__ import annotations

from budget_magic import tasks
from budget_magic.events import HistoryRewritten
from budget_magic.session import default_session
from budget_magic.simulator import Call, Reply, Simulator
from budget_magic.wire.sdk import simulated_client
from tests.magics.conftest import Notebook

FINDS = [
    Reply(calls=[Call("list", {}, 3_000)], output_tokens=500),
    Reply(calls=[Call("glob", {"pattern": "*"}, 1_000)], output_tokens=500),
    Reply(text="So far, so good.", output_tokens=300),
    Reply(text="All is well.", output_tokens=300),
]


def test_a_cell_s_option_lets_a_summary_replace_the_history(notebook: Notebook) -> None:
    simulator = Simulator(FINDS)
    notebook.shell.user_ns["mine"] = simulated_client(simulator.transport())
    notebook("%%claude_task audit --client mine --compact-at 4k -o out\nLook around.")
    assert notebook["out"].text == "All is well."
    facts = [record.fact for record in tasks()["audit"].events]
    assert [fact.step for fact in facts if isinstance(fact, HistoryRewritten)] == [3]
    notebook("text = get_ipython().display_formatter.format(out)[0]['text/html']")
    assert "replaces 6 messages" in notebook["text"]


def test_a_size_that_cannot_work_is_a_usage_error(notebook: Notebook) -> None:
    ran = notebook("%%claude_task audit --compact-at 100\nLook around.")
    assert "give at least 2,000 tokens" in ran.err + ran.out + str(ran.error)
    assert "audit" not in tasks()


def test_both_settings_are_defaults_that_config_changes(notebook: Notebook) -> None:
    notebook("%config ClaudeTaskMagics.compact_at = '100k'")
    notebook("%config ClaudeTaskMagics.carry = 'documented'")
    assert (
        default_session().defaults.settings.compact_at,
        default_session().defaults.settings.carry,
    ) == (100_000, "documented")
    notebook("%claude_task audit --compact-at none")
    settings = tasks()["audit"].settings
    assert (settings.compact_at, settings.carry) == (None, "documented")
