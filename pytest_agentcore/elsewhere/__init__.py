"""Trials that run in other processes and on other machines, while items, checkers and the record stay here."""
