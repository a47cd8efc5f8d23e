"""Which client answers: credentials, the simulator, or an object of the notebook."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import pytest

from budget_magic import Ceilings, ConfigurationError, Task
from budget_magic.events import TurnStarted
from budget_magic.session import PythonHost, Session
from budget_magic.session.clients import ASKED_FOR, NO_KEY
from budget_magic.simulator import Reply, Simulator
from budget_magic.wire.sdk import SdkClient, simulated_client
from tests.loop.running import facts, lookup, task_on


class Attended(PythonHost):
    """A host with somebody to ask."""

    def has_stdin(self) -> bool:
        """Return True."""
        return True


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No profile of the person who runs the tests is found."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_a_key_chooses_the_real_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")

    chosen = Session().clients.choose("auto", someone_watches=True)

    assert (chosen.name, chosen.simulated, chosen.secrets) == (
        "anthropic",
        None,
        (("ANTHROPIC_API_KEY", "sk-test"),),
    )
    assert Session().clients.kind_of_auto() == "anthropic"


def test_a_token_chooses_the_real_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")

    assert Session().clients.choose("auto", someone_watches=False).secrets == (
        ("ANTHROPIC_AUTH_TOKEN", "token"),
    )


def test_without_credentials_auto_is_simulated_where_a_user_is_attached() -> None:
    chosen = Session().clients.choose("auto", someone_watches=True)

    assert (chosen.name, chosen.simulated) == ("simulator", NO_KEY)
    assert Session().clients.kind_of_auto() == "simulator"


def test_without_credentials_auto_is_refused_where_no_user_is_attached() -> None:
    with pytest.raises(ConfigurationError, match="no API key found, and no user is attached"):
        Session().clients.choose("auto", someone_watches=False)


@pytest.mark.parametrize("someone_watches", [True, False])
def test_a_base_url_without_a_credential_is_refused(
    someone_watches: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")

    with pytest.raises(ConfigurationError, match="ANTHROPIC_BASE_URL is set, but no credential"):
        Session().clients.choose("auto", someone_watches=someone_watches)


def test_a_base_url_with_a_key_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")

    assert Session().clients.choose("auto", someone_watches=False).simulated is None


@pytest.mark.parametrize("key", ["", "sk-test"])
def test_the_simulator_can_be_asked_for_by_name_and_by_variable(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)

    by_name = Session().clients.choose("simulator", someone_watches=False)
    by_variable = Session().clients.choose(
        "auto", someone_watches=False, environ={"BUDGET_MAGIC_CLIENT": "simulator"}
    )

    assert by_name.simulated == by_variable.simulated == ASKED_FOR
    assert Session().clients.kind_of_auto({"BUDGET_MAGIC_CLIENT": "simulator"}) == "simulator"


def test_an_object_of_the_notebook_is_taken_under_its_name() -> None:
    client = simulated_client(Simulator([Reply(text="One.")]).transport())

    chosen = Session().clients.choose(client, name="my_client", someone_watches=False)

    assert (chosen.name, chosen.simulated) == ("my_client", None)


@pytest.mark.parametrize("thing", [object(), 7, "openai", None])
def test_an_object_that_is_no_client_is_refused(thing: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a client: pass an AsyncAnthropic"):
        Session().clients.choose(thing, someone_watches=True)


def test_a_synchronous_client_is_refused_with_its_twin() -> None:
    with pytest.raises(ConfigurationError, match="synchronous client; use its async counterpart"):
        SdkClient(anthropic.Anthropic(api_key="x"))


def test_a_client_without_a_credential_is_refused_before_anything_is_sent() -> None:
    task = Task("audit", client=anthropic.AsyncAnthropic(), tools=[lookup])

    with pytest.raises(ConfigurationError, match="has no credential: pass an api_key"):
        task.run("Look.")

    assert task.events == []


def test_a_client_whose_headers_carry_the_credential_is_taken() -> None:
    SdkClient(anthropic.AsyncAnthropic(default_headers={"Authorization": "Bearer x"}))


def test_auto_never_goes_from_the_simulator_to_the_real_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUDGET_MAGIC_CLIENT", "simulator")
    task = Task("audit", tools=[lookup])
    assert task.run("Say something about lookup.").state == "completed"
    events = len(task.events)
    monkeypatch.delenv("BUDGET_MAGIC_CLIENT")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")

    with pytest.raises(ConfigurationError) as refused:
        task.run("Once more.")

    assert str(refused.value) == (
        "audit was simulated; choose the simulator again,"
        ' or `Task("audit")` starts it on the real API'
    )
    assert len(task.events) == events


def test_auto_never_goes_from_the_real_api_to_the_simulator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    task = Task("audit", tools=[lookup], ceilings=Ceilings(elapsed_s=0.3))
    assert task.run("Look.").state in {"failed", "halted"}
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    task.session.host = Attended()

    with pytest.raises(
        ConfigurationError, match=r"audit ran on the real API; .* starts it on the s"
    ):
        task.run("Once more.")


def test_a_task_keeps_an_object_as_its_client() -> None:
    first, second = Simulator([Reply(text="One.")] * 2), Simulator([Reply(text="Other.")])
    task = task_on(first)
    task.run("Look.")
    other = simulated_client(second.transport())

    with pytest.raises(ConfigurationError, match=r"audit ran on client; .* starts it on other"):
        task.change(replace(task.settings, client=other, client_name="other"))
    assert task.run("Again.").text == "One."

    assert second.requests == []


def test_the_turn_says_that_it_was_simulated_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_MAGIC_CLIENT", "simulator")
    task = Task("audit", tools=[lookup])

    task.run("Say something about lookup.")

    assert facts(task, TurnStarted)[0].settings.simulated == ASKED_FOR
