"""Timed comparisons; no test of pytest's runs them, `make bench` does."""
