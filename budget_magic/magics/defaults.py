"""`%config ClaudeTaskMagics`: every default as a trait, read only when it is set or asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets
from traitlets.config import Configurable

from budget_magic.errors import ConfigurationError

if TYPE_CHECKING:
    from budget_magic.session.settings import Defaults


class Checked(traitlets.TraitType[Any, Any]):
    """A trait whose value is read as the option of the same name reads it.

    What reads it is imported on first use, so that `%load_ext` stays cheap.

    Parameters
    ----------
    told
        What `%config` says about it.
    """

    def __init__(self, told: str) -> None:
        super().__init__(allow_none=True, help=told)
        self.tag(config=True)

    def default(self, obj: Any = None) -> Any:  # noqa: ARG002 - traitlets' signature
        """Return the documented default."""
        from budget_magic.magics.trait_parsers import FIRST  # noqa: PLC0415 - lazy, as said above

        return FIRST[str(self.name)]

    def default_value_repr(self) -> str:
        """Return the documented default, as `%config` shows it."""
        return repr(self.default())

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - traitlets' signature
        """Parse the value."""
        from budget_magic.magics.trait_parsers import READERS  # noqa: PLC0415 - lazy, as said above

        try:
            return READERS[str(self.name)](value)
        except (ValueError, ConfigurationError) as error:
            raise traitlets.TraitError(f"{self.name} = {value!r}: {error}") from None


class TaskDefaults(Configurable):
    """The defaults of both doors, cell and Python, as traits."""

    budget = Checked("task budget in tokens")
    effort = Checked("effort level")
    model = Checked("model id")
    max_tokens = Checked("cap of one response; None: 32k, at xhigh and max 64k")
    max_cost = Checked("ceiling of a task in US dollars")
    max_total_tokens = Checked("ceiling of a task in tokens")
    max_steps = Checked("steps of one turn at most")
    max_time = Checked("running time of one turn at most")
    tools = Checked("files, functions of the notebook, or none")
    approve = Checked("ask, all, none, or a function")
    root = Checked("the only folder that file tools may touch")
    system = Checked("system prompt of new tasks; None: a short built-in one")
    client = Checked("auto or simulator")
    stuck_rule = Checked("(3, 9): halt at the third same call within nine; None: never")
    compact_at = Checked("prompt size from which on a summary replaces the history; None: never")
    carry = Checked("today, or documented: each prompt starts a fresh budget on the server")
    inference_geo = Checked(
        "us or global; None: the workspace's default, held at 1.1 x until known"
    )
    prices = Checked("USD per million tokens by model id; fill gaps and override")
    session_cost = Checked("ceiling of all tasks in US dollars; None: ANTHROPIC_COST_BUDGET")
    session_tokens = Checked("likewise in tokens; None: ANTHROPIC_TOKEN_BUDGET")
    secrets = Checked("names of more variables whose values are replaced wherever they turn up")
    save_transcript = Checked("False: saved outputs hold only figures and answer")

    def as_defaults(self) -> Defaults:
        """Return the traits as the session takes them."""
        from budget_magic.magics.trait_parsers import FIRST, as_defaults  # noqa: PLC0415 - lazy

        return as_defaults({name: getattr(self, name) for name in FIRST})
