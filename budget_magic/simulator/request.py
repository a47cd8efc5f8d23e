"""Check a request against the rules of the API, and fill in the defaults of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from budget_magic.models import MINIMUM_BUDGET_TOKENS, Model
from budget_magic.simulator import betas as beta_names
from budget_magic.simulator.betas import parse_betas, require_beta
from budget_magic.simulator.capabilities import Capabilities, capabilities_of, get_model
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.message_rules import check_messages, effort_of_reply
from budget_magic.simulator.request_schema import (
    Body,
    OutputConfig,
    PlainThinking,
    TaskBudget,
    Thinking,
    one_of,
    validate_body,
)
from budget_magic.simulator.tokens import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that is valid by itself; its thinking blocks are checked later."""

    body: Body
    betas: frozenset[str]
    model: Model
    thinking: Thinking
    """How the model thinks, its defaults filled in."""
    effort: str | None
    """The top-level effort, its default filled in; None if the model has no such parameter."""
    reply_effort: str | None
    """The effort of the coming reply, after changes by system messages."""

    @property
    def thinks(self) -> bool:
        """Whether the model thinks at all."""
        return self.thinking.type in ("adaptive", "enabled")

    @property
    def budget(self) -> TaskBudget | None:
        """The task budget; None without one."""
        return self.body.output_config.task_budget


def parse_request(
    data: JsonObject, headers: Mapping[str, str], *, counting: bool = False
) -> Request:
    """Return the request with this body, or raise the `ApiError` with which the API rejects it.

    Where tokens are only counted, `max_tokens` may be missing.
    """
    betas = parse_betas(headers.get("anthropic-beta", ""))
    if "thread" in data:
        raise ApiError(
            "thread: not supported by the simulator; send the whole history (thread=False)"
        )
    body = validate_body({**data, "max_tokens": 0} if counting else data)
    for field in ("context_management", "container", "mcp_servers"):
        if getattr(body, field):
            raise ApiError(f"{field}: not supported by the simulator")
    model = get_model(body.model)
    known = capabilities_of(model)
    _check_parameters(body, model, known, betas)
    _check_tools(body)
    _check_output_config(body.output_config, model, betas)
    check_messages(body.messages, model, betas)
    _check_compaction(body, known, betas)
    effort = body.output_config.effort or known.default_effort
    return Request(
        body=body,
        betas=betas,
        model=model,
        thinking=_resolve_thinking(body, known, effort, betas),
        effort=effort,
        reply_effort=effort_of_reply(body.messages, effort),
    )


def _check_parameters(body: Body, model: Model, known: Capabilities, betas: frozenset[str]) -> None:
    if body.max_tokens > model.max_output_tokens:
        raise ApiError(
            f"max_tokens: {body.max_tokens} > {model.max_output_tokens}, which is the maximum"
            f" allowed number of output tokens for {body.model}"
        )
    if body.max_tokens == 0 and body.stream:
        raise ApiError("max_tokens: 0 is not supported with `stream`")
    for name, default in (("temperature", 1), ("top_p", 1), ("top_k", None)):
        if getattr(body, name) != default and not known.sampling:
            raise ApiError(f"`{name}` is not supported for this model.")
    if not all(sequence.strip() for sequence in body.stop_sequences):
        raise ApiError("stop_sequences: each stop sequence must contain non-whitespace")
    if body.inference_geo is not None and not model.takes_inference_geo:
        raise ApiError("inference_geo: not supported for this model")
    if body.speed == "fast":
        require_beta(beta_names.FAST_MODE, betas, "speed")
        if model.prices.fast is None:
            raise ApiError("speed: fast mode is not supported for this model")


def _check_tools(body: Body) -> None:
    names = [tool["name"] for tool in body.tools]
    if len(set(names)) < len(names):
        raise ApiError("tools: Tool names must be unique.")
    choice = body.tool_choice
    if not names and "tool_choice" in body.model_fields_set and choice["type"] != "none":
        raise ApiError("tool_choice: may only be specified while providing tools.")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise ApiError(f"Tool '{choice['name']}' not found in provided tools")


def _check_output_config(config: OutputConfig, model: Model, betas: frozenset[str]) -> None:
    if config.format is not None:
        raise ApiError(
            "output_config.format: structured outputs are not supported by the simulator"
        )
    if config.effort is not None and config.effort not in model.effort_levels:
        if not model.effort_levels:
            raise ApiError("This model does not support the effort parameter.")
        raise ApiError(f"output_config.effort: {one_of(*model.effort_levels)}")
    budget = config.task_budget
    if budget is None:
        return
    require_beta(beta_names.TASK_BUDGETS, betas, "output_config.task_budget")
    if model.budget == "no":
        # The documentation says "not supported"; reports differ on whether the real API answers
        # 400 or ignores the field.
        raise ApiError("output_config.task_budget: task budgets are not supported for this model")
    if budget.total < MINIMUM_BUDGET_TOKENS:
        raise ApiError(
            f"`task_budget.total` must be at least {MINIMUM_BUDGET_TOKENS:,} tokens for this model"
        )
    if (budget.remaining or 0) > budget.total:
        raise ApiError("`task_budget.remaining` must not be greater than `task_budget.total`")


def _check_compaction(body: Body, known: Capabilities, betas: frozenset[str]) -> None:
    if body.compaction is None:
        if not any("compaction" in message.kinds for message in body.messages):
            return
        require_beta(beta_names.COMPACT, betas, "messages: compaction blocks")
    else:
        require_beta(beta_names.COMPACT, betas, "compaction")
    budget = body.output_config.task_budget
    if budget is not None and budget.remaining is not None:
        raise ApiError("`task_budget.remaining` is not supported together with compaction")
    if body.compaction is not None and not known.compaction:
        raise ApiError("compaction: not supported for this model")


def _resolve_thinking(
    body: Body, known: Capabilities, effort: str | None, betas: frozenset[str]
) -> Thinking:
    thinking = body.thinking or PlainThinking(type=known.default_thinking)
    kind = thinking.type
    if kind not in known.thinking_types:
        raise ApiError(f'"thinking.type.{kind}" is not supported for this model.')
    if kind == "disabled" and effort in ("xhigh", "max") and not known.disabled_above_high:
        raise ApiError(f'"thinking.type.disabled" is not supported at effort "{effort}".')
    if thinking.budget_tokens is not None and 0 < body.max_tokens <= thinking.budget_tokens:
        raise ApiError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if thinking.display == "updates" and beta_names.THINKING_UPDATES not in betas:
        raise ApiError(f"thinking.display: {one_of('summarized', 'omitted')}")
    if thinking.block_binding is not None:
        require_beta(beta_names.THINKING_BINDING, betas, "thinking.block_binding")
    return thinking.model_copy(update={"display": thinking.display or known.default_display})
