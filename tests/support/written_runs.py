"""Run directories that were never trained: their files say whatever a test needs."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from genctl.config import config as configs

ENVIRONMENT = {
    "genctl": "0.1.0", "python": "3.11.7", "torch": "2.15.0", "device": "cpu",
    "device_name": "a CPU", "threads": 2, "processes": 1, "precision": "fp32", "data": "d" * 64,
    "parameters": {"generator": 1000, "critic": 500, "encoder": 0},
    "judge": {"accuracy": 0.99, "digest": "a" * 64, "version": 1},
    "scoring": {"n": 300, "against": "train", "features": "judge",
                "real": {"fid": 0.25, "coverage": 0.95, "agreement": 0.99}},
}  # fmt: skip


def write_run(
    runs: Path,
    name: str,
    *overrides: str,
    fids: tuple[float, ...] = (),
    seconds: float = 100.0,
    status: str | None = "complete",
    evaluation: dict[str, Any] | None = None,
    grids: tuple[int, ...] = (0, 3200, 6400),
    **environment: Any,
) -> Path:
    """Write a run directory.

    Args:
        runs: the folder of the run.
        name: its name.
        overrides: of the preset ``tiny``.
        fids: one for each scoring of the run, 1,000 images apart.
        seconds: that the run took.
        status: in result.json; None writes none, as of a killed run.
        evaluation: the content of evaluation.json.
        grids: images seen at each sample grid; the pictures get brighter.
        environment: other values than ``ENVIRONMENT``.
    """
    path = runs / name
    (path / "samples").mkdir(parents=True)
    (path / "config.yaml").write_text(configs.dump(configs.load("tiny", list(overrides))))
    (path / "environment.json").write_text(json.dumps({**ENVIRONMENT, **environment}))
    (path / "model.safetensors").write_bytes(b"not read by reports")
    count = max(len(fids), 1)
    lines: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        moment = {"images": 1000 * number, "seconds": seconds * number / count}
        lines.append({**moment, "terms": {"critic/real": 1 / number, "generator/fake": number}})
        if fids:
            fid = fids[number - 1]
            scores = {"fid": fid, "coverage": 1 / (1 + fid), "agreement": 0.9}
            lines.append({**moment, "scores": scores})
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if status is not None:
        result = {"status": status, "images": 1000 * count, "seconds": seconds}
        result["images_per_second"] = 1000 * count / seconds
        (path / "result.json").write_text(json.dumps(result))
    if evaluation is not None:
        (path / "evaluation.json").write_text(json.dumps(evaluation))
    for number, images in enumerate(grids):
        level = 40 + 200 * number // max(len(grids) - 1, 1)
        Image.new("L", (32, 24), level).save(path / "samples" / f"{images:09d}.png")
    return path


def evaluation(fid: float, std: float = 0.01, n: int = 10_000, judge: str = "a") -> dict[str, Any]:
    """The content of an evaluation.json."""
    return {
        "judge": {"accuracy": 0.99, "digest": judge * 64, "version": 1},
        "n": n, "against": "train", "features": "judge", "seeds": 3,
        "scores": {"fid": fid, "agreement": 0.98, "copies": 0.001},
        "std": {"fid": std, "agreement": 0.001}, "warnings": ["classes missing: 7"],
        "real": {"fid": 0.03, "agreement": 0.995, "copies": 0.0},
    }  # fmt: skip
