"""Secrets in texts that are shortened, and in errors of the Python door."""

from __future__ import annotations

import os

import anthropic
import pytest

from budget_magic import Task, tool
from budget_magic.errors import ConfigurationError
from budget_magic.events import Delta, Live, Record
from budget_magic.session import Session
from budget_magic.settings import StuckRule
from budget_magic.simulator import Call, Reply, Scripted, Simulator
from budget_magic.tools.approval import Call as AskedCall
from budget_magic.wire.sdk import simulated_client
from tests.loop.running import lookup, results, task_on
from tests.planted import ENVIRON, KEY, WORD


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets in the environment."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


class Journal:
    """A required sink."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)


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


@tool(reads=True)
def log_in(how: str) -> str:
    """Get a token for this run."""
    token = "".join(reversed("10-nekot-nur-wen"))
    os.environ["NEW_RUN_TOKEN"] = token
    if how == "fails":
        raise ValueError(f"cannot use {token}")
    if how == "for a while":
        del os.environ["NEW_RUN_TOKEN"]
    return f"the token is {token}"


class Watching:
    """Keeps what a view is shown."""

    def __init__(self) -> None:
        self.shown = ""

    def record(self, record: Record) -> None:
        self.shown += repr(record)

    def live(self, event: Live) -> None:
        self.shown += event.text if isinstance(event, Delta) else event.name


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("works", "the token is [secret NEW_RUN_TOKEN]"),
        ("fails", "ValueError: cannot use [secret NEW_RUN_TOKEN]"),
    ],
)
def test_a_credential_that_comes_during_a_turn_is_replaced_from_its_result_on(
    monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    monkeypatch.setenv("NEW_RUN_TOKEN", "")
    again = Call("lookup", {"word": "new-run-token-01"})
    simulator = Simulator(
        Scripted(
            [
                Reply(calls=[Call("log_in", {"how": how})]),
                Reply(text="I use new-run-token-01 now.", calls=[again]),
                Reply(text="It was new-run-token-01."),
            ]
        )
    )
    asked, view = list[AskedCall](), Watching()

    def approve(call: AskedCall) -> bool:
        asked.append(call)
        return True

    task = task_on(simulator, tools=[lookup, log_in], approve=approve)
    task.start("Look.", sinks=[view])
    outcome = task.wait()

    assert results(task) == [said, "[secret NEW_RUN_TOKEN] is a word"]
    assert asked[-1].secrets == ("NEW_RUN_TOKEN",)
    assert outcome.text == "It was [secret NEW_RUN_TOKEN]."
    assert "I use [secret NEW_RUN_TOKEN] now." in view.shown
    assert "new-run-token" not in view.shown
    first, second, _ = simulator.requests
    assert "new-run-token" not in str(second.body)
    assert first.body["tools"] == second.body["tools"]


def test_a_credential_that_was_set_once_is_replaced_for_the_rest_of_the_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEW_RUN_TOKEN", "")
    calls = [Call("log_in", {"how": "works"}), Call("log_in", {"how": "for a while"})]
    simulator = Simulator(
        Scripted([*(Reply(calls=[one]) for one in calls), Reply(text="Done: new-run-token-01.")])
    )
    task = task_on(simulator, tools=[log_in])

    assert task.run("Look.").text == "Done: [secret NEW_RUN_TOKEN]."
    assert set(results(task)) == {"the token is [secret NEW_RUN_TOKEN]"}


def test_the_key_of_a_simulated_client_is_an_ordinary_word() -> None:
    simulator = Simulator(
        Scripted(
            [Reply(calls=[Call("lookup", {"word": "simulated"})]), Reply(text="It is simulated.")]
        )
    )
    task = task_on(simulator, tools=[lookup])

    assert task.run("What is simulated here?").text == "It is simulated."
    assert results(task) == ["simulated is a word"]
    assert "What is simulated here?" in str(simulator.requests[0].body)


def test_the_credentials_of_a_cloud_are_replaced() -> None:
    client = anthropic.AsyncAnthropicBedrock(
        aws_access_key="AKIA0", aws_secret_key="0123456789abcdef", aws_region="us-east-1"
    )
    chosen = Session().clients.choose(client, someone_watches=False)

    assert chosen.secrets == (("AWS_SECRET_ACCESS_KEY", "0123456789abcdef"),)
    assert "0123" not in repr(chosen)


def test_no_refused_value_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal()
    with Session(required_sinks=[journal]) as session:
        task = Task("audit", client="simulator", tools="none", session=session)
        task.run("Hi.")
        late = "Another-Secret-Value-0987"
        monkeypatch.setenv("LATE_API_KEY", late)
        for value in (WORD, late):
            for refuse in (
                lambda value=value: Task("other", budget=value, session=session),
                lambda value=value: task.change(budget=value),
                lambda value=value: task.resume(budget=value),
                lambda value=value: Task.from_records(
                    journal.records, session=session, budget=value
                ),
                lambda value=value: Task(f"{value}!!", session=session),
            ):
                with pytest.raises(ConfigurationError, match=r"\[secret ") as caught:
                    refuse()
                assert value not in str(caught.value)


def test_a_secret_that_left_the_environment_is_still_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator = Simulator([Reply(text="One."), Reply(text="Two.")])
    task = task_on(simulator, system=f"Use {WORD}.")
    task.run("Look.")
    monkeypatch.delenv("PLANTED_WORD_TOKEN")
    task.run("Look again.")

    assert len(simulator.requests) == 2
    for request in simulator.requests:
        assert WORD not in str(request.body)


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


TOKEN = "ghp_abcDEF_1234567890xyz"


@pytest.mark.parametrize(
    "written",
    [
        TOKEN.replace("_", "\\_"),
        TOKEN.replace("g", "&#103;"),
        TOKEN.replace("b", "&#x62;").replace("_", "\\_"),
        f"[here](https://example.org/{TOKEN.replace('_', '&#95;')})",
    ],
)
def test_a_secret_that_only_markdown_puts_together_is_not_saved(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    task = task_on(Simulator([Reply(text=f"The token is {written}, **really**.")]))

    task.run("Look.")

    shown = task.report()
    assert TOKEN not in "".join(str(form) for form in shown.values())
    assert "[secret GH_TOKEN]" in str(shown["text/html"])
    assert "really</strong>" in str(shown["text/html"])


def test_a_secret_that_is_a_word_of_style_sheets_breaks_no_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_PASSWORD", "collapse")
    task = task_on(Simulator([Reply(text="| a | b |\n|---|---|\n| the | collapse |")]))

    task.run("Look.")

    html = str(task.report()["text/html"])
    assert "the" in html
    assert "[secret MY_PASSWORD]</td>" in html
    assert html.count("[secret MY_PASSWORD]") == 1
