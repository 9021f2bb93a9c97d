"""What a task is, how it is declared, and the suite that it belongs to."""
