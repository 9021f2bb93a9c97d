"""Which models there are: registry, names, files, hub, Ollama."""
