"""What was spent and what is left: pure arithmetic."""

from budget_magic.meter.reading import Kinds, Reading, advance, read
from budget_magic.meter.spend import Spend

__all__ = ["Kinds", "Reading", "Spend", "advance", "read"]
