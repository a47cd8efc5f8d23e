"""`%config ClaudeTaskMagics`: each default as a trait, from the table of settings."""

from __future__ import annotations

from typing import Any

import traitlets
from traitlets.config import Configurable

from budget_magic.errors import ConfigurationError
from budget_magic.settings import TABLE, Defaults, evolve
from budget_magic.settings.row import Row


class SettingTrait(traitlets.TraitType[Any, Any]):
    """A trait whose value is parsed as the option of the same name parses it."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.default, allow_none=True, help=row.python_help, config=True)
        self._parse = row.parse

    def validate(self, obj: Any, value: Any) -> Any:  # noqa: ARG002 - traitlets' signature
        """Parse the value."""
        try:
            return self._parse(value)
        except ConfigurationError as error:
            raise traitlets.TraitError(f"{self.name} = {value!r}: {error}") from None


class TaskDefaults(Configurable):
    """The defaults of cells and of `Task`, as traits."""

    # In a class body, `locals()` is the namespace that becomes the class.
    locals().update({row.name: SettingTrait(row) for row in TABLE.values()})

    def as_defaults(self) -> Defaults:
        """Return the traits as the session takes them."""
        return evolve(Defaults(), {name: getattr(self, name) for name in TABLE})
