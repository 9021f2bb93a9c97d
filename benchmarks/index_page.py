"""What the page over many campaigns takes: wall clock and peak memory of `agentcore report RESULTS`.

    python benchmarks/index_page.py [CAMPAIGNS [TRIALS]]

Generates that many campaigns (50) of that many trials each (300, ten tasks) with a transcript of about 9 kB for each
trial, and writes the page over them in a process of its own. The limits are 10 s and 400 MB; the exit code is 1 when
CPU time or memory exceed them, as in many_trials.py. Generating takes longer than measuring.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from many_transcripts import generate_with_transcripts
from many_trials import measure

SECONDS, MEGABYTES = 10.0, 400.0


def main(campaigns: int, trials: int) -> int:
    """1 when a limit is exceeded."""
    with tempfile.TemporaryDirectory() as folder:
        results, page = Path(folder, "results"), Path(folder, "page", "index.html")
        size = sum(generate_with_transcripts(results / f"campaign-{n:02}", trials) for n in range(campaigns))
        told = f"{campaigns} campaigns of {trials} trials, {size / 1e6:.0f} MB of transcripts"
        print(f"{told}; limits: {SECONDS:g} s, {MEGABYTES:g} MB.\n")
        print("| seconds | of them CPU | peak MB | page MB | files beside it |\n|---|---|---|---|---|")
        seconds, cpu, megabytes = measure(["report", str(results), "-o", str(page)])
        beside = sum(1 for _ in page.parent.glob("index-data/*/*.js"))
        print(f"| {seconds:.2f} | {cpu:.2f} | {megabytes:.0f} | {page.stat().st_size / 1e6:.1f} | {beside} |")
    return int(cpu > SECONDS or megabytes > MEGABYTES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", metavar="CAMPAIGNS", type=int, nargs="?", default=50)
    parser.add_argument("trials", metavar="TRIALS", type=int, nargs="?", default=300)
    given = parser.parse_args()
    sys.exit(main(given.campaigns, given.trials))
