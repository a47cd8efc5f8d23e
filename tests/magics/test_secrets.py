"""Secrets in a notebook: what its cells print, raise and send, and which names `%config` adds."""

from __future__ import annotations

import json

import pytest
from IPython.core.error import UsageError

from budget_magic.errors import TaskFailed
from budget_magic.session import tasks
from budget_magic.simulator import Call, Reply, Simulator, status_error
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import results
from tests.magics.conftest import Notebook
from tests.planted import ENVIRON, KEY, WORD, leaks


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets in the environment."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def with_client(notebook: Notebook, *replies: Reply, **options: object) -> Simulator:
    """A simulator that the notebook calls `mine`."""
    played = Simulator(list(replies), **options)  # type: ignore[arg-type] # its own keywords
    notebook.shell.push({"mine": simulated_client(played.transport()), "key": KEY, "word": WORD})
    return played


def test_a_secret_that_is_filled_in_is_neither_sent_nor_shown(notebook: Notebook) -> None:
    simulator = with_client(notebook, Reply(text=f"It is {KEY}."))
    ran = notebook("%%claude_task audit --client mine -o out\nUse {{ key }} and " + KEY + ".")

    assert ran.error is None
    assert not leaks(json.dumps(simulator.requests[0].body) + ran.out + ran.err)
    assert notebook["out"].text == "It is [secret PLANTED_API_KEY]."
    again = notebook("%claude_task audit")
    assert not leaks(again.out + again.err + repr(tasks()["audit"].turns))


@pytest.mark.parametrize("before", range(40, 60, 4))
def test_a_changed_setting_that_is_shown_shortened_shows_no_part_of_a_secret(
    notebook: Notebook, before: int
) -> None:
    ran = notebook(f'%claude_task audit --new --system "{"x" * before}{WORD}"')

    assert ran.error is None
    assert "--system xxx" in ran.out
    assert WORD[:6] not in ran.out


def test_an_ignored_default_shows_no_secret(
    notebook: Notebook, caplog: pytest.LogCaptureFixture
) -> None:
    notebook(f"%config ClaudeTaskMagics.budget = {WORD!r}")
    notebook("%reload_ext budget_magic")

    assert "budget = '[secret PLANTED_WORD_TOKEN]' is ignored" in caplog.text
    assert not leaks(caplog.text)


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("audit", "Use {{ _oh[key] }}."),
        ("audit", f"Use {{{{ {KEY} }}}}."),
        (f"audit -m {WORD}", "Go."),
        (f"audit -t {WORD}", "Go."),
        (f"audit --root {WORD}", "Go."),
        (f"audit --client {WORD}", "Go."),
        (f"audit -b {WORD}", "Go."),
        (f"{WORD}", "Go."),
        (f"audit {WORD} and more", "Go."),
    ],
)
def test_an_error_of_the_cell_does_not_show_a_secret(
    notebook: Notebook, line: str, body: str
) -> None:
    with_client(notebook, Reply(text="Hello."))
    ran = notebook(f"%%claude_task {line}\n{body}")

    assert isinstance(ran.error, UsageError)
    assert "[secret PLANTED_" in str(ran.error)
    assert not leaks(str(ran.error) + ran.out + ran.err)
    assert ran.error.__cause__ is None


def test_what_the_api_says_is_shown_without_secrets(notebook: Notebook) -> None:
    message = f"invalid x-api-key {KEY}"
    with_client(notebook, Reply(text="Hello."), faults=[status_error(401, message=message)])
    ran = notebook("%%claude_task audit --client mine -o out\nSay hello.")

    assert isinstance(ran.error, TaskFailed)
    assert "invalid x-api-key [secret PLANTED_API_KEY]" in str(ran.error)
    assert not leaks(str(ran.error) + ran.out + ran.err + repr(notebook["out"]))


def test_config_adds_names_of_variables(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_CODE", "0123-4567-89")
    notebook("customer = 'ACME Limited'\ndef look(): return f'{customer} 0123-4567-89'")
    notebook("%config ClaudeTaskMagics.secrets = ['OUR_CODE', 'customer', 'NOT_SET']")
    simulator = with_client(notebook, Reply(calls=[Call("look", {})]), Reply(text="Done."))
    ran = notebook("%%claude_task audit --client mine -t look --approve all\nAbout {{ customer }}.")

    assert ran.error is None
    assert results(tasks()["audit"]) == ["[secret customer] [secret OUR_CODE]"]
    said = json.dumps([request.body for request in simulator.requests])
    assert "ACME" not in said + ran.out
    assert "0123-4567-89" not in said + ran.out


def test_a_name_stands_for_the_variable_of_the_environment_and_of_the_notebook(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", "0123-4567-89")
    notebook("CODE = 'ACME Limited'\ndef look(): return f'{CODE} 0123-4567-89'")
    notebook("%config ClaudeTaskMagics.secrets = ['CODE', 'ANTHROPIC_API_KEY']")
    with_client(notebook, Reply(calls=[Call("look", {})]), Reply(text="Done."))
    notebook("%%claude_task audit --client mine -t look --approve all\nGo.")

    assert results(tasks()["audit"]) == ["[secret CODE] [secret CODE]"]


def test_a_named_variable_too_short_to_be_replaced_is_refused(notebook: Notebook) -> None:
    notebook("pin = '1234'")
    notebook("%config ClaudeTaskMagics.secrets = ['pin']")
    ran = notebook("%%claude_task audit\nGo.")

    assert isinstance(ran.error, UsageError)
    assert "`secrets` names pin, which holds 4 characters" in str(ran.error)


def test_a_named_variable_that_holds_no_text_is_refused(notebook: Notebook) -> None:
    notebook("number = 123456789")
    notebook("%config ClaudeTaskMagics.secrets = ['number']")
    ran = notebook("%%claude_task audit\nGo.")

    assert isinstance(ran.error, UsageError)
    assert "`secrets` names number, which is of type int" in str(ran.error)
