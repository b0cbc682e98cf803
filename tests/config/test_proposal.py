"""The config that is written for a folder of pictures."""

from dataclasses import replace
from pathlib import Path

import pytest

from genctl.common.errors import UsageError
from genctl.conditions.image import Image
from genctl.config import config as configs
from genctl.config.proposal import propose, run_stem, seen
from genctl.data.folder_survey import Survey

PHOTOS = Survey(
    root=Path("/photos"),
    image_size=64,
    resize="crop",
    count=1200,
    test_count=0,
    class_counts={},
    has_captions=False,
    notes=(),
    smallest=(72, 68),
    largest=(512, 384),
    shorter_side=68,
    square=False,
    coloured=1.0,
    transparent=0,
    ground="black",
    plain=0.1,
    duplicates=0,
    asymmetry=0.01,
    broken={},
)
LETTERS = replace(
    PHOTOS,
    root=Path("/letters"),
    image_size=32,
    class_counts={"A": 60, "B": 700},
    count=760,
    square=True,
    coloured=0.0,
    asymmetry=0.6,
)


def parsed(survey: Survey) -> configs.Config:
    return configs.parse(propose(survey, "my.yaml"), "my.yaml")


def test_photographs_without_classes_are_generated_like_the_picture_shown() -> None:
    config = parsed(PHOTOS)
    assert isinstance(config.condition, Image)
    assert config.condition.pairing == "instance"
    data = config.data.model_dump()
    assert (data["root"], data["channels"], data["mirror"]) == ("/photos", 3, True)
    assert data["resize"] == "crop"


def test_letters_have_a_class_for_each_folder_and_are_not_mirrored() -> None:
    config = parsed(LETTERS)
    data = config.data.model_dump()
    assert config.condition.kind == "image"
    assert (data["channels"], data["mirror"], data["even_classes"]) == (1, False, True)


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("survey", [PHOTOS, LETTERS])
def test_networks_follow_the_size(size: int, survey: Survey) -> None:
    networks = parsed(replace(survey, image_size=size)).networks
    assert networks.problems(size) == {}


@pytest.mark.parametrize(
    ("count", "batch_size"), [(2, 2), (10, 8), (63, 32), (64, 64), (10**6, 64)]
)
def test_any_number_of_pictures_fits(count: int, batch_size: int) -> None:
    training = parsed(replace(PHOTOS, count=count)).training
    assert training.batch_size == batch_size
    assert 100_000 <= training.images <= 1_000_000


@pytest.mark.parametrize(
    ("changes", "mirror"),
    [
        ({}, True),
        ({"asymmetry": 0.3}, False),
        ({"has_captions": True}, False),
        ({"class_counts": {"A": 600, "V": 600}}, False),
        ({"class_counts": {"cats": 600, "dogs": 600}}, True),
    ],
)
def test_pictures_are_mirrored_where_that_is_right(
    changes: dict[str, object], mirror: bool
) -> None:
    data = parsed(replace(PHOTOS, **changes)).data.model_dump()  # type: ignore[arg-type]
    assert data["mirror"] is mirror


def test_the_ground_is_written_where_it_shows() -> None:
    assert "ground" not in propose(PHOTOS, "my.yaml")
    assert parsed(replace(PHOTOS, transparent=9, ground="white")).data.model_dump()["ground"] == (
        "white"
    )


def test_it_begins_with_what_was_seen() -> None:
    survey = replace(
        LETTERS,
        notes=("4 loose pictures beside the class folders",),
        duplicates=3,
        broken={"A/\n1.png": "not a picture"},
    )
    lines = seen(survey)
    assert lines == [
        "760 pictures in 2 classes of 60 to 700 each: A 60, B 700",
        "left out: 4 loose pictures beside the class folders",
        "sizes: 72x68 to 512x384; the median of the shorter side is 68",
        "colours: all grey",
        "transparent: none",
        "broken: 1, left out: A/\\n1.png (not a picture)",
        "duplicates: 3 (identical to another at 32x32)",
    ]
    head = propose(survey, "my.yaml").splitlines()[1:9]
    assert head == ["#   genctl train --config my.yaml --max-time 240", *(f"# {x}" for x in lines)]


@pytest.mark.parametrize("name", ["a b", "it's", "ä", "a: b # c", '"', "true"])
def test_a_folder_may_have_any_name_that_is_text(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    survey = replace(PHOTOS, root=tmp_path / name)
    assert parsed(survey).data.model_dump()["root"] == str(tmp_path / name)


@pytest.mark.parametrize("name", ["a\nb", "\udcff"])
def test_a_folder_that_yaml_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="rename it"):
        propose(replace(PHOTOS, root=Path("/") / name), "my.yaml")


@pytest.mark.parametrize(
    ("root", "stem"),
    [("/a/letters", "letters"), ("/a/my pictures!", "my-pictures"), ("/", "pictures")],
)
def test_runs_are_called_after_the_folder(root: str, stem: str) -> None:
    assert run_stem(Path(root)) == stem


def test_the_critic_is_held_back_less_only_where_that_was_measured() -> None:
    many = replace(LETTERS, class_counts={"A": 10_000, "B": 10_000}, count=20_000)
    gammas = {
        one: parsed(survey).objective.model_dump()["gamma"]
        for one, survey in {
            "many": many,
            "few": LETTERS,
            "large": replace(many, image_size=64),
            "no classes": replace(many, class_counts={}),
        }.items()
    }
    assert gammas == {"many": 0.5, "few": 1.0, "large": 1.0, "no classes": 1.0}
    assert parsed(many).optimizer.learning_rate == 2e-3
    assert parsed(replace(many, image_size=64)).optimizer.learning_rate == 1e-3
