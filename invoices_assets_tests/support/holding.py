"""A DuckDB file that another process has open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held_open(path: Path) -> Iterator[Callable[[], None]]:
    """Another process has the DuckDB file open for writing; yields what makes it let go."""
    hold = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1]) as held:\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"

        def let_go() -> None:
            assert other.stdin is not None
            other.stdin.close()

        yield let_go
        let_go()
