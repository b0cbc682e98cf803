"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

from genctl import __version__
from genctl.reports import formats
from genctl.reports.report import Report

if TYPE_CHECKING:
    from markupsafe import Markup


def render(report: Report) -> bytes:
    """The page as HTML in UTF-8.

    All text is escaped, and the content security policy of the page allows no script or style
    but the page's own and no request at all.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("genctl.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "number": formats.number,
        "seconds": formats.seconds,
        "score_name": formats.score_name,
        "code": _with_code,
    }
    environment.filters |= filters
    style, script = _resource("report.css"), _resource("report.js")
    page = environment.get_template("report.html").render(
        report=report,
        style=style,
        script=script,
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        score=formats.score,
        version=__version__,
        written=datetime.now().astimezone(),
    )
    return page.encode(errors="replace")  # the name of a file need not be valid text


def _with_code(sentence: str) -> Markup:
    """Escape a sentence, and show what stands between backticks as code."""
    from markupsafe import Markup

    parts = sentence.split("`")
    if len(parts) % 2 == 0:  # a name holds a backtick
        return Markup.escape(sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _resource(name: str) -> str:
    return (resources.files("genctl.reports") / "templates" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
