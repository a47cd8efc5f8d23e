"""From the JSON of a request to a checked `Request`, refusing what the real API refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from budget_magic.models import Model
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
from budget_magic.simulator.parse_config import (
    parse_budget,
    parse_compaction,
    parse_effort,
    parse_inference_geo,
    parse_speed,
    parse_thinking,
)
from budget_magic.simulator.parse_messages import parse_messages, parse_system, parse_tools
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Message, Request
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
    effort = parse_effort(config, model)
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
        thinking=parse_thinking(body.get("thinking"), model, effort, betas, limit or None),
        effort=effort,
        effort_now=effort_of_reply(parsed, effort),
        budget=parse_budget(config, model, betas),
        cache_ttl=cache_ttl(body, "top-level"),
        speed=parse_speed(body, model, betas),
        inference_geo=parse_inference_geo(body, model),
        compaction=parse_compaction(body, parsed, model, betas),
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
