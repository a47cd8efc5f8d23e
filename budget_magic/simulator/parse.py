"""From the JSON of a request to a checked `Request`, refusing what the real API refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from budget_magic.models import MINIMUM_BUDGET_TOKENS, Model
from budget_magic.simulator import facts
from budget_magic.simulator.checks import (
    a_list,
    a_number,
    a_text,
    an_object,
    cache_ttl,
    no_extras,
    one_of,
    required,
)
from budget_magic.simulator.parse_messages import parse_messages, parse_system, parse_tools
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Budget, Message, Request, Thinking
from budget_magic.simulator.tokens import JsonObject

_FIELDS: Final = frozenset(
    """
    model max_tokens messages system tools tool_choice stream stop_sequences thinking metadata
    output_config cache_control service_tier speed inference_geo temperature top_p top_k
    context_management compaction container mcp_servers diagnostics betas
    """.split()  # noqa: SIM905 - reads better as words
)
_NOT_PLAYED: Final = ("context_management", "container", "mcp_servers")
_CHOICES: Final = ("auto", "any", "tool", "none")
_MINIMUM_THINKING: Final = 1_024


def parse_betas(header: str) -> frozenset[str]:
    """The beta names of an `anthropic-beta` header; an unknown one is refused."""
    names = frozenset(name.strip() for name in header.split(",") if name.strip())
    for name in sorted(names - facts.KNOWN_BETAS):
        raise Refused(f"Unexpected value(s) `{name}` for the `anthropic-beta` header.")
    return names


def parse_request(body: JsonObject, betas: frozenset[str], *, counting: bool = False) -> Request:
    """The request that this JSON asks for.

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
    no_extras(body, _FIELDS)
    for field in _NOT_PLAYED:
        if body.get(field):
            raise Refused(f"{field}: the simulator does not play this part of the API")
    model_id = a_text(required(body, "model"), "model")
    messages = required(body, "messages")
    limit = 0 if counting else a_number(required(body, "max_tokens"), "max_tokens", at_least=0)
    model = facts.known_model(model_id)
    if limit > model.max_output_tokens:
        raise Refused(
            f"max_tokens: {limit} > {model.max_output_tokens}, which is the maximum allowed number"
            f" of output tokens for {model_id}"
        )
    stream = body.get("stream") is True
    if limit == 0 and stream:
        raise Refused("max_tokens: 0 is not supported with `stream`")
    config = an_object(body.get("output_config") or {}, "output_config")
    effort = _effort(config, model)
    parsed = parse_messages(messages, model, betas)
    tools = parse_tools(body.get("tools"))
    _sampling(body, model)
    return Request(
        model=model,
        model_id=model_id,
        max_tokens=limit,
        stream=stream,
        betas=betas,
        system=parse_system(body.get("system")),
        tools=tools,
        messages=parsed,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        stop_sequences=_stop_sequences(body.get("stop_sequences")),
        thinking=_thinking(body.get("thinking"), model, effort, betas, limit or None),
        effort=effort,
        effort_now=effort_of_reply(parsed, effort),
        budget=_budget(config, model, betas),
        cache_ttl=cache_ttl(body, "top-level"),
        speed=_speed(body, model, betas),
        inference_geo=body.get("inference_geo"),
        compaction=_compaction(body, parsed, model, betas),
    )


def effort_of_reply(messages: tuple[Message, ...], top_level: str | None) -> str | None:
    """The effort of the coming reply, after the system messages that change it.

    A change directly after a user message with new input holds for the reply to it; anywhere else
    it waits for the next user message with new input, and tool results alone are not new input.
    """
    effort, waiting = top_level, None
    before: Message | None = None
    for message in messages:
        if message.effort is not None:
            if before is not None and before.role == "user" and _has_new_input(before):
                effort, waiting = message.effort, None
            else:
                waiting = message.effort
        elif message.role == "user" and waiting is not None and _has_new_input(message):
            effort, waiting = waiting, None
        if message.role != "system":
            before = message
    return effort


def _has_new_input(message: Message) -> bool:
    return any(block["type"] != "tool_result" for block in message.blocks)


def _effort(config: Mapping[str, Any], model: Model) -> str | None:
    value = config.get("effort")
    if value is None:
        return facts.default_effort(model)
    if not model.effort_levels:
        raise Refused("This model does not support the effort parameter.")
    return one_of(value, "output_config.effort", model.effort_levels)


def _budget(config: Mapping[str, Any], model: Model, betas: frozenset[str]) -> Budget | None:
    """The task budget; a model without support refuses it, which is our choice.

    The documentation only says "not supported", and reports differ on whether the real API answers
    400 or ignores the field.
    """
    where = "output_config.task_budget"
    no_extras(config, frozenset({"effort", "format", "task_budget"}), "output_config.")
    if config.get("format") is not None:
        raise Refused("output_config.format: the simulator does not play structured outputs")
    value = config.get("task_budget")
    if value is None:
        return None
    if facts.TASK_BUDGETS not in betas:
        raise Refused(f"{where}: Extra inputs are not permitted")
    budget = an_object(value, where)
    no_extras(budget, frozenset({"type", "total", "remaining"}), f"{where}.")
    one_of(required(budget, "type", f"{where}."), f"{where}.type", ("tokens",))
    if model.budget == "no":
        raise Refused(f"{where}: task budgets are not supported for this model")
    total = a_number(required(budget, "total", f"{where}."), f"{where}.total", at_least=1)
    if total < MINIMUM_BUDGET_TOKENS:
        raise Refused(
            f"`task_budget.total` must be at least {MINIMUM_BUDGET_TOKENS:,} tokens for this model"
        )
    remaining = budget.get("remaining")
    if remaining is not None:
        a_number(remaining, f"{where}.remaining", at_least=0)
        if remaining > total:
            raise Refused("`task_budget.remaining` must not be greater than `task_budget.total`")
    return Budget(total=total, remaining=remaining)


def _compaction(
    body: Mapping[str, Any], messages: tuple[Message, ...], model: Model, betas: frozenset[str]
) -> JsonObject | None:
    """The request for a summary; a task budget's `remaining` goes with neither it nor its block."""
    carried = any(block["type"] == "compaction" for one in messages for block in one.blocks)
    value = body.get("compaction")
    if value is None and not carried:
        return None
    if facts.COMPACT not in betas:
        where = "compaction" if value is not None else "messages: compaction blocks"
        raise Refused(f"{where}: Extra inputs are not permitted")
    budget = (body.get("output_config") or {}).get("task_budget") or {}
    if budget.get("remaining") is not None:
        raise Refused("`task_budget.remaining` is not supported together with compaction")
    if value is None:
        return None
    compaction = an_object(value, "compaction")
    one_of(compaction.get("type"), "compaction.type", ("summarize",))
    if not facts.takes_compaction(model):
        raise Refused("compaction: not supported for this model")
    return compaction


def _thinking(
    value: object, model: Model, effort: str | None, betas: frozenset[str], limit: int | None
) -> Thinking:
    known = facts.thinking_facts(model)
    config = {} if value is None else an_object(value, "thinking")
    if value is None:
        mode = "adaptive" if known.on_by_default else "disabled"
    else:
        modes = ("adaptive", "enabled", "disabled", "between_tools")
        mode = one_of(required(config, "type", "thinking."), "thinking.type", modes)
    taken = {
        "adaptive": model.adaptive_thinking,
        "enabled": known.enabled,
        "disabled": known.disabled,
        "between_tools": known.between_tools,
    }
    if not taken[mode]:
        raise Refused(f'"thinking.type.{mode}" is not supported for this model.')
    if (
        value is not None
        and mode == "disabled"
        and model.id in ("claude-opus-5", "claude-haiku-5-5")
        and effort in ("xhigh", "max")
    ):
        raise Refused(f'"thinking.type.disabled" is not supported at effort "{effort}".')
    budget_tokens = None
    if mode == "enabled":
        where = "thinking.enabled.budget_tokens"
        given = required(config, "budget_tokens", "thinking.enabled.")
        budget_tokens = a_number(given, where, at_least=_MINIMUM_THINKING)
        if limit is not None and budget_tokens >= limit:
            raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    display = config.get("display") or known.display
    one_of(display, "thinking.display", ("summarized", "omitted", "updates"))
    if display == "updates" and facts.THINKING_UPDATES not in betas:
        raise Refused("thinking.display: Input should be 'summarized' or 'omitted'")
    return Thinking(
        mode=mode,
        display=display,
        budget_tokens=budget_tokens,
        drops_mismatches=_drops_mismatches(config, betas),
    )


def _drops_mismatches(config: Mapping[str, Any], betas: frozenset[str]) -> bool:
    if config.get("block_binding") is None:
        return False
    if facts.THINKING_BINDING not in betas:
        raise Refused("thinking.block_binding: Extra inputs are not permitted")
    binding = an_object(config["block_binding"], "thinking.block_binding")
    value = binding.get("prefix_mismatch_behavior") or "error"
    where = "thinking.block_binding.prefix_mismatch_behavior"
    return one_of(value, where, ("error", "drop_block")) == "drop_block"


def _sampling(body: Mapping[str, Any], model: Model) -> None:
    for name, default in (("temperature", 1), ("top_p", 1), ("top_k", None)):
        value = body.get(name, default)
        if value != default and not facts.takes_sampling(model):
            raise Refused(f"`{name}` is not supported for this model.")


def _tool_choice(value: object, tools: tuple[JsonObject, ...]) -> JsonObject:
    if value is None:
        return {"type": "auto"}
    choice = an_object(value, "tool_choice")
    kind = one_of(required(choice, "type", "tool_choice."), "tool_choice.type", _CHOICES)
    if not tools and kind != "none":
        raise Refused("tool_choice: may only be specified while providing tools.")
    if kind == "tool":
        name = a_text(required(choice, "name", "tool_choice.tool."), "tool_choice.tool.name")
        if all(tool.get("name") != name for tool in tools):
            raise Refused(f"Tool '{name}' not found in provided tools")
    return choice


def _stop_sequences(value: object) -> tuple[str, ...]:
    sequences = [] if value is None else a_list(value, "stop_sequences")
    for place, sequence in enumerate(sequences):
        if not a_text(sequence, f"stop_sequences.{place}").strip():
            raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(sequences)


def _speed(body: Mapping[str, Any], model: Model, betas: frozenset[str]) -> str:
    speed = body.get("speed") or "standard"
    one_of(speed, "speed", ("standard", "fast"))
    if speed == "fast":
        if facts.FAST_MODE not in betas:
            raise Refused("speed: Extra inputs are not permitted")
        if model.prices.fast is None:
            raise Refused("speed: fast mode is not supported for this model")
    return speed
