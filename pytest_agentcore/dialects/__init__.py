"""Tool calls as model families write them: dialects as data over a few codecs, their readers and their grammar."""
