"""The parts of a step: what Claude thought, wrote and called, and what the tools answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from budget_magic.events import StepFinished, ToolFinished
from budget_magic.report.call_labels import call_text
from budget_magic.report.numbers import exact, plural
from budget_magic.report.text import clean_text, one_line
from budget_magic.report.turn_facts import StepFacts
from budget_magic.report.view_models import BlockView

_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})


def block_views(step: StepFacts, following: StepFacts | None) -> tuple[BlockView, ...]:
    """Return the parts of a finished step in their order, each result after its call."""
    sent = following.finished if following else None
    # A prompt's measured results are those of one call only where the step made one.
    alone = sent.tool_result_tokens if sent is not None and len(step.results) == 1 else 0
    blocks: list[BlockView] = []
    answered: set[str] = set()
    for index, block in enumerate(step.content):
        kind = str(block.get("type", ""))
        if kind in _THINKING:
            text = clean_text(str(block.get("thinking") or ""))
            blocks.append(_block("thinking", text or "(not shown by the API)", index))
        elif kind == "text":
            blocks.append(_block("text", clean_text(str(block.get("text", ""))), index))
        elif kind in _CALLS:
            name, call_id = str(block.get("name", "")), str(block.get("id", ""))
            call = call_text(name, block.get("input"))
            blocks.append(_block("call", call, index, name=one_line(name, 80), call_id=call_id))
            if call_id in step.results:
                answered.add(call_id)
                blocks.append(_result(step.results[call_id], alone or None))
    rest = [result for call_id, result in step.results.items() if call_id not in answered]
    return (*blocks, *(_result(result, alone or None) for result in rest))


def _result(result: ToolFinished, tokens: int | None) -> BlockView:
    text = clean_text(result.content).rstrip("\n")
    word = "result"
    if not result.ran:
        word = "not run"
    elif result.is_error:
        word = "✕ error"
    cut = f"{exact(result.cut_bytes)} bytes left out before it was sent" if result.cut_bytes else ""
    return BlockView(
        kind="result",
        name=one_line(result.name, 80),
        call_id=result.call_id,
        text=text,
        is_error=result.is_error and result.ran,
        ran=result.ran,
        lines=text.count("\n") + 1,
        tokens=tokens,
        label=word if tokens is None else f"{word}, {plural(tokens, 'token')}",
        cut=cut,
    )


def _block(
    kind: Literal["thinking", "text", "call"],
    text: str,
    index: int,
    *,
    name: str = "",
    call_id: str = "",
) -> BlockView:
    return BlockView(
        kind=kind,
        name=name,
        call_id=call_id,
        index=index,
        text=text,
        lines=text.count("\n") + 1,
        label=kind,
    )


def why_text(reply: StepFinished) -> str:
    """Return why a step counted and cost what it did: its tokens by kind and its input by price."""
    usage = reply.usage
    if not reply.usage_known:
        return f"invalid usage; ≈ {exact(reply.budget_tokens)} tokens counted"
    split = "≈ " if reply.split_estimated else ""
    sized = "≈ " if reply.tool_result_tokens_estimated else ""
    return (
        f"thinking {exact(usage.thinking_tokens)}, calls {split}{exact(reply.call_tokens)}, "
        f"text {split}{exact(reply.text_tokens)}, results {sized}{exact(reply.tool_result_tokens)} "
        f"· input {exact(usage.cache_read_input_tokens)} cached, "
        f"{exact(usage.cache_creation_input_tokens)} written, {exact(usage.input_tokens)} fresh"
    )


def is_call(block: Mapping[str, Any]) -> bool:
    """Return whether a content block is a tool call."""
    return block.get("type") in _CALLS
