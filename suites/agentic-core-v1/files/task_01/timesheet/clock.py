"""Times of day, written HH:MM."""


def to_minutes(text):
    """Minutes since midnight, e.g. 90 for "01:30".

    Raises ValueError when the text is no time of day.
    """
    hours, minutes = (int(part) for part in text.strip().split(":"))
    if not (0 <= hours <= 23 and 0 <= minutes <= 59):
        raise ValueError(f"no time of day: {text!r}")
    return hours * 60 + minutes


def minutes_between(start, end):
    """Minutes from start to end, both written HH:MM.

    An end that is earlier in the day than the start is on the next day.
    The same time twice is 0 minutes.
    """
    return abs(to_minutes(end) - to_minutes(start))
