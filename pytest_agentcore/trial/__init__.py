"""A trial's result: what ended it, what it is judged to be, and why."""
