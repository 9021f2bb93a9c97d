"""The charts and the packed transcripts of report.html."""
