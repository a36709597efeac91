"""What the project says where it refuses to run."""

from __future__ import annotations

from typing import Any

import click

from invoices_assets_tests.support.project import Project
from invoices_assets_tests.support.rows import untouched

SECRET = "k3y-of-bad-input"


def sentence(project: Project, **config: Any) -> str:
    """What a run says that fails, with the warehouse untouched; one line, without the key."""
    with untouched(project):
        try:
            result = project.run(**config)
        except click.ClickException as error:
            said = error.format_message()
        else:
            assert not result.success
            said = project.failure(result)
    assert said
    assert "\n" not in said
    assert SECRET not in said
    return said
