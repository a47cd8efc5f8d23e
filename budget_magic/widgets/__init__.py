"""The live panel under a running cell."""

from budget_magic.widgets.controls import Controls, Decision, Offers
from budget_magic.widgets.panel import Panel

__all__ = ["Controls", "Decision", "Offers", "Panel"]
