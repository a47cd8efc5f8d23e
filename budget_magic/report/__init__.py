"""WHAT THE READER SEES, AS TEXT: pure functions from records to views, HTML, Markdown and text."""
