"""Experiments with budgets: what many runs of one prompt say."""
