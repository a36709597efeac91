"""Measures this project against other ways to write it, side by side, and prints Markdown tables.

    python -m benchmarks                       # the cases of docs/benchmarks.md; takes about an hour
    python -m benchmarks --records 2000 --rounds 1 --cases load     # a quick look, also for CI
    python -m benchmarks --cases warehouses backfill                # starts a PostgreSQL server; see below

Figures are medians over the rounds; the contenders take turns within a round, so that a machine whose speed
drifts is fair to all. `wall` is the whole process, `work` the time from the first request to the last commit;
`asking` that from the first request to the last one; each ratio is the contender's time divided by this project's.

The cases, each with --records invoices unless it says otherwise:

{cases}

`warehouses` and `backfill` need the PostgreSQL server of this machine (`initdb`, `pg_ctl` in the PATH) and the
environment of constraints-scale.txt: `pip install -c constraints-scale.txt -e '.[test,scale]'`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.backfill import MONTHS, Backfilled, backfill, expected_of
from benchmarks.contenders import CONTENDERS, PAGE, WINDOW
from benchmarks.measuring import OURS, Measured, fixture, measure
from benchmarks.warehouses import FILE, KINDS, POSTGRES, server

ALL = [OURS, *CONTENDERS]
LATENCY = 0.05
RATE = 40.0
WORKERS = (1, 2, 4)
ONE_BY_ONE = "this project, window 1"


def main() -> None:
    cases = "\n".join(f"    {name:<12}{str(case.__doc__).splitlines()[0]}" for name, case in CASES.items())
    parser = argparse.ArgumentParser(
        description=str(__doc__).format(cases=cases), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="*", default=USUAL, choices=list(CASES))
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="*", default=ALL, choices=ALL)
    parser.add_argument("--chart", type=Path, help="draw the first case into this PNG (needs matplotlib)")
    chosen = parser.parse_args()
    for case in chosen.cases:
        CASES[case](chosen)


def load(chosen: argparse.Namespace) -> None:
    """First and second load, no latency."""
    runs: dict[tuple[str, str], list[Measured]] = {}
    with fixture(chosen.records) as server:
        for _ in range(chosen.rounds):
            for name in chosen.contenders:
                with tempfile.TemporaryDirectory() as folder:
                    for turn in ("first", "second"):
                        runs.setdefault((name, turn), []).append(measure(name, server, Path(folder)))
    for turn in ("first", "second"):
        medians = {name: runs[name, turn] for name in chosen.contenders}
        _table(f"{chosen.records:,} invoices, no latency, {turn} load", medians)
    if chosen.chart:
        _chart(chosen.chart, {name: _median(runs[name, "first"], "wall") for name in chosen.contenders})


def latency(chosen: argparse.Namespace) -> None:
    """Time for each page: pages in flight together against one after the other."""
    records = min(chosen.records, 10_000)
    runs: dict[str, list[Measured]] = {}
    with fixture(records, latency=LATENCY) as server:
        for _ in range(chosen.rounds):
            for name in chosen.contenders:
                with tempfile.TemporaryDirectory() as folder:
                    runs.setdefault(name, []).append(measure(name, server, Path(folder)))
            with tempfile.TemporaryDirectory() as folder:
                runs.setdefault(ONE_BY_ONE, []).append(measure(OURS, server, Path(folder), window=1))
    pages = records // PAGE
    _table(f"{records:,} invoices, {LATENCY * 1000:.0f} ms a page", runs)
    print(f"\n{pages} pages x {LATENCY * 1000:.0f} ms / window {WINDOW} = {pages * LATENCY / WINDOW:.2f} s")


def rate(chosen: argparse.Namespace) -> None:
    """A server that allows so many requests in a second, and a budget that says so."""
    records = min(chosen.records, 40_000)
    with fixture(records, rate=RATE) as server:
        runs = []
        for _ in range(chosen.rounds):
            with tempfile.TemporaryDirectory() as folder:
                runs.append(measure(OURS, server, Path(folder), requests_per_second=RATE))
    pages = records // PAGE
    _table(f"{records:,} invoices, {RATE:.0f} requests/s allowed", {OURS: runs})
    refused = sum(run.refused for run in runs)
    print(f"\n{pages} pages / {RATE:.0f} = {pages / RATE:.1f} s; {refused} of {pages * len(runs)} refused")


def refresh(chosen: argparse.Namespace) -> None:
    """What a refresh costs when little changed in a large table."""
    records = chosen.records * 10
    with fixture(records) as server, tempfile.TemporaryDirectory() as folder:
        first = measure(OURS, server, Path(folder))
        nothing = [measure(OURS, server, Path(folder)) for _ in range(chosen.rounds)]
        server.let_time_pass()
        changed = measure(OURS, server, Path(folder))
        _table(
            f"refresh in {records:,} invoices",
            {"first load": [first], "nothing new": nothing, "172 new": [changed]},
        )


def growth(chosen: argparse.Namespace) -> None:
    """From a tenth to ten times as many rows."""
    runs = {}
    for records in (chosen.records // 10, chosen.records, chosen.records * 10):
        with fixture(records) as server, tempfile.TemporaryDirectory() as folder:
            runs[f"{records:,} invoices"] = [measure(OURS, server, Path(folder))]
    _table("growth", runs)


def memory(chosen: argparse.Namespace) -> None:
    """Peak memory of a first load of so many, ten and fifty times as many; takes several minutes."""
    runs: dict[str, list[Measured]] = {}
    for records in (chosen.records, chosen.records * 10, chosen.records * 50):
        with fixture(records) as api, tempfile.TemporaryDirectory() as folder:
            runs[f"{records:,} invoices"] = [measure(OURS, api, Path(folder))]
    _table("memory", runs)
    peaks = [_median(run, "memory") for run in runs.values()]
    print(f"\npeak memory, to that of the first: {', '.join(f'{peak / peaks[0]:.2f}' for peak in peaks)}")


def warehouses(chosen: argparse.Namespace) -> None:
    """The same first load into a file, PostgreSQL, and a lake with its catalog there; ratios are to the file."""
    runs: dict[str, list[Measured]] = {}
    with server() as empty, fixture(chosen.records) as api:
        for _ in range(chosen.rounds):
            for kind in KINDS:
                with tempfile.TemporaryDirectory() as folder:
                    place = empty(kind, Path(folder))
                    runs.setdefault(kind, []).append(measure(OURS, api, Path(folder), place))
    _table(f"{chosen.records:,} invoices, first load", runs, base=FILE)
    for figure in ("wall", "work"):
        ratios = {kind: _by_round(runs[kind], runs[FILE], figure) for kind in KINDS if kind != FILE}
        print(f"\n{figure}, to the file, by round: {'; '.join(f'{kind} {each}' for kind, each in ratios.items())}")


def months(chosen: argparse.Namespace) -> None:
    """Twelve months of two years, 50 ms a page, into PostgreSQL, by 1, 2 and 4 workers."""
    expected = expected_of(chosen.records)
    runs: dict[int, list[Backfilled]] = {}
    with server() as empty, fixture(chosen.records, latency=LATENCY) as api:
        for _ in range(chosen.rounds):
            for workers in WORKERS:
                with tempfile.TemporaryDirectory() as folder:
                    place = empty(POSTGRES, Path(folder))
                    runs.setdefault(workers, []).append(backfill(workers, api, place, expected))
    print(f"\n### {len(MONTHS)} months with {expected[0]:,} invoices, {LATENCY * 1000:.0f} ms a page\n")
    print("| workers | wall s | times as quick as one | by round | rows and sum right |")
    print("| ---: | ---: | ---: | --- | --- |")
    alone = [run.wall for run in runs[1]]
    for workers, measured in runs.items():
        walls = [run.wall for run in measured]
        gains = [one / wall for one, wall in zip(alone, walls, strict=True)]
        right = "yes" if all(run.right for run in measured) else "**no**"
        by_round = " ".join(f"{gain:.2f}" for gain in gains)
        print(f"| {workers} | {statistics.median(walls):.1f} | {statistics.median(gains):.2f} | {by_round} | {right} |")


CASES = {
    "load": load,
    "latency": latency,
    "rate": rate,
    "refresh": refresh,
    "growth": growth,
    "memory": memory,
    "warehouses": warehouses,
    "backfill": months,
}
USUAL = ["load", "latency", "rate", "refresh", "growth"]
"""What runs where --cases does not say: nothing that needs a server of its own."""


def _by_round(runs: list[Measured], base: list[Measured], figure: str) -> str:
    pairs = zip(runs, base, strict=True)
    return " ".join(f"{getattr(run, figure) / getattr(other, figure):.2f}" for run, other in pairs)


def _median(runs: list[Measured], figure: str) -> float:
    return statistics.median(getattr(run, figure) for run in runs)


def _table(title: str, runs: dict[str, list[Measured]], base: str = OURS) -> None:
    print(f"\n### {title}\n")
    print("| | wall s | ratio | work s | ratio | asking s | CPU s | peak MB | rows/s | rows and sum right |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, measured in runs.items():
        wall, work = _median(measured, "wall"), _median(measured, "work")
        ratios = [_ratio(figure, runs, measured, base) for figure in ("wall", "work")]
        asking, cpu = _median(measured, "asking"), _median(measured, "cpu")
        memory = _median(measured, "memory") / 1e6
        right = "yes" if all(run.right for run in measured) else "**no**"
        rate = measured[0].rows / wall
        print(
            f"| {name} | {wall:.1f} | {ratios[0]} | {work:.1f} | {ratios[1]} | {asking:.2f} | {cpu:.1f} "
            f"| {memory:,.0f} | {rate:,.0f} | {right} |",
            flush=True,
        )


def _ratio(figure: str, runs: dict[str, list[Measured]], measured: list[Measured], base: str) -> str:
    return f"{_median(measured, figure) / _median(runs[base], figure):.2f}" if base in runs else ""


def _chart(path: Path, seconds: dict[str, float]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted(seconds, key=lambda name: seconds[name])
    figure, axes = pyplot.subplots(figsize=(7, 2.6), layout="constrained")
    bars = axes.barh(names, [seconds[name] for name in names])
    axes.bar_label(bars, fmt="%.1f s", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("seconds, whole process")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
