"""Plays a scenario: tasks on simulators, tools that answer as the scenario says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from budget_magic import Ceilings, Task, tool
from budget_magic.errors import ToolRefusal
from budget_magic.events import Delta, Live, Record
from budget_magic.meter.account import Account
from budget_magic.session.accounts import group_account
from budget_magic.session.outcome import Outcome
from budget_magic.simulator import Scripted, Simulator, scene_from_data
from budget_magic.wire.sdk import simulated_client

FOLDER: Final = Path(__file__).parent
FIRST: Final = "main"
"""The agent that gets the prompt; others are delegated to."""
BUDGET_TOKENS: Final = 500_000
PADDING: Final = "." * 3_200
"""Scenarios pin what a result counts; no real result has more tokens than bytes."""


@dataclass(slots=True, kw_only=True)
class Agent:
    """One task of a scenario with the simulator it runs on."""

    simulator: Simulator
    task: Task
    deltas: int = 0

    def record(self, record: Record) -> None:
        """Let it happen."""

    def live(self, event: Live) -> None:
        """Count what streams."""
        self.deltas += isinstance(event, Delta)

    def run(self) -> Outcome:
        """The outcome of the first turn."""
        prompt = "Do what the scenario says."
        self.task.start(prompt, sinks=[self])
        return self.task.wait()


@dataclass(slots=True, kw_only=True)
class Play:
    """One run of a scenario, from its data."""

    scenario: Mapping[str, Any]
    run: Mapping[str, Any]
    agents: dict[str, Agent] = field(default_factory=dict)
    group: Account | None = None

    def begin(self) -> Outcome:
        """How the first agent's turn ends."""
        if "group_tokens" in self.run:
            self.group = group_account("the team", total_tokens=self.run["group_tokens"])
        return self._agent(FIRST).run()

    def go_on(self, steps: int | None, tokens: int | None) -> Outcome:
        """How it ends after its ceilings were raised and it went on."""
        task = self.agents[FIRST].task
        ceilings = self._ceilings(steps, tokens)
        task.change(replace(task.settings, ceilings=ceilings))
        return task.resume()

    def _agent(self, name: str) -> Agent:
        data = self.scenario["agents"][name]
        simulator = Simulator(
            self._scene(data),
            cache_miss_rate=1.0 if self.run.get("cache_misses") else 0.0,
            delta_characters=self.run.get("delta_characters"),
        )
        task = Task(
            name,
            budget=BUDGET_TOKENS,
            tools=self._tools(),
            approve="all",
            max_tokens=self.scenario["max_tokens"],
            ceilings=self._ceilings(self.run.get("steps"), self.run.get("tokens")),
            client=simulated_client(simulator.transport()),
        )
        task.change(replace(task.settings, wrap_up=self.run.get("wrap_up", True)))
        task.join(self.group)
        self.agents[name] = Agent(simulator=simulator, task=task)
        return self.agents[name]

    def _scene(self, data: Mapping[str, Any]) -> Scripted:
        return scene_from_data({"name": self.scenario["id"], **data})

    def _ceilings(self, steps: int | None, tokens: int | None) -> Ceilings:
        return Ceilings(cost_usd=None, total_tokens=tokens, steps=steps or 50)

    def _tools(self) -> list[Any]:
        answers = self.scenario.get("results", {})

        @tool(reads=True)
        def look_up(what: str) -> str:
            """Look something up."""
            if "raised_to" in self.run:
                raised = self._ceilings(self.run["raised_to"], None)
                self.agents[FIRST].task.change(ceilings=raised)
            answer = answers.get(what, {})
            if "error" in answer:
                raise ToolRefusal(answer["error"] + PADDING)
            return "w " * answer["words"] if "words" in answer else f"{what} is known{PADDING}"

        def delegate(to: str) -> str:
            """Let another agent do a part of the work."""
            return self._agent(to).run().text + PADDING

        return [look_up, delegate]


def scenarios() -> list[dict[str, Any]]:
    """All scenarios, in order."""
    found = [tomllib.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.toml")]
    return sorted(found, key=lambda scenario: int(scenario["id"][1:]))
