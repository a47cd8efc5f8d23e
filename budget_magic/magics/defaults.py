"""`%config ClaudeTaskMagics`: each default as a trait, from the table of settings."""

from __future__ import annotations

import os
from typing import Any

import traitlets
from traitlets.config import Configurable

from budget_magic.errors import ConfigurationError
from budget_magic.settings import TABLE, Defaults, evolve


class TaskDefaults(Configurable):
    """The defaults of cells and of `Task`, as traits that are parsed as the options are."""

    # In a class body, `locals()` is the namespace that becomes the class.
    locals().update(
        {row.name: traitlets.Any(row.default, help=row.python_help, config=True)
         for row in TABLE.values()}
    )  # fmt: skip

    @traitlets.validate(*TABLE)
    def _parse(self, proposal: Any) -> Any:
        name, value = proposal.trait.name, proposal.value
        try:
            return _parsed(name, value)
        except ConfigurationError as error:
            raise traitlets.TraitError(without_secrets(f"{name} = {value!r}: {error}")) from None

    def as_defaults(self) -> Defaults:
        """Return the traits as the session takes them."""
        return evolve(Defaults(), {name: getattr(self, name) for name in TABLE})


def _parsed(name: str, value: object) -> object:
    parsed = TABLE[name].parse(value)
    if name == "budget" and isinstance(parsed, int):
        from budget_magic.session.checks import check_least_budget  # noqa: PLC0415 - imports models

        check_least_budget(parsed)
    return parsed


def without_secrets(text: str) -> str:
    """Return a text in which the credentials of the environment are replaced."""
    from budget_magic.tools.redactor import Redactor  # noqa: PLC0415 - loading stays cheap

    return Redactor(os.environ).redact(text)
