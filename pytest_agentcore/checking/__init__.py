"""The trial that a checker sees: readers over the final workspace, and its code, run where it can do no harm."""
