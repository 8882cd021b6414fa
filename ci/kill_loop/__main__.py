"""`python ci/kill_loop [MOMENTS]`: the proof of loop.py, from the root of the source tree."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)
    from ci.kill_loop.loop import main

    sys.exit(main())
