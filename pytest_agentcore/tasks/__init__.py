"""Tasks: their values, their declaration, and the suite that they belong to."""
