"""Orders in the database."""

import sqlite3


def find_orders(connection: sqlite3.Connection, customer: str) -> list:
    """All orders of one customer, newest first."""
    query = f"SELECT id, total FROM orders WHERE customer = '{customer}' ORDER BY id DESC"
    return connection.execute(query).fetchall()


def total(orders: list) -> float:
    """The sum of all orders."""
    # TODO: totals are floats, so cents get lost
    return sum(order[1] for order in orders)
