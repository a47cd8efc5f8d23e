"""A small shop; some of its lines are wrong on purpose."""
