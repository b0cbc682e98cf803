"""The Python API: the pixels, codes, results and errors of the commands."""

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import genctl as api
from genctl.common.signals import STOP_SIGNALS
from tests.conftest import REPOSITORY, RunGenctl, run_genctl
from tests.support.models import save_model
from tests.support.processes import SETTINGS, outcome

SPECS: list[list[str]] = [
    [],
    ["label:3"],
    ["noise"],
    ["digits:test[3:5]"],
    ["pictures"],
    ["pictures/*.png"],
    ["codes.npz[1]"],
    ["mix:label:1,pictures/ink.png"],
    ["label:1", "pictures/grey.png", "noise"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Path:
    """A folder with a model, pictures of several kinds and codes of them. Do not write."""
    path = tmp_path_factory.mktemp("api")
    shutil.copy(untrained_model, path / "model.safetensors")
    (path / "pictures").mkdir()
    random = np.random.default_rng(0)
    digit = np.zeros((16, 16), np.uint8)
    digit[3:13, 6:10] = random.integers(128, 256, (10, 4))
    page = np.full((90, 70, 3), 250, np.uint8)
    page[20:70, 30:36] = (20, 30, 120)
    alpha = np.zeros((40, 40, 4), np.uint8)
    alpha[8:30, 18:24] = (200, 200, 200, 255)
    for name, pixels in {"grey": digit, "ink": page, "alpha": alpha}.items():
        Image.fromarray(pixels).save(path / "pictures" / f"{name}.png")
    Image.fromarray(page).convert("P").save(path / "pictures" / "palette.png")
    Image.fromarray(digit).convert("1").save(path / "pictures" / "two_levels.png")
    done = run_genctl("encode", "pictures", "--run", "model.safetensors", cwd=path)
    assert done.code == 0, done.err
    return path


@pytest.fixture
def work(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder, which is the working directory of ``genctl``."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def model(folder: Path) -> api.LoadedModel:
    return api.load(folder / "model.safetensors")


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory: pytest.TempPathFactory) -> api.LoadedModel:
    path = tmp_path_factory.mktemp("unconditional") / "model.safetensors"
    return api.load(save_model(path, "condition.kind=none"))


def arguments(specs: list[str], *more: object) -> list[object]:
    conditions = [word for spec in specs for word in ("--condition", spec)]
    return ["sample", "--run", "model.safetensors", *conditions, *more]


# -- importing ------------------------------------------------------------------------------------


def test_importing_genctl_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import genctl; dir(genctl)"
    code += "; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.stdout == "['genctl']\n"


def test_every_name_can_be_imported_and_no_other() -> None:
    assert set(api.__all__) <= set(dir(api))
    for name in api.__all__:
        assert getattr(api, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'lood'"):
        api.lood  # type: ignore[attr-defined]  # noqa: B018
    errors = {name for name in api.__all__ if name[0].isupper()} - {
        "LoadedModel", "TrainResult", "EvaluationResult",
    }  # fmt: skip
    assert all(issubclass(getattr(api, name), api.GenctlError) for name in errors)


# -- the same as the commands ---------------------------------------------------------------------


@pytest.mark.parametrize("specs", SPECS, ids=" ".join)
def test_samples_and_grids_are_those_of_the_command(
    specs: list[str], genctl: RunGenctl, work: Path
) -> None:
    loaded = api.load("model.safetensors")
    condition: Any = None if not specs else specs[0] if len(specs) == 1 else specs
    for more, options in (
        ([], {}),
        (["--seed", 3, "--truncation", 0.5], {"seed": 3, "truncation": 0.5}),
        (["--interpolate"], {"interpolate": True}),
    ):
        done = genctl(*arguments(specs, "--n", 5, "--out", "samples.npz", *more))
        assert done.code == 0, done.err
        with np.load("samples.npz") as file:
            expected = file["images"]
        images = loaded.sample(5, condition, **options)  # type: ignore[arg-type]
        assert (str(images.dtype), images.shape) == ("uint8", expected.shape)
        assert images.tobytes() == expected.tobytes()
    done = genctl(*arguments(specs, "--n", 5, "--out", "grid.png"))
    assert done.code == 0, done.err
    grid = loaded.grid(5, condition)
    with Image.open("grid.png") as picture:
        assert (grid.mode, grid.size) == (picture.mode, picture.size)
        assert grid.tobytes() == picture.tobytes()


@pytest.mark.parametrize("name", ["grey", "ink", "alpha", "palette", "two_levels"])
def test_an_image_in_memory_is_the_same_as_its_file(
    name: str, folder: Path, model: api.LoadedModel
) -> None:
    path = folder / "pictures" / f"{name}.png"
    expected = model.sample(3, path)
    assert model.sample(3, str(path)).tobytes() == expected.tobytes()
    with Image.open(path) as picture:
        assert model.sample(3, picture).tobytes() == expected.tobytes()
        assert model.encode(picture).tobytes() == model.encode(path).tobytes()
        if picture.mode in ("L", "RGB", "RGBA"):
            pixels = np.array(picture)
            assert model.sample(3, pixels).tobytes() == expected.tobytes()
            if pixels.ndim == 2:
                assert model.sample(3, pixels[None]).tobytes() == expected.tobytes()
                assert model.sample(3, pixels[None, ..., None]).tobytes() == expected.tobytes()
            else:
                several = np.stack([pixels, pixels])
                assert model.sample(3, several)[3:].tobytes() == expected.tobytes()
    assert model.grid(3, np.array(Image.open(path).convert("RGB"))).size == model.grid(3, path).size


def test_codes_are_those_of_the_command(folder: Path, model: api.LoadedModel) -> None:
    with np.load(folder / "codes.npz") as file:
        expected, paths = file["codes"], [folder / path for path in file["paths"]]
    codes = model.encode(folder / "pictures")
    assert (str(codes.dtype), codes.shape) == ("float32", (5, model.code_dim))
    assert codes.tobytes() == expected.tobytes()
    assert model.encode(paths).tobytes() == expected.tobytes()
    opened = [Image.open(path) for path in paths]
    assert model.encode(opened).tobytes() == expected.tobytes()
    mixed = [paths[0], opened[1], str(paths[2]), opened[3], opened[4]]
    assert model.encode(mixed).tobytes() == expected.tobytes()  # type: ignore[arg-type]
    digits = model.encode("digits:test[0:4]")
    assert digits.shape == (4, model.code_dim)


def test_codes_are_conditions(folder: Path, model: api.LoadedModel) -> None:
    codes = model.encode(folder / "pictures")
    expected = model.sample(2, str(folder / "codes.npz"))
    assert model.sample(2, codes).tobytes() == expected.tobytes()
    assert model.sample(2, codes.astype(np.float64)).tobytes() == expected.tobytes()
    assert model.sample(2, codes[3]).tobytes() == expected[6:8].tobytes()


def test_a_walk_between_conditions_is_the_mix_of_the_command(genctl: RunGenctl, work: Path) -> None:
    loaded = api.load("model.safetensors")
    more = ("--n", 7, "--seed", 2, "--truncation", 0.8, "--out", "mix.npz")
    assert genctl(*arguments(["mix:label:2,pictures/ink.png"], *more)).code == 0
    with np.load("mix.npz") as file:
        expected = file["images"].tobytes()
    ink = Image.open("pictures/ink.png")
    ends: list[Any] = ["pictures/ink.png", Path("pictures/ink.png"), ink, np.array(ink)]
    for end in ends:
        walk = loaded.interpolate("label:2", end, 7, seed=2, truncation=0.8)
        assert walk.tobytes() == expected
    assert loaded.interpolate("label:1", "label:2").shape == (10, 16, 16, 1)


def test_a_walk_of_an_unconditional_model_goes_from_seed_to_seed(
    unconditional: api.LoadedModel,
) -> None:
    walk = unconditional.interpolate(3, 8, 5)
    assert walk.shape == (5, *unconditional.image_shape)
    assert walk[0].tobytes() == unconditional.sample(1, seed=3).tobytes()
    assert walk[-1].tobytes() == unconditional.sample(1, seed=8).tobytes()
    assert len({image.tobytes() for image in walk}) == 5
    still = unconditional.interpolate(3, 3, 4)
    assert {image.tobytes() for image in still} == {walk[0].tobytes()}


def test_a_walk_between_two_z_is_an_arc(unconditional: api.LoadedModel) -> None:
    import torch

    from genctl.inference.interpolation import between_z

    a, b = np.zeros((2, unconditional.z_dim), np.float32)
    a[0], b[1] = 2.0, 2.0
    z = between_z(a, b, 3, unconditional.trained).z(0, 0, 3)
    half = 2.0**0.5
    assert z[:, :2].tolist() == [
        pytest.approx([2, 0], abs=1e-6),
        pytest.approx([half, half]),
        pytest.approx([0, 2], abs=1e-6),
    ]
    assert torch.equal(between_z(a, 2 * a, 3, unconditional.trained).z(0, 0, 3)[1, :1],
                       torch.tensor([3.0]))  # fmt: skip
    assert unconditional.interpolate(a, b, 3).shape == (3, *unconditional.image_shape)


def test_a_model_says_what_it_is(model: api.LoadedModel, folder: Path) -> None:
    assert model.path == folder / "model.safetensors"
    assert (model.image_shape, model.code_dim, model.z_dim) == ((16, 16, 1), 16, 16)
    assert model.classes == tuple("0123456789")
    assert model.config.data.kind == "digits"
    assert len(model.digest) == 64
    assert repr(model) == f"<LoadedModel {model.path}: 16x16x1 images, code_dim 16>"


def test_threads_may_share_a_model(model: api.LoadedModel) -> None:
    expected = [model.sample(70, f"label:{label}").tobytes() for label in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda label: model.sample(70, f"label:{label}").tobytes(), range(4))
    assert list(found) == expected


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    ["nothing.png", "label:11", "mix:label:1", "codes.npz[99]", "mnists:test", "model.safetensors"],
)
def test_errors_are_those_of_the_command(spec: str, genctl: RunGenctl, work: Path) -> None:
    done = genctl(*arguments([spec], "--out", "x.png"))
    with pytest.raises(api.GenctlError) as error:
        api.load("model.safetensors").sample(64, spec)
    assert done.err.endswith(f"genctl: error: {error.value}\n")
    assert done.code == error.value.exit_code
    assert type(error.value).__name__ in api.__all__


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda model: model.sample(0), "n 0: "),
        (lambda model: model.sample("many"), "give numbers"),
        (lambda model: model.sample(seed=-1), "seed -1: "),
        (lambda model: model.sample(truncation=float("nan")), "truncation nan: "),
        (lambda model: model.sample(1, []), "is empty"),
        (lambda model: model.sample(1, 7), "found int; give a spec"),
        (lambda model: model.sample(1, np.zeros((16, 16))), "not codes, whose mean square is 1"),
        (lambda model: model.sample(1, np.zeros((3, 5))), "have the shape (N, 16)"),
        (lambda model: model.encode(np.zeros((2, 16, 16))), "must be uint8, from 0 to 255"),
        (lambda model: model.encode(np.zeros((0, 16, 16), np.uint8)), "at least one image"),
        (lambda model: model.encode(np.zeros(16, np.uint8)), "must be (H, W)"),
        (lambda model: model.encode(np.zeros((2, 16, 16, 2), np.uint8)), "1, 3 or 4 channels"),
        (lambda model: model.interpolate(1, 2), "1 is a seed, but the model is conditional"),
        (lambda model: model.interpolate("digits:test", "label:1"), "is 300 conditions; give one"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    use: Callable[[Any], object], reason: str, model: api.LoadedModel
) -> None:
    with pytest.raises(api.UsageError) as error:
        use(model)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unconditional_model_takes_no_condition(unconditional: api.LoadedModel) -> None:
    given: list[Any] = ["label:1", np.zeros((16, 16), np.uint8), Image.new("L", (16, 16))]
    for condition in given:
        with pytest.raises(api.UsageError, match="is an unconditional model"):
            unconditional.sample(1, condition)
        with pytest.raises(api.UsageError, match="has no image encoder"):
            unconditional.encode(condition)
        with pytest.raises(api.UsageError, match="give two seeds, or two z"):
            unconditional.interpolate(condition, 1)


def test_a_damaged_image_in_memory_is_refused(folder: Path, model: api.LoadedModel) -> None:
    path = folder / "pictures" / "ink.png"
    damaged = Image.open(io.BytesIO(path.read_bytes()[:-60]))
    with pytest.raises(api.BadContent, match="cannot use the given image: damaged"):
        model.sample(1, damaged)


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(api.MissingInput, match="cannot find the run none"):
        api.load("none", runs=tmp_path)
    with pytest.raises(api.MissingInput, match="cannot find a trained model"):
        api.load(runs=tmp_path)
    with pytest.raises(api.Unavailable, match="--device cuda:99"):
        api.load(save_model(tmp_path / "model.safetensors"), device="cuda:99")


# -- training -------------------------------------------------------------------------------------


def settings() -> dict[str, Any]:
    """Those of the short run, with values as a program has them."""
    texts = dict(setting.split("=", 1) for setting in SETTINGS)
    return {key: json.loads(text) for key, text in texts.items()}


def train(folder: Path, **more: Any) -> api.TrainResult:
    return api.train("tiny", set=settings(), name="run", runs=folder / "runs", **more)


def test_training_is_that_of_the_command(
    tmp_path: Path, uninterrupted_run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    seen: list[int] = []
    capfd.readouterr()
    result = train(tmp_path, on_progress=lambda progress: seen.append(progress.images))
    assert capfd.readouterr().out == ""
    assert {number: signal.getsignal(number) for number in STOP_SIGNALS} == before
    assert seen == list(range(48, 481, 48))
    ours, command = outcome(tmp_path / "runs/run"), outcome(uninterrupted_run)
    for each in (ours, command):  # the paths begin with other folders
        for key in ("run", "model", "samples"):
            del each["result"][key]
    assert [part for part in ours if ours[part] != command[part]] == []
    assert result.path == tmp_path / "runs" / "run"
    assert json.loads((result.path / "result.json").read_text()) == result.json
    assert (result.status, result.stopped_by, result.images) == ("complete", "images", 480)
    assert result.seconds == result.json["seconds"] > 0
    assert result.metrics == result.json["metrics"]
    assert result.scores == {}
    assert result.model == result.path / "model.safetensors"
    assert result.samples == result.path / "samples" / "000000480.png"
    assert train(tmp_path) == result  # already complete
    assert api.load(result.path).sample(2).shape == (2, 8, 8, 1)


def test_numbers_of_numpy_and_paths_are_settings(tmp_path: Path) -> None:
    with pytest.raises(api.ConfigError) as error:
        api.train(
            "tiny", set={"data.root": Path("a"), "training.seed": np.int64(-3)}, runs=tmp_path
        )
    assert "training.seed: must be" in str(error.value)
    with pytest.raises(api.UsageError, match=r"set training\.seed: type is not a setting"):
        api.train("tiny", set={"training.seed": int}, runs=tmp_path)
    with pytest.raises(api.UsageError, match="max_time 0"):
        api.train("tiny", max_time=0, runs=tmp_path)
    with pytest.raises(api.MissingInput, match="did you mean tiny"):
        api.train("tinny", runs=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_in_another_thread_no_signal_is_handled(tmp_path: Path) -> None:
    found: list[Any] = []

    def work() -> None:
        handlers = [signal.getsignal(number) for number in STOP_SIGNALS]
        during: list[Any] = []
        result = train(
            tmp_path,
            on_progress=lambda _: during.append([signal.getsignal(n) for n in STOP_SIGNALS]),
        )
        found.extend([result.status, all(each == handlers for each in during)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["complete", True]


def test_a_signal_interrupts_training_with_a_checkpoint(tmp_path: Path) -> None:
    def stop(progress: Any) -> None:
        if progress.images == 240:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(api.Interrupted, match=r"checkpoint at 240 images") as error:
        train(tmp_path, on_progress=stop)
    assert error.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert train(tmp_path).images == 480


def test_a_second_signal_does_not_end_the_program(tmp_path: Path) -> None:
    def stop(progress: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, on_progress=stop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_the_program_stay(tmp_path: Path) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        result = train(tmp_path, on_progress=lambda _: signal.raise_signal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result.status == "complete"
    assert len(received) == 10


# -- evaluation -----------------------------------------------------------------------------------


def test_evaluation_is_that_of_the_command(
    genctl: RunGenctl, work_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = genctl("evaluate", "--run", "run", "--runs", ".", "--n", "50", "--seeds", "2", "--json")
    assert done.code == 0, done.err
    evaluation = work_folder / "run" / "evaluation.json"
    evaluation.unlink()
    result = api.evaluate("run", runs=".", n=50, seeds=2)
    assert capfd.readouterr().out == ""
    assert result.json == done.json == json.loads(evaluation.read_text())
    assert (result.scores, result.real) == (done.json["scores"], done.json["real"])
    assert (result.n, result.seeds, list(result.warnings)) == (50, 2, done.json["warnings"])
    assert api.evaluate(api.load("run", runs="."), n=50, seeds=2) == result


def test_a_wrong_option_of_evaluate_is_refused(model: api.LoadedModel) -> None:
    wrong: list[dict[str, Any]] = [
        {"against": "everything"}, {"features": "eyes"}, {"seeds": 0}, {"n": 2},
    ]  # fmt: skip
    for options in wrong:
        with pytest.raises(api.UsageError):
            api.evaluate(model, **options)


def test_messages_go_to_the_logger(
    folder: Path, model: api.LoadedModel, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with caplog.at_level(logging.INFO, "genctl"):
        model.sample(2)
        model.sample(1, folder / "pictures" / "ink.png")
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("genctl", "INFO"), ("genctl", "WARNING"),
    ]  # fmt: skip
    assert "ink.png: light background" in caplog.records[1].getMessage()
    assert capfd.readouterr().out == ""
