"""Where replies come from: the contract of a backend and the backends behind it."""
