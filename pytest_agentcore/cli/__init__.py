"""The `agentcore` command: its modules are grouped by what a user is about to do."""
