"""Model cards: what they say, and that nothing in a run can change their format."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from genctl.common import files
from genctl.common.errors import CannotCreate, MissingInput, WriteFailed
from genctl.reports.card_file import write_card
from genctl.reports.history import read_history
from genctl.reports.markdown import code, command, escape, link
from genctl.runs.run import Run
from tests.support.written_runs import evaluation, write_run


def card_of(path: Path, out: Path | None = None) -> str:
    return write_card(read_history(Run(path)), out, pytest.fail).read_text()


def front_matter(card: str) -> dict[str, Any]:
    _, text, _ = card.split("---\n", 2)
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def test_the_card_says_what_the_files_of_the_run_say(tmp_path: Path) -> None:
    card = card_of(write_run(tmp_path, "one", fids=(2.0, 1.0), seconds=61.25))
    for line in (
        "# one",
        "![Samples of one](samples/000003200.png)",  # nearest to the 2,000 images of the model
        "genctl train --config config.yaml --name one-again",
        "| images seen in training | 2,000 |",
        "| time | 61.2 s |",
        "| parameters | generator 1,000, critic 500 |",
        "| FID | 1.00 | 0.250 |",
        "- FID is biased: with 300 samples it is higher than with many.",
        "- Whether samples copy training images has not been measured.",
    ):
        assert f"\n{line}\n" in card
    assert "Measured while it trained: 300 samples against train images" in card
    assert "The data set digits is published under CC-BY-4.0." in card
    metadata = front_matter(card)
    assert metadata["license"] == "unknown"
    assert metadata["pipeline_tag"] == "image-to-image"
    (result,) = metadata["model-index"][0]["results"]
    assert {metric["type"]: metric["value"] for metric in result["metrics"]} == {
        "fid": 1.0, "coverage": 0.5, "agreement": 0.9
    }  # fmt: skip


def test_an_evaluation_replaces_the_scores_of_training(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one", fids=(1.0,), evaluation=evaluation(0.0625))
    card = card_of(path)
    assert "Measured by genctl evaluate: 10,000 samples" in card
    assert "| FID | 0.0625 | 0.0100 | 0.0300 |" in card
    assert "0.1 % of samples are close copies of training images; of real test images it is" in card
    assert "- classes missing: 7\n" in card
    assert "FID is biased" not in card


@pytest.mark.parametrize(
    ("kind", "says"),
    [("mnist", "The licence of the data (mnist) is unknown to genctl."),
     ("fashion_mnist", "The data set fashion\\_mnist is published under MIT.")],
)  # fmt: skip
def test_the_licence_of_the_data_is_stated_only_if_it_is_known(
    kind: str, says: str, tmp_path: Path
) -> None:
    assert says in card_of(write_run(tmp_path, "one", f"data.kind={kind}"))


def test_an_unconditional_model_has_no_encoder(tmp_path: Path) -> None:
    card = card_of(write_run(tmp_path, "one", "condition.kind=none"))
    assert "There is no encoder." in card
    assert "--condition" not in card
    assert front_matter(card)["pipeline_tag"] == "unconditional-image-generation"


def test_a_run_by_time_is_trained_again_by_time(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one")
    run = Run(path)
    run.write_result(run.read_result() | {"max_time": 240.0})
    assert "--name one-again --max-time 240\n" in card_of(path)


def test_a_measured_number_of_threads_is_not_measured_again(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one", threads=2, thread_rates={"1": 700.0, "2": 1000.0})
    assert "--name one-again --set training.threads=2\n" in card_of(path)


def test_a_run_without_a_model_has_no_card(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one")
    (path / "model.safetensors").unlink()
    with pytest.raises(MissingInput, match="has no model yet"):
        card_of(path)


# -- escaping -------------------------------------------------------------------------------------

NAME = "a|b*c_d`e<img src=x>[f](g)$h$ &amp; #"


def test_a_name_stays_a_name(tmp_path: Path) -> None:
    path = write_run(tmp_path, NAME, device_name="<script>|\n# Title", git="`|`")
    card = card_of(path)
    escaped = r"a\|b\*c\_d\`e\<img src=x\>\[f\](g)\$h\$ \&amp; \#"
    assert f"\n# {escaped}\n" in card
    assert "| device | cpu, \\<script\\>\\| \\# Title |" in card
    assert f"--name '{NAME}-again'\n" in card
    assert "\n# Title" not in card
    assert front_matter(card)["library_name"] == "genctl"


@pytest.mark.parametrize("name", ["a\x1b[31m\x07", "two\nlines", "\u202eback", "\udcff", "x" * 200])
def test_a_strange_name_is_no_obstacle(name: str, tmp_path: Path) -> None:
    path = write_run(tmp_path, name, fids=(1.0,))
    card = card_of(path)
    assert len([line for line in card.splitlines() if line.startswith("# ")]) == 1
    assert front_matter(card)["model-index"][0]["name"] == name
    assert card_of(path) == card


def test_code_and_links_and_commands_are_quoted() -> None:
    assert escape("a\nb") == "a b"
    assert code("a`b|c") == "``a`b\\|c``"
    assert code("`") == "`` ` ``"
    assert link("my samples/(1).png") == "my%20samples/%281%29.png"
    assert command(["genctl", "a b", "it's"]) == "genctl 'a b' 'it'\"'\"'s'"
    assert command(["a\n```b"]) == "$'a\\n```b'"


# -- files ----------------------------------------------------------------------------------------


def test_a_card_elsewhere_has_its_picture_beside_it(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one")
    card = card_of(path, tmp_path / "cards" / "my card.md")
    assert "](my%20card-samples.png)" in card
    copy = tmp_path / "cards" / "my card-samples.png"
    assert copy.read_bytes() in [grid.read_bytes() for grid in (path / "samples").iterdir()]
    assert not (path / "README.md").exists()


def test_a_card_of_its_own_is_replaced_but_never_one_of_somebody(tmp_path: Path) -> None:
    path = write_run(tmp_path, "one")
    card = card_of(path)
    assert card_of(path) == card
    edited = card.replace("## Limits", "## My limits")
    for text in (edited, card + "\nmore", "mine", ""):
        (path / "README.md").write_text(text)
        with pytest.raises(CannotCreate, match="it was changed by hand"):
            card_of(path)
        assert (path / "README.md").read_text() == text


def test_a_card_that_cannot_be_written_leaves_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path, "one")
    out = tmp_path / "cards" / "card.md"

    real = files.atomic_write
    monkeypatch.setattr(
        files, "atomic_write", lambda target, content: write_or_fail(real, out, target, content)
    )
    with pytest.raises(WriteFailed):
        card_of(path, out)
    assert list(out.parent.iterdir()) == []


def write_or_fail(real: Any, failing: Path, target: Path, content: bytes) -> None:
    if target == failing:
        raise WriteFailed("the disk is full")
    real(target, content)
