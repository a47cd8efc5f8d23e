"""A chat bot as a third host: every ending and error is in its words, and its users can act."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from budget_magic import Ceilings, ConfigurationError, Task
from budget_magic.events import (
    NoticePosted,
    StepStarted,
    Suggestion,
    ToolFinished,
    TurnFinished,
)
from budget_magic.events.codec import from_json, to_json
from budget_magic.session.host import Host, PythonHost
from budget_magic.session.session import Session, default_session
from budget_magic.settings import StuckRule
from budget_magic.simulator import Call, Reply, Simulator, silence, status_error
from tests.loop.running import LOOK, facts, note, steps, stopped_at, task_on

ELSEWHERE = re.compile(r"%claude|%config|(?<![\w-])--[a-z]|tasks\(\)|Task\(")
"""Words of the other two hosts."""


class ChatBot(PythonHost):
    """A program that reads what its users send."""

    def word(self, suggestion: Suggestion) -> str:
        """Return what to send."""
        values = [f"{self.setting(n)} {v}" for n, v in suggestion.changes.items()]
        said = [suggestion.action, suggestion.task, *values, suggestion.name]
        message = f"send `{' '.join(filter(None, said))}`"
        return " ".join(filter(None, (suggestion.lead, message, suggestion.effect)))

    def setting(self, name: str) -> str:
        """Return the setting in words."""
        return name.replace("_", " ")


@pytest.fixture(autouse=True)
def bot() -> Host:
    default_session().host = ChatBot()
    return default_session().host


def at_the_cost_ceiling() -> Task:
    task = task_on(Simulator(steps(60)), ceilings=Ceilings(cost_usd="0.10"))
    task.run("Look.")
    return task


def at_the_step_ceiling() -> Task:
    task = task_on(Simulator(steps(60)), ceilings=Ceilings(steps=2))
    task.run("Look.")
    return task


def refused() -> Task:
    task = task_on(Simulator([Reply(text="No.", stop_reason="refusal")]))
    task.run("Look.")
    return task


def stuck() -> Task:
    task = task_on(Simulator([Reply(calls=[LOOK])] * 9), stuck_rule=StuckRule())
    task.run("Look.")
    return task


def failed() -> Task:
    task = task_on(Simulator(steps(1), faults=[status_error(401)]))
    task.run("Look.")
    return task


def without_the_model() -> Task:
    task = task_on(Simulator(steps(1), faults=[status_error(404)]))
    task.run("Look.")
    return task


def interrupted() -> Task:
    task = task_on(Simulator(steps(9)))
    stopped_at(task, ToolFinished)
    return task


def holding_money() -> Task:
    simulator = Simulator(steps(1), faults=[silence(on=0)])
    task = task_on(simulator, ceilings=Ceilings(cost_usd="0.65"), inference_geo="global")
    stopped_at(task, StepStarted)
    task.resume()
    return task


ENDINGS: dict[str, tuple[Callable[[], Task], str, str]] = {
    "cost": (at_the_cost_ceiling, "cost_ceiling", "; send `resume audit max cost 0.17`"),
    "steps": (at_the_step_ceiling, "step_ceiling", "; send `resume audit max steps 4`"),
    "refusal": (refused, "refusal", "; send `rephrase audit`"),
    "stuck": (
        stuck,
        "stuck_loop",
        "; send `instruct audit`, or go on with send `resume audit`",
    ),
    "failed": (failed, "configuration", "; check the API key, then send `resume audit`"),
    "model": (
        without_the_model,
        "configuration",
        "; choose another model: send `resume audit model`",
    ),
    "interrupted": (interrupted, "stop_button", "; send `resume audit`"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_is_in_the_words_of_the_host(ending: str) -> None:
    end, reason, way_out = ENDINGS[ending]

    task = end()

    outcome = task.outcome
    assert outcome is not None
    assert outcome.reason == reason
    assert outcome.detail.endswith(way_out)
    assert ELSEWHERE.search(everything_shown(task)) is None
    finished = facts(task, TurnFinished)[-1]
    assert outcome.detail.startswith(f"{finished.detail}; ")
    assert "send" not in finished.detail


def everything_shown(task: Task) -> str:
    """All forms of the report, without the styles."""
    forms = task.report()
    json_form = next(value for name, value in forms.items() if name.endswith("+json"))
    texts = [str(forms["text/plain"]), str(forms["text/markdown"]), json.dumps(json_form)]
    texts.append(re.sub(r'style="[^"]*"', "", str(forms["text/html"])))
    assert all("send" in text.lower() for text in texts)
    return "\n".join(texts)


def test_money_that_is_held_is_released_in_the_words_of_the_host() -> None:
    task = holding_money()

    outcome = task.outcome
    assert outcome is not None
    assert "held for 1 cut-off request); send `release audit` releases it; " in outcome.detail
    shown = " ".join(str(task.report()["text/plain"]).split())
    assert "cut-off request); send `release audit` releases it. Send: resume audit" in shown


def test_a_suggestion_can_be_acted_on() -> None:
    task = at_the_step_ceiling()
    while task.outcome is not None and task.outcome.state == "halted":
        (suggestion,) = facts(task, TurnFinished)[-1].suggestions
        before = task.spend.steps

        outcome = task.resume(**suggestion.changes)

        assert outcome.spend.steps > before

    assert outcome.text == "Done."


def test_what_a_user_can_do_survives_the_way_to_json() -> None:
    task = at_the_cost_ceiling()
    record = task.events[-1]

    again = from_json(to_json(record))

    assert again == record
    assert isinstance(again.fact, TurnFinished)
    resume = Suggestion(action="resume", task="audit", changes={"max_cost": "0.17"})
    assert again.fact.suggestions == (resume,)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a small budget": (
        {"budget": 100},
        "minimum of 20,000; use send `use budget 20000` or more, or send `use budget None`",
        "minimum of 20,000; use `budget=20000` or more, or `budget=None`",
    ),
    "no price": (
        {"model": "unheard-of"},
        "cannot be enforced: send `use max cost None` runs without one; send `price` gives one",
        "`ceilings=Ceilings(cost_usd=None)` runs without one; `prices={...}` gives one",
    ),
    "max_tokens": (
        {"max_tokens": 0},
        "max tokens 0: give at least 1, such as 32000",
        "max_tokens 0: give at least 1, such as 32000",
    ),
    "a root": (
        {"root": "/nowhere/at/all", "tools": ["files"]},
        "root /nowhere/at/all: there is no such folder; create it or name another",
        "root /nowhere/at/all: there is no such folder; create it or name another",
    ),
    "a client": (
        {"client": "auto"},
        "set ANTHROPIC_API_KEY, or choose send `use client simulator`",
        "set ANTHROPIC_API_KEY, or choose `client='simulator'`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_error_is_worded_by_the_host_and_by_itself_as_python_does(case: str, bot: Host) -> None:
    given, in_its_words, in_python = REFUSED[case]

    with pytest.raises(ConfigurationError) as error:
        Task("audit", **given).run("Look.")

    assert error.value.worded(bot.word, bot.setting).endswith(in_its_words)
    assert str(error.value).endswith(in_python)


def test_a_running_task_is_refused_with_the_call_that_stops_it(bot: Host) -> None:
    refusals: list[ConfigurationError] = []

    def ask_again(text: str) -> str:
        """Run the task from one of its tools."""
        try:
            task.run(text)
        except ConfigurationError as error:
            refusals.append(error)
        return "refused"

    call = Call("ask_again", {"text": "Again."})
    simulator = Simulator([Reply(calls=[call]), Reply(text="Done.")])
    task = task_on(simulator, tools=[ask_again])
    task.run("Look.")

    (error,) = refusals
    assert (
        str(error) == 'audit is already running; `tasks()["audit"].stop()` stops it, or wait for it'
    )
    assert "; send `stop audit` stops it, or wait" in error.worded(bot.word, bot.setting)


def test_a_note_before_a_turn_is_worded_where_it_is_shown() -> None:
    replies = [Reply(text="One.", output_tokens=15_000), Reply(text="Two.")]
    task = task_on(Simulator(replies), budget=20_000)
    task.run("Look.")
    task.run("Look again.")

    (posted,) = facts(task, NoticePosted)
    assert posted.text == "5,000 of 20,000 left; Claude may cut this short"
    (shown,) = task.view(2).notes
    assert "short; send `use budget 40000` gives room" in shown


def test_a_note_on_an_overrun_budget_says_by_how_much() -> None:
    replies = [Reply(text="One.", output_tokens=25_000), Reply(text="Two.")]
    task = task_on(Simulator(replies), budget=20_000)
    task.run("Look.")
    task.run("Look again.")

    posted = facts(task, NoticePosted)[-1]
    assert posted.text == "5,000 tokens over 20,000; Claude may cut this short"


def test_a_denied_call_tells_claude_what_its_user_could_do(tmp_path: Path) -> None:
    call = Call("note", {"text": "x"})
    simulator = Simulator([Reply(calls=[call]), Reply(text="Done.")])
    task = task_on(simulator, tools=[note], approve="ask", root=tmp_path)

    task.run("Note it.")

    (answer,) = facts(task, ToolFinished)
    assert "approve note; send `use approve all` runs it unasked" in answer.content


def test_the_words_are_those_of_the_host_in_force_when_they_are_shown() -> None:
    task = at_the_cost_ceiling()
    default_session().host = PythonHost()

    shown = str(task.report()["text/plain"])

    assert 'Go on with: tasks()["audit"].resume(max_cost=0.17)' in shown
    assert "send" not in shown


def test_two_sessions_side_by_side_have_each_its_own_host() -> None:
    with Session() as python:
        in_python = task_on(Simulator(steps(9)), ceilings=Ceilings(steps=1), session=python)
        of_bot = task_on(Simulator(steps(9)), ceilings=Ceilings(steps=1))

        assert in_python.run("Look.").detail.endswith(".resume(max_steps=2)`")
        assert of_bot.run("Look.").detail.endswith("send `resume audit max steps 2`")
