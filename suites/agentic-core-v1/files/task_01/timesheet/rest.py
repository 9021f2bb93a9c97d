"""Rest between two shifts."""

from timesheet.clock import minutes_between

MINIMUM_REST = 11 * 60


def rest_between(shift, next_shift):
    """Minutes from the end of a shift to the next start, which is less than a day later."""
    _, end = shift.split("-")
    next_start, _ = next_shift.split("-")
    return minutes_between(end, next_start)


def is_rested(shift, next_shift):
    """Whether the rest between two shifts is at least eleven hours."""
    return rest_between(shift, next_shift) >= MINIMUM_REST
