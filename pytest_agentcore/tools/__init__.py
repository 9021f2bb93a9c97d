"""What an agent can do: the tool contract and the four tools."""
