"""What a checker gets: readers over the final workspace, and code under test run where it can do no harm."""
