"""The default scene: an agent that looks around, searches, reads and reports."""

from budget_magic.simulator.scenes.audit.agent import Audit

__all__ = ["Audit"]
