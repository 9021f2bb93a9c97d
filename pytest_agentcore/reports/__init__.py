"""Renders campaigns for people: terminal, Markdown, HTML, CSV, junit."""
