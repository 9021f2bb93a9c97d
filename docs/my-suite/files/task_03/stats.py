def mean(values):
    """The arithmetic mean. Missing values (None) do not count; without any value the mean is None."""
    return sum(values) / len(values)
