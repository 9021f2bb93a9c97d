"""The active part of the plugin, one file per concern: collecting, running, judging, recording, presenting."""
