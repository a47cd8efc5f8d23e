"""Secrets in texts that are shortened, and in errors of the Python door."""

from __future__ import annotations

import os

import anthropic
import pytest

from budget_magic import Task, tool
from budget_magic.errors import ConfigurationError
from budget_magic.loop.stuck import StuckRule
from budget_magic.session.clients import choose_client
from budget_magic.simulator import Call, Reply, Scripted, Simulator
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import lookup, results, task_on
from tests.planted import ENVIRON, KEY, WORD


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets in the environment."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@tool(reads=True)
def look(number: int) -> str:
    """Look up a number."""
    return str(number)


def test_an_error_does_not_show_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Task("audit", root=f"nowhere/{WORD}")

    assert "[secret PLANTED_WORD_TOKEN]" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@tool(reads=True)
def connect() -> str:
    """Tell what the client is made with."""
    return "not-needed, but 0123456789abcdef is"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("not-needed", "not-needed, but 0123456789abcdef is"),
        ("0123456789abcdef", "not-needed, but [secret ANTHROPIC_API_KEY] is"),
    ],
)
def test_the_key_of_a_client_is_replaced_unless_it_is_a_placeholder(key: str, said: str) -> None:
    simulator = Simulator(Scripted([Reply(calls=[Call("connect", {})]), Reply(text="Done.")]))
    client = simulated_client(simulator.transport())
    client.api_key = key
    task = task_on(simulator, client=client, tools=[connect])
    task.run("Look.")

    assert results(task) == [said]


@tool(reads=True)
def find_account() -> str:
    """Look for the account of a password."""
    return str({"other": 1}[os.environ["DB_PASSWORD"]])


def test_a_secret_is_replaced_as_an_error_of_python_writes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DB_PASSWORD", 'pa"ss\\word-1')
    simulator = Simulator(Scripted([Reply(calls=[Call("find_account", {})]), Reply(text="Done.")]))
    task = task_on(simulator, tools=[find_account])
    task.run("Look.")

    assert results(task) == ["KeyError: '[secret DB_PASSWORD]'"]
    assert "word-1" not in str(simulator.requests[-1].body)


def test_the_credentials_of_a_cloud_are_replaced() -> None:
    client = anthropic.AsyncAnthropicBedrock(
        aws_access_key="AKIA0", aws_secret_key="0123456789abcdef", aws_region="us-east-1"
    )
    chosen = choose_client(client, someone_watches=False)

    assert chosen.secrets == (("AWS_SECRET_ACCESS_KEY", "0123456789abcdef"),)
    assert "0123" not in repr(chosen)


def test_a_task_name_that_holds_a_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"the task name my-\[secret .*\] holds a secret"):
        Task(f"my-{WORD}")


def approve(_call: object) -> bool:
    return True


def test_a_call_that_is_shown_shortened_does_not_show_the_first_part_of_a_secret() -> None:
    said = Reply(calls=[Call("lookup", {"word": "x" * 92 + WORD})])
    simulator = Simulator(Scripted([said, said, said]))
    task = task_on(simulator, tools=[lookup], approve=approve, stuck_rule=StuckRule())
    outcome = task.run("Look.")

    assert outcome.reason == "stuck_loop"
    assert "xxx" in outcome.detail
    assert WORD[:6] not in outcome.detail


def test_an_argument_that_does_not_fit_does_not_show_the_first_part_of_a_secret() -> None:
    calls = [Call("look", {"number": "x" * 65 + KEY})]
    simulator = Simulator(Scripted([Reply(calls=calls), Reply(text="Done.")]))
    task = task_on(simulator, tools=[look], approve=approve)
    task.run("Look.")

    assert "xxx" in results(task)[0]
    assert KEY[:6] not in results(task)[0]
