"""From results to answers: comparisons, rankings, groups, gates, plans and checked predictions."""
