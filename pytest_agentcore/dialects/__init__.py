"""How model families write tool calls: dialects as data over argument codecs, and readers for what models write."""
