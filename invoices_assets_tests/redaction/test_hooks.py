"""What leaves the process while a run is under way holds no secret, whatever library speaks."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
import urllib3

from invoices_assets.redaction.redactor import Redactor
from invoices_assets_tests.conftest import PROJECT
from invoices_assets_tests.support.leaking import KEY, failing_request
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def foreign_logger(lines: list[str]) -> logging.Logger:
    """A logger of somebody else, with a handler that was there before any run."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))
            lines.append(repr(vars(record)))

    logger = logging.Logger("foreign")
    logger.addHandler(Lines())
    return logger


class Talkative:
    def __str__(self) -> str:
        return f"an object with {KEY}"

    __repr__ = __str__


def log_everything(logger: logging.Logger) -> None:
    logger.info("url %s", f"/v1?k={quote(KEY)}")
    logger.info("mapping %(key)s", {"key": KEY, "other": KEY})
    logger.info("object %s", Talkative())
    logger.info(Talkative())
    logger.info("too many %s", "a", KEY)
    logger.info("%d", KEY)
    logger.info("extra", extra={"request": {"url": f"?k={quote(KEY)}"}, "note": KEY})
    logger.info(f"stack {KEY}", stack_info=True)
    try:
        failing_request()
    except ValueError:
        logger.exception("failed")


def test_log_records_of_any_library_are_redacted(foreign_logger: logging.Logger, lines: list[str]) -> None:
    with Redactor([KEY]).installed():
        log_everything(foreign_logger)

    text = "\n".join(lines)
    assert "s3cr" not in text
    assert "url /v1?k=***" in text
    assert "ValueError: cannot\nread ***" in text


def test_harmless_log_records_keep_their_arguments(foreign_logger: logging.Logger, lines: list[str]) -> None:
    with Redactor([KEY]).installed():
        foreign_logger.info("%s rows of %s", 5, "invoices", extra={"pages": 2})

    assert lines[0] == "5 rows of invoices"
    assert "'args': (5, 'invoices')" in lines[1]
    assert "'pages': 2" in lines[1]


def test_loggers_that_make_their_own_records_are_redacted(lines: list[str]) -> None:
    class OwnRecords(logging.Logger):
        def makeRecord(self, name: str, level: int, *args: Any, **kwargs: Any) -> logging.LogRecord:
            return logging.LogRecord(name, level, "own.py", 1, f"own {KEY}", (), None)

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = OwnRecords("own")
    logger.addHandler(Lines())
    with Redactor([KEY]).installed():
        logger.info("anything")

    assert lines == ["own ***"]


def test_log_records_of_other_threads_are_redacted(foreign_logger: logging.Logger, lines: list[str]) -> None:
    with Redactor([KEY]).installed(), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: foreign_logger.info("in a thread: %s", KEY), range(20)))

    assert lines[::2] == ["in a thread: ***"] * 20


def test_debug_lines_of_urllib3_are_redacted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "urllib3")
    with FakeApi() as api, Redactor([KEY]).installed():
        api.route("/v1/invoices", Reply())
        urllib3.PoolManager().request("GET", f"{api.url}/v1/invoices", fields={"api_key": KEY})

    assert any("/v1/invoices?api_key=***" in message for message in caplog.messages)
    assert "s3cr" not in caplog.text


def test_warnings_are_redacted() -> None:
    with pytest.warns(UserWarning, match=r"insecure request to \?k=\*\*\*$"), Redactor([KEY]).installed():
        warnings.warn(f"insecure request to ?k={quote(KEY)}", stacklevel=1)


def test_what_is_printed_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    with Redactor([KEY]).installed():
        print("out", KEY)
        print("err", KEY, file=sys.stderr)
        sys.stdout.writelines(["line ", KEY, "\n"])
        sys.stdout.buffer.write(f"bytes {KEY}\n".encode())
        sys.stdout.flush()

    printed = capsys.readouterr()
    assert printed.out == "out ***\nline ***\nbytes ***\n"
    assert printed.err == "err ***\n"


def test_the_wrapped_stream_is_still_the_stream() -> None:
    encoding, tty = sys.stdout.encoding, sys.stdout.isatty()
    with Redactor([KEY]).installed():
        assert sys.stdout.encoding == encoding
        assert sys.stdout.isatty() == tty
        assert sys.stdout.write("four") == 4
        assert not sys.stdout.closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_that_ends_a_thread_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with Redactor([KEY]).installed():
        thread = threading.Thread(target=failing_request)
        thread.start()
        thread.join()

    assert "ValueError: cannot\nread ***" in stream.getvalue()
    assert "s3cr" not in stream.getvalue()


def test_an_exception_that_nothing_can_be_told_of_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fragile:
        def __del__(self) -> None:
            raise ValueError(f"cannot close {KEY}")

    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    with Redactor([KEY]).installed():
        Fragile()

    assert "ValueError: cannot close ***" in stream.getvalue()


def test_an_exception_that_ends_the_process_is_redacted() -> None:
    script = (
        "import sys, warnings\n"
        "from invoices_assets.redaction.redactor import Redactor\n"
        "secret = sys.argv[1]\n"
        "run = Redactor([secret]).installed()\n"
        "run.__enter__()\n"
        "warnings.warn('w ' + secret)\n"
        "raise ValueError('e ' + secret)\n"
    )

    ended = subprocess.run([sys.executable, "-c", script, KEY], cwd=PROJECT, capture_output=True, text=True)

    assert ended.returncode == 1
    assert "UserWarning: w ***" in ended.stderr
    assert "ValueError: e ***" in ended.stderr
    assert "s3cr" not in ended.stderr


def hooks() -> list[Any]:
    return [
        sys.stdout,
        sys.stderr,
        sys.excepthook,
        sys.unraisablehook,
        threading.excepthook,
        warnings.showwarning,
        logging.Logger.handle,
    ]


def test_everything_is_restored_at_the_end_also_of_a_failed_run() -> None:
    before = hooks()
    during: list[Any] = []

    def run() -> None:
        with Redactor([KEY]).installed():
            during.extend(hooks())
            failing_request()

    with pytest.raises(ValueError, match="cannot"):
        run()

    assert all(now is not then for now, then in zip(during, before, strict=True))
    assert hooks() == before


def test_nested_runs_redact_the_secrets_of_all(foreign_logger: logging.Logger, lines: list[str]) -> None:
    before = hooks()
    inner, outer = Redactor(["inner-secret"]), Redactor(["outer-secret"])

    with outer.installed(), outer.installed():
        with inner.installed():
            foreign_logger.info("inner-secret outer-secret")
        foreign_logger.info("inner-secret outer-secret")

    assert lines[::2] == ["*** ***", "inner-secret ***"]
    assert hooks() == before


def test_overlapping_runs_in_threads_redact_until_the_last_one_ends(
    foreign_logger: logging.Logger, lines: list[str]
) -> None:
    before = hooks()

    def run(number: int) -> None:
        secret = f"secret-of-run-{number}"
        with Redactor([secret]).installed():
            for _ in range(20):
                foreign_logger.info("key %s", secret)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(40)))

    assert lines[::2] == ["key ***"] * 800
    assert hooks() == before


def test_a_hook_that_somebody_put_on_top_is_left_alone() -> None:
    stream = StringIO()
    original = sys.stdout
    try:
        with Redactor([KEY]).installed():
            sys.stdout = stream
        assert sys.stdout is stream
    finally:
        sys.stdout = original


# Dagster


def test_nothing_that_an_op_logs_or_prints_into_dagster_holds_the_key() -> None:
    redactor = Redactor([KEY])

    @dg.resource
    def quiet(_: Any) -> Any:
        with redactor.installed():
            yield

    @dg.op(required_resource_keys={"quiet"})
    def talk() -> None:
        context = dg.OpExecutionContext.get()
        with redactor.guard():
            log_everything(context.log)
            context.log.warning("url %s", f"/v1?k={quote(KEY)}")
            dg.get_dagster_logger().info(f"dagster logger {KEY}")
            context.log_event(dg.AssetObservation("invoices", metadata={"url": f"/v1?k={quote(KEY)}"}))
            raise ValueError(f"cannot read {KEY}")

    @dg.job(resource_defs={"quiet": quiet})
    def job() -> None:
        talk()

    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        stored = [repr(entry) + entry.to_json() for entry in instance.all_logs(result.run_id)]

    assert not result.success
    text = "\n".join(stored)
    assert "url /v1?k=***" in text
    assert "dagster logger ***" in text
    assert "cannot read ***" in text
    assert "s3cr" not in text
