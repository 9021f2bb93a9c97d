"""Discount codes."""

RATES = {"WELCOME": 0.1, "STAFF": 0.25}


def discount_rate(code):
    """Share taken off for a code, e.g. 0.1; 0.0 for no code or an unknown one."""
    if code is None:
        return 0.0
    return RATES.get(code.strip().upper(), 0.0)
