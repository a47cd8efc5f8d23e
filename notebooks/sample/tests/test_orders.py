"""What is tested so far."""

from shop.orders import total


def test_total_adds_up():
    assert total([(1, 2.5), (2, 4.0)]) == 6.5
