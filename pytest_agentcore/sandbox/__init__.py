"""Workspaces, and the two sandboxes in which tools and checkers run code."""
