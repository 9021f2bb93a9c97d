"""Where replies come from: the backend contract, the backends and the registry of models."""
