"""The page: one HTML file with a model in it, and what draws, computes and shows its images."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources

from genctl import __version__
from genctl.export.page_model import PageModel
from genctl.runs.model_file import TrainedModel

ENGINE = ("kernels.js", "engine.js")
"""Scripts that also run in workers."""
SCRIPTS = (
    "random.js", "resample.js", "framing.js", "strokes.js", "link.js", "pool.js", "view.js",
    "pictures.js", "pad.js", "main.js", "controls.js",
)  # fmt: skip
HEADLINES = {
    "none": ("Twelve images from noise", "Move along the directions of z, and watch all twelve."),
    "label": ("Choose a class, get twelve of its kind", "Each image has a z of its own."),
    "image": (
        "Draw something, get twelve of its kind",
        "An encoder turns your drawing into a code; the generator makes images from the code, "
        "each with a z of its own.",
    ),
}


def render(page: PageModel, trained: TrainedModel) -> bytes:
    """The page as HTML in UTF-8.

    All text is escaped, and the content security policy of the page allows no script or style
    but the page's own and no request at all.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("genctl.export", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kind = page.description["condition"]
    headline, lead = HEADLINES[kind if kind in HEADLINES else "label"]
    style, engine = _resource("page.css"), "".join(map(_resource, ENGINE))
    script = '"use strict";\n' + "".join(map(_resource, SCRIPTS))
    # Text between the tags of a script ends at its first "</": JSON can be written without "<".
    model_json = json.dumps(page.description, separators=(",", ":")).replace("<", "\\u003c")
    html = environment.get_template("page.html").render(
        title=trained.path.resolve().parent.name,
        headline=headline,
        lead=lead,
        draws=kind == "image",
        model=page.description,
        model_json=Markup(model_json),
        weights=base64.b64encode(page.weights).decode(),
        style=style,
        engine=engine,
        script=script,
        style_hash=_csp_hash(style),
        script_hashes=f"'{_csp_hash(engine)}' '{_csp_hash(script)}'",
        version=__version__,
    )
    return html.encode(errors="replace")  # the name of a folder need not be valid text


def _resource(name: str) -> str:
    return (resources.files("genctl.export") / "page" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
