"""Check a request against the rules of the API, and fill in the defaults of its model."""

from __future__ import annotations

from collections.abc import Mapping

from budget_magic.models import MINIMUM_BUDGET_TOKENS
from budget_magic.simulator import betas
from budget_magic.simulator.capabilities import capabilities_of, get_model
from budget_magic.simulator.errors import ApiError
from budget_magic.simulator.message_rules import check_messages, effort_of_reply
from budget_magic.simulator.request_schema import PlainThinking, Thinking, one_of, validate_body
from budget_magic.simulator.tokens import JsonObject


class Request:
    """A request that is valid by itself; its thinking blocks are checked later.

    With `counting`, `max_tokens` may be missing.

    Raises
    ------
    ApiError
        The API would reject the request.
    """

    def __init__(
        self, data: JsonObject, headers: Mapping[str, str], *, counting: bool = False
    ) -> None:
        self.betas = betas.parse_betas(headers.get("anthropic-beta", ""))
        if "thread" in data:
            raise ApiError(
                "thread: not supported by the simulator; send the whole history (thread=False)"
            )
        self.body = validate_body({**data, "max_tokens": 0} if counting else data)
        for field in ("context_management", "container", "mcp_servers"):
            if getattr(self.body, field):
                raise ApiError(f"{field}: not supported by the simulator")
        self.model = get_model(self.body.model)
        self._known = capabilities_of(self.model)
        self.budget = self.body.output_config.task_budget
        self._check_parameters()
        self._check_tools()
        self._check_effort_and_format()
        self._check_budget()
        check_messages(self.body.messages, self.model, self.betas)
        self._check_compaction()
        self.effort = self.body.output_config.effort or self._known.default_effort
        """The top-level effort, its default filled in; None if the model has no such parameter."""
        self.reply_effort = effort_of_reply(self.body.messages, self.effort)
        """The effort of the coming reply, after changes by system messages."""
        self.thinking = self._resolve_thinking()
        """How the model thinks, its defaults filled in."""
        self.thinks = self.thinking.type in ("adaptive", "enabled")

    def _check_parameters(self) -> None:
        body, model = self.body, self.model
        if body.max_tokens > model.max_output_tokens:
            raise ApiError(
                f"max_tokens: {body.max_tokens} > {model.max_output_tokens}, which is the maximum"
                f" allowed number of output tokens for {body.model}"
            )
        if body.max_tokens == 0 and body.stream:
            raise ApiError("max_tokens: 0 is not supported with `stream`")
        for name, default in (("temperature", 1), ("top_p", 1), ("top_k", None)):
            if getattr(body, name) != default and not self._known.sampling:
                raise ApiError(f"`{name}` is not supported for this model.")
        if not all(sequence.strip() for sequence in body.stop_sequences):
            raise ApiError("stop_sequences: each stop sequence must contain non-whitespace")
        if body.inference_geo is not None and not model.takes_inference_geo:
            raise ApiError("inference_geo: not supported for this model")
        if body.speed == "fast":
            betas.require_beta(betas.FAST_MODE, self.betas, "speed")
            if model.prices.fast is None:
                raise ApiError("speed: fast mode is not supported for this model")

    def _check_tools(self) -> None:
        names = [tool["name"] for tool in self.body.tools]
        if len(set(names)) < len(names):
            raise ApiError("tools: Tool names must be unique.")
        choice = self.body.tool_choice
        if not names and "tool_choice" in self.body.model_fields_set and choice["type"] != "none":
            raise ApiError("tool_choice: may only be specified while providing tools.")
        if choice["type"] == "tool" and choice["name"] not in names:
            raise ApiError(f"Tool '{choice['name']}' not found in provided tools")

    def _check_effort_and_format(self) -> None:
        config, levels = self.body.output_config, self.model.effort_levels
        if config.format is not None:
            raise ApiError(
                "output_config.format: structured outputs are not supported by the simulator"
            )
        if config.effort is not None and config.effort not in levels:
            if not levels:
                raise ApiError("This model does not support the effort parameter.")
            raise ApiError(f"output_config.effort: {one_of(*levels)}")

    def _check_budget(self) -> None:
        if self.budget is None:
            return
        where, least = "output_config.task_budget", MINIMUM_BUDGET_TOKENS
        betas.require_beta(betas.TASK_BUDGETS, self.betas, where)
        if self.model.budget == "no":
            # The documentation says "not supported"; reports differ on whether the real API answers
            # 400 or ignores the field.
            raise ApiError(f"{where}: task budgets are not supported for this model")
        if self.budget.total < least:
            raise ApiError(f"`task_budget.total` must be at least {least:,} tokens for this model")
        if (self.budget.remaining or 0) > self.budget.total:
            raise ApiError("`task_budget.remaining` must not be greater than `task_budget.total`")

    def _check_compaction(self) -> None:
        if self.body.compaction is not None:
            betas.require_beta(betas.COMPACT, self.betas, "compaction")
        elif any("compaction" in message.kinds for message in self.body.messages):
            betas.require_beta(betas.COMPACT, self.betas, "messages: compaction blocks")
        else:
            return
        if self.budget is not None and self.budget.remaining is not None:
            raise ApiError("`task_budget.remaining` is not supported together with compaction")
        if self.body.compaction is not None and not self._known.compaction:
            raise ApiError("compaction: not supported for this model")

    def _resolve_thinking(self) -> Thinking:
        known, effort = self._known, self.effort
        thinking = self.body.thinking or PlainThinking(type=known.default_thinking)
        kind = thinking.type
        if kind not in known.thinking_types:
            raise ApiError(f'"thinking.type.{kind}" is not supported for this model.')
        if kind == "disabled" and effort in ("xhigh", "max") and not known.disabled_above_high:
            raise ApiError(f'"thinking.type.disabled" is not supported at effort "{effort}".')
        if thinking.budget_tokens and 0 < self.body.max_tokens <= thinking.budget_tokens:
            raise ApiError("`max_tokens` must be greater than `thinking.budget_tokens`.")
        if thinking.display == "updates" and betas.THINKING_UPDATES not in self.betas:
            raise ApiError(f"thinking.display: {one_of('summarized', 'omitted')}")
        if thinking.block_binding is not None:
            betas.require_beta(betas.THINKING_BINDING, self.betas, "thinking.block_binding")
        return thinking.model_copy(update={"display": thinking.display or known.default_display})
