"""Turn the JSON of a request into a checked `Request`, refusing what the real API refuses."""

from __future__ import annotations

from typing import Final

from budget_magic.models import MINIMUM_BUDGET_TOKENS, Model
from budget_magic.simulator import facts
from budget_magic.simulator.parse_messages import effort_of_reply, parse_messages
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Message, Request
from budget_magic.simulator.schema import (
    Body,
    OutputConfig,
    PlainThinking,
    Thinking,
    one_of,
    validate,
)
from budget_magic.simulator.tokens import JsonObject

_NOT_PLAYED: Final = ("context_management", "container", "mcp_servers")


def parse_betas(header: str) -> frozenset[str]:
    """Return the beta names of an `anthropic-beta` header; refuse an unknown one."""
    names = frozenset(name.strip() for name in header.split(",") if name.strip())
    for name in sorted(names - facts.KNOWN_BETAS):
        raise Refused(f"Unexpected value(s) `{name}` for the `anthropic-beta` header.")
    return names


def parse_request(body: JsonObject, betas: frozenset[str], *, counting: bool = False) -> Request:
    """Return the request that this JSON asks for.

    Parameters
    ----------
    body
        The decoded body.
    betas
        What `parse_betas` made of the header.
    counting
        True for `count_tokens`, which needs no `max_tokens`.

    Raises
    ------
    Refused
        The real API would not take it; the message is the one it would give.
    """
    if "thread" in body:
        raise Refused("thread: the simulator keeps no threads; send the history (thread=False)")
    sent = validate({**body, "max_tokens": 0} if counting else body)
    for field in _NOT_PLAYED:
        if getattr(sent, field):
            raise Refused(f"{field}: the simulator does not play this part of the API")
    model = facts.known_model(sent.model)
    _check_parameters(sent, model, betas)
    _check_tools(sent)
    _check_config(sent.output_config, model, betas)
    messages = parse_messages(sent.messages, model, betas)
    _check_compaction(sent, messages, model, betas)
    effort = sent.output_config.effort or facts.default_effort(model)
    return Request(
        sent=sent,
        betas=betas,
        model=model,
        messages=messages,
        thinking=_thinking(sent, model, effort, betas),
        effort=effort,
        effort_now=effort_of_reply(messages, effort),
    )


def _check_parameters(sent: Body, model: Model, betas: frozenset[str]) -> None:
    if sent.max_tokens > model.max_output_tokens:
        raise Refused(
            f"max_tokens: {sent.max_tokens} > {model.max_output_tokens}, which is the maximum"
            f" allowed number of output tokens for {sent.model}"
        )
    if sent.max_tokens == 0 and sent.stream:
        raise Refused("max_tokens: 0 is not supported with `stream`")
    for name, default in (("temperature", 1), ("top_p", 1), ("top_k", None)):
        if getattr(sent, name) != default and not facts.takes_sampling(model):
            raise Refused(f"`{name}` is not supported for this model.")
    if not all(sequence.strip() for sequence in sent.stop_sequences):
        raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    if sent.inference_geo is not None and not model.takes_inference_geo:
        raise Refused("inference_geo: not supported for this model")
    if sent.speed == "fast":
        facts.need_beta(facts.FAST_MODE, betas, "speed")
        if model.prices.fast is None:
            raise Refused("speed: fast mode is not supported for this model")


def _check_tools(sent: Body) -> None:
    names = [tool["name"] for tool in sent.tools]
    if len(set(names)) < len(names):
        raise Refused("tools: Tool names must be unique.")
    choice = sent.tool_choice
    if not names and "tool_choice" in sent.model_fields_set and choice["type"] != "none":
        raise Refused("tool_choice: may only be specified while providing tools.")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise Refused(f"Tool '{choice['name']}' not found in provided tools")


def _check_config(config: OutputConfig, model: Model, betas: frozenset[str]) -> None:
    """Check effort and task budget; a model without budgets refuses one, which is our choice.

    The documentation only says "not supported", and reports differ on whether the real API answers
    400 or ignores the field.
    """
    if config.format is not None:
        raise Refused("output_config.format: the simulator does not play structured outputs")
    if config.effort is not None and config.effort not in model.effort_levels:
        if not model.effort_levels:
            raise Refused("This model does not support the effort parameter.")
        raise Refused(f"output_config.effort: {one_of(*model.effort_levels)}")
    budget = config.task_budget
    if budget is None:
        return
    facts.need_beta(facts.TASK_BUDGETS, betas, "output_config.task_budget")
    if model.budget == "no":
        raise Refused("output_config.task_budget: task budgets are not supported for this model")
    if budget.total < MINIMUM_BUDGET_TOKENS:
        raise Refused(
            f"`task_budget.total` must be at least {MINIMUM_BUDGET_TOKENS:,} tokens for this model"
        )
    if (budget.remaining or 0) > budget.total:
        raise Refused("`task_budget.remaining` must not be greater than `task_budget.total`")


def _check_compaction(
    sent: Body, messages: tuple[Message, ...], model: Model, betas: frozenset[str]
) -> None:
    """Check that a budget's `remaining` goes with neither a compaction nor its block."""
    carried = any(block["type"] == "compaction" for one in messages for block in one.blocks)
    if sent.compaction is None and not carried:
        return
    where = "messages: compaction blocks" if sent.compaction is None else "compaction"
    facts.need_beta(facts.COMPACT, betas, where)
    budget = sent.output_config.task_budget
    if budget is not None and budget.remaining is not None:
        raise Refused("`task_budget.remaining` is not supported together with compaction")
    if sent.compaction is not None and not facts.takes_compaction(model):
        raise Refused("compaction: not supported for this model")


def _thinking(sent: Body, model: Model, effort: str | None, betas: frozenset[str]) -> Thinking:
    """Return how the model thinks, the defaults of the model filled in."""
    known = facts.thinking_facts(model)
    default = PlainThinking(type="adaptive" if known.on_by_default else "disabled")
    thinking = sent.thinking or default
    if not (
        model.adaptive_thinking if thinking.type == "adaptive" else getattr(known, thinking.type)
    ):
        raise Refused(f'"thinking.type.{thinking.type}" is not supported for this model.')
    if (
        thinking.type == "disabled"
        and model.id in ("claude-opus-5", "claude-haiku-5-5")
        and effort in ("xhigh", "max")
    ):
        raise Refused(f'"thinking.type.disabled" is not supported at effort "{effort}".')
    if thinking.budget_tokens is not None and 0 < sent.max_tokens <= thinking.budget_tokens:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if thinking.display == "updates" and facts.THINKING_UPDATES not in betas:
        raise Refused(f"thinking.display: {one_of('summarized', 'omitted')}")
    if thinking.block_binding is not None:
        facts.need_beta(facts.THINKING_BINDING, betas, "thinking.block_binding")
    return thinking.model_copy(update={"display": thinking.display or known.display})
