"""Campaigns in the formats of other tools. docs/exports.md says what becomes of every field."""
