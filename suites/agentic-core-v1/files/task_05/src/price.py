"""Prices of an order.

An item is a dict: {"name": "pen", "price": 1.2, "quantity": 3}.
"""

from src.discount import discount_rate

VAT = 0.2
SHIPPING = 4.9
FREE_SHIPPING_FROM = 50.0


def line_total(item):
    """Price of one item times its quantity.

    An item whose price is None is a free gift: its line total is 0.
    Raises ValueError when the quantity is negative.
    """
    quantity = item.get("quantity", 1)
    if quantity < 0:
        raise ValueError(f"negative quantity: {quantity}")
    return round(item["price"] * quantity, 2)


def subtotal(items):
    """Sum of the line totals."""
    return round(sum(line_total(item) for item in items), 2)


def discounted(items, code=None):
    """Subtotal after the discount that belongs to the code."""
    amount = subtotal(items)
    return round(amount - amount * discount_rate(code), 2)


def shipping(items):
    """Shipping costs; nothing is charged for an empty or a large order."""
    amount = subtotal(items)
    if not items or amount >= FREE_SHIPPING_FROM:
        return 0.0
    return SHIPPING


def vat_included(amount):
    """The part of an amount that is value added tax."""
    return round(amount - amount / (1 + VAT), 2)


def total(items, code=None):
    """What the customer pays: the discounted subtotal plus shipping."""
    return round(discounted(items, code) + shipping(items), 2)


def receipt(items, code=None):
    """The order as text, one line per item and a last line with the total."""
    lines = []
    for item in items:
        name = item["name"]
        quantity = item.get("quantity", 1)
        lines.append(f"{quantity} x {name}: {line_total(item):.2f}")
    lines.append(f"total: {total(items, code):.2f}")
    return "\n".join(lines)
