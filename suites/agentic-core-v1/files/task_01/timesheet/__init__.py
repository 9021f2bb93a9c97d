"""Shifts, hours and rest of a small team."""
