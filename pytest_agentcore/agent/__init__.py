"""The agent loop, and the agents without a model: oracle and null."""
