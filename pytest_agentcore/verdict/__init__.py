"""What ended a trial, what it is judged to be, and why: pure values and functions over them."""
