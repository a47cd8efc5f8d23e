"""The default scene: an agent that looks around, searches, reads and reports."""
