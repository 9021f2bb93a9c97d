"""Hours per shift and per week. A shift is written "HH:MM-HH:MM"."""

from timesheet.clock import minutes_between


def hours_worked(shift):
    """Length of one shift in hours. A shift may run past midnight."""
    start, end = shift.split("-")
    return minutes_between(start, end) / 60


def weekly_hours(shifts):
    """Sum of the lengths of all shifts, in hours."""
    return sum(hours_worked(shift) for shift in shifts)


def overtime(shifts, contract=40):
    """Hours above the contract; 0 when there are none."""
    return max(0, weekly_hours(shifts) - contract)


def format_hours(hours):
    """Hours as text, e.g. "7 h 30 min" for 7.5."""
    whole, rest = divmod(round(hours * 60), 60)
    return f"{whole} h {rest:02d} min"
