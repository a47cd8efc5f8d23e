"""The settings of a request: effort, task budget, thinking, compaction, speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from budget_magic.models import MINIMUM_BUDGET_TOKENS, Model
from budget_magic.simulator import facts
from budget_magic.simulator.checks import a_number, an_object, no_extras, one_of, required
from budget_magic.simulator.refusal import Refused
from budget_magic.simulator.request import Budget, Message, Thinking
from budget_magic.simulator.tokens import JsonObject

_MINIMUM_THINKING: Final = 1_024


def parse_effort(config: Mapping[str, Any], model: Model) -> str | None:
    """The top-level effort, the model's default filled in."""
    value = config.get("effort")
    if value is None:
        return facts.default_effort(model)
    if not model.effort_levels:
        raise Refused("This model does not support the effort parameter.")
    return one_of(value, "output_config.effort", model.effort_levels)


def parse_budget(config: Mapping[str, Any], model: Model, betas: frozenset[str]) -> Budget | None:
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


def parse_compaction(
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


def parse_thinking(
    value: object, model: Model, effort: str | None, betas: frozenset[str], limit: int | None
) -> Thinking:
    """How the model thinks, the defaults of the model filled in; `limit` is `max_tokens`."""
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


def parse_inference_geo(body: Mapping[str, Any], model: Model) -> str | None:
    """Return the region that a request asks for; models before Opus 4.6 refuse the field."""
    region = body.get("inference_geo")
    if region is None:
        return None
    one_of(region, "inference_geo", ("us", "global"))
    if not model.takes_inference_geo:
        raise Refused("inference_geo: not supported for this model")
    return str(region)


def parse_speed(body: Mapping[str, Any], model: Model, betas: frozenset[str]) -> str:
    """`standard` or `fast`."""
    speed = body.get("speed") or "standard"
    one_of(speed, "speed", ("standard", "fast"))
    if speed == "fast":
        if facts.FAST_MODE not in betas:
            raise Refused("speed: Extra inputs are not permitted")
        if model.prices.fast is None:
            raise Refused("speed: fast mode is not supported for this model")
    return speed
