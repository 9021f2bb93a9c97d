"""One module per `agentcore` subcommand, each with `add(parser)`; imported when it is the one that was typed."""
