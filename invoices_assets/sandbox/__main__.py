"""`python -m invoices_assets.sandbox`: the sandbox by hand, in a process of its own."""

from __future__ import annotations

import argparse
import errno
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from invoices_assets.sandbox import SANDBOX_KEY, serve
from invoices_assets.sandbox.live import LiveBook


def _number(kind: type[int] | type[float], lowest: float, highest: float = float("inf")) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest or value == float("inf"):
            limits = f"at least {lowest}" if highest == float("inf") else f"between {lowest} and {highest}"
            raise argparse.ArgumentTypeError(f"{text} is not possible: it must be {limits}")
        return value

    return number


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m invoices_assets.sandbox",
        description="An invoicing API with invented invoices, on 127.0.0.1, to try the project against.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--port", type=_number(int, 0, 65_535), default=8000, help="0 takes a free one")
    parser.add_argument("--api-key", default=SANDBOX_KEY, help="the key it accepts")
    parser.add_argument("--records", type=_number(int, 0), default=12_000, help="invoices of history")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other invoices")
    parser.add_argument("--max-page", type=_number(int, 1), default=100, help="a larger limit is cut to this")
    parser.add_argument("--latency", type=_number(float, 0), default=0, help="seconds to wait before each answer")
    parser.add_argument(
        "--rate-limit",
        type=_number(float, 0),
        default=0,
        help="requests per second, 429 with Retry-After above it; 0 means none",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until Ctrl-C or SIGTERM; returns the exit status."""
    options = _arguments(arguments)
    book = LiveBook(options.records, options.seed)
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with serve(
            book, options.api_key, options.port, options.max_page, options.latency, options.rate_limit
        ) as sandbox:
            print(f"An invoicing API with {options.records:,} invented invoices, changing with the clock:\n")
            print(f"    export INVOICES_API_BASE_URL={sandbox.url}")
            print(f"    export INVOICES_API_KEY={shlex.quote(options.api_key)}\n")
            print("Ctrl-C ends it.", flush=True)
            while not stop.wait(1):
                pass
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = "is taken" if error.errno == errno.EADDRINUSE else "may not be used"
        print(f"Port {options.port} {reason}; choose another with --port (0 takes a free one).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
