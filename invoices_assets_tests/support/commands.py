"""`python -m invoices_assets.describe` in this process, which spares a test the start of another."""

from __future__ import annotations

import os
import subprocess
import sys

from click.testing import CliRunner

from invoices_assets.describe.__main__ import describe


def described(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """What the command says here, and its exit status; an exception that it does not expect is raised."""
    told = CliRunner(catch_exceptions=False).invoke(describe, arguments, env=settings)
    return subprocess.CompletedProcess(arguments, told.exit_code, told.stdout, told.stderr)


def described_in_a_process(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same as a person gets it."""
    command = [sys.executable, "-m", "invoices_assets.describe", *arguments]
    return subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
