"""Small cost ceilings are used: an ordinary agent under $0.10 to $0.50, and how its turns end."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import dataclass
from decimal import Decimal

import pytest

from budget_magic import Ceilings
from budget_magic.events import StepFinished
from budget_magic.loop.admit import LAST_ANSWER
from budget_magic.simulator import Call, Reply, SceneContext, Simulator
from tests.loop.running import facts, task_on
from tests.support import examples

SEEDS = min(examples(40), 1_000)
PROMPT_TOKENS = 3_000
MEDIAN_REPLY_TOKENS = 1_500
SIGMA = 0.6
RESULT_TOKENS = 500
LAST_ANSWER_TOKENS = 900


@dataclass(frozen=True)
class Run:
    """How one turn of an ordinary agent went."""

    used: float
    """Share of the ceiling that was billed."""
    ended_well: bool
    """Whether its last reply is a summary whose text is complete."""


def run(seed: int, ceiling: Decimal) -> Run:
    """One turn of an agent that never stops by itself, on the default model and settings."""
    chance = random.Random(seed)  # noqa: S311 - a script, no secret

    def drawn(median: float) -> int:
        return max(round(chance.lognormvariate(math.log(median), SIGMA)), 50)

    def agent(context: SceneContext) -> Reply:
        if LAST_ANSWER in context.asked:
            return Reply(text="The summary.", output_tokens=drawn(LAST_ANSWER_TOKENS))
        word = f"word {context.replies}"
        return Reply(
            text="I look.",
            calls=[Call("lookup", {"word": word}, RESULT_TOKENS)],
            output_tokens=drawn(MEDIAN_REPLY_TOKENS),
        )

    simulator = Simulator(agent, seed=seed)
    simulator.scene.prompt_tokens = PROMPT_TOKENS
    task = task_on(simulator, ceilings=Ceilings(cost_usd=ceiling))

    outcome = task.run("Work.")

    assert outcome.reason == "cost_ceiling", outcome.detail
    assert outcome.total.cost_usd == simulator.bill.total_usd <= ceiling
    last = facts(task, StepFinished)[-1]
    is_summary = LAST_ANSWER in str(simulator.requests[-1].body)
    return Run(
        used=float(simulator.bill.total_usd / ceiling),
        ended_well=is_summary and last.stop_reason == "end_turn",
    )


@pytest.mark.parametrize(
    ("cents", "used", "ended_well"),
    [(10, 0.60, 0.50), (15, 0.60, 0.85), (25, 0.60, 0.90), (50, 0.70, 0.90)],
)
def test_an_ordinary_agent_uses_a_small_ceiling_and_ends_with_a_summary(
    cents: int, used: float, ended_well: float
) -> None:
    runs = [run(seed, Decimal(cents) / 100) for seed in range(SEEDS)]

    assert statistics.median(one.used for one in runs) >= used
    assert sum(one.ended_well for one in runs) / SEEDS >= ended_well
