"""The session of pytest once a model is given: trials are collected, run, judged, recorded and shown."""
