"""Compaction on demand: a signed summary takes the place of the conversation."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import BadRequestError
from anthropic.types.beta import BetaMessage

from budget_magic.simulator import Reply, Simulator
from tests.simulator.helpers import BUDGET_BETA, HELLO, ask, budget, said

BETAS = ["compact-2026-09-04", BUDGET_BETA]
SUMMARISE: dict[str, Any] = {"compaction": {"type": "summarize"}, "betas": BETAS}
NEXT = {"role": "user", "content": "Go on."}


def simulator() -> Simulator:
    return Simulator(
        [Reply(text="One.", output_tokens=5_000), Reply(text="So far."), Reply(text="On.")]
    )


def summarised(playing: Simulator, **changes: Any) -> BetaMessage:
    first = ask(playing, max_tokens=16_000, **{**budget(50_000), "betas": BETAS})
    wanted = {**budget(50_000), **SUMMARISE, **changes}
    return ask(playing, messages=[*HELLO, said(first), NEXT], **wanted)


def test_the_reply_is_one_signed_block_whose_tokens_stand_in_iterations() -> None:
    playing = simulator()
    message = summarised(playing)
    assert message.stop_reason == "compaction"
    [block] = message.content
    assert block.type == "compaction"
    assert block.content == "So far."
    assert (message.usage.input_tokens, message.usage.output_tokens) == (0, 0)
    assert message.usage.iterations is not None
    [iteration] = message.usage.iterations
    assert iteration.type == "compaction"
    assert iteration.input_tokens == playing.bill[1].prompt_tokens
    assert iteration.output_tokens == playing.bill[1].output_tokens
    assert playing.bill[1].cost_usd > 0


def test_the_conversation_goes_on_from_the_block_and_the_budget_with_it() -> None:
    playing = simulator()
    message = summarised(playing)
    wanted = {**budget(50_000), "betas": BETAS}
    after = ask(playing, messages=[said(message), NEXT], **wanted)
    assert after.stop_reason == "end_turn"
    assert playing.requests[2].remaining_before == 45_000
    sizes = [record.prompt_tokens or 0 for record in playing.requests]
    assert sizes[2] < sizes[1]


@pytest.mark.parametrize("changes", [budget(50_000, remaining=10_000), {"betas": [BUDGET_BETA]}])
def test_remaining_or_a_missing_header_is_refused(changes: dict[str, Any]) -> None:
    if "betas" in changes and "output_config" in changes:
        changes = {**changes, "betas": BETAS}
    with pytest.raises(BadRequestError):
        summarised(simulator(), **changes)


def test_a_block_with_null_fields_or_a_foreign_signature_is_refused() -> None:
    for spoiled in ({"tool_changes": None}, {"signature": "c29tZXRoaW5n"}):
        playing = simulator()
        block = {**said(summarised(playing))["content"][0], **spoiled}
        messages = [{"role": "assistant", "content": [block]}, NEXT]
        with pytest.raises(BadRequestError, match=r"tool_changes|Invalid `signature`"):
            ask(playing, messages=messages, betas=BETAS)
