"""Turns results into answers: comparisons, rankings, groups, gates, plans and scored predictions."""
