"""Reports of a turn: pure functions from records to views, HTML, Markdown and text."""
