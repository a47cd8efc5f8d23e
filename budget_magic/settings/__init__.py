"""The table of settings and the parsers of their values; cheap to import."""

from budget_magic.settings.ceilings import Ceilings
from budget_magic.settings.parsers import StuckRule
from budget_magic.settings.table import (
    LIVE,
    TABLE,
    Carry,
    Defaults,
    RecordedSettings,
    Settings,
    evolve,
    rows,
)

__all__ = [
    "LIVE",
    "TABLE",
    "Carry",
    "Ceilings",
    "Defaults",
    "RecordedSettings",
    "Settings",
    "StuckRule",
    "evolve",
    "rows",
]
