"""Programs that check code inside the sandbox: standard library only, loaded by `run.py` from a read-only folder.

Two kinds of process. A *worker* loads the model's code and answers requests about it; nothing it says is believed
beyond being the value that the code gave. The *judge* runs the given unittest files, never loads the model's code,
asks a worker instead, and signs its report with a one-time key to which it has committed itself before any of the
model's code ran. (A key from its standard input would be none: other processes of the sandbox can read that, too.)
"""
