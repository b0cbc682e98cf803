"""Two examples for each command, which its --help ends with; a test parses every one of them."""

EXAMPLES = {
    "genctl": (
        "genctl train --config digits_cgan --max-time 120",
        "genctl sample --condition label:7 --n 16 --out sevens.png",
    ),
    "genctl train": (
        "genctl train --config mnist_cgan --max-time 240 --name c240",
        "genctl train --data pictures/ --max-time 240",
    ),
    "genctl sample": (
        "genctl sample --n 64 --condition img.png --condition label:7",
        "genctl sample --run t240 --prompt 'a thick seven leaning left' --n 16",
    ),
    "genctl encode": (
        "genctl encode mnist:test --plot map.png",
        "genctl encode pictures/ img.png --out codes.csv",
    ),
    "genctl evaluate": (
        "genctl evaluate --run c240",
        "genctl evaluate --against test --n 2000 --seeds 1 --json",
    ),
    "genctl reproduce": (
        "genctl reproduce samples-98412f75.png",
        "genctl reproduce grid.png --run c240 --out again.png",
    ),
    "genctl runs": (
        "genctl runs --sort fid",
        "genctl runs --runs sweeps/gamma --csv",
    ),
    "genctl sweep": (
        "genctl sweep --config digits_gan --set objective.gamma=0.1,1 --max-time 60",
        "genctl sweep --config tiny --search optimizer.learning_rate=1e-4..1e-2",
    ),
    "genctl export": (
        "genctl export --run c240 --out onnx",
        "genctl export --run c240 --page digits.html",
    ),
    "genctl bench": (
        "genctl bench --config mnist_cgan --seconds 10",
        "genctl bench --device cuda --json",
    ),
    "genctl doctor": (
        "genctl doctor",
        "genctl doctor --device cuda:1 --json",
    ),
    "genctl report": (
        "genctl report --out report.html",
        "genctl report c60 c240 --score coverage",
    ),
    "genctl film": (
        "genctl film c240",
        "genctl film c240 --out c240.webp",
    ),
    "genctl card": (
        "genctl card c240",
        "genctl card runs/c240 --out card.md",
    ),
    "genctl finish": (
        "genctl finish c240",
        "genctl finish c240 --within 30 --wait",
    ),
    "genctl configs": (
        "genctl configs list",
        "genctl configs copy mnist_cgan my.yaml",
    ),
    "genctl configs list": (
        "genctl configs list",
        "genctl configs list --json",
    ),
    "genctl configs show": (
        "genctl configs show mnist_cgan",
        "genctl configs show tiny --json",
    ),
    "genctl configs copy": (
        "genctl configs copy mnist_cgan my.yaml",
        "genctl configs copy digits_gan configs/mine.yaml",
    ),
    "genctl configs new": (
        "genctl configs new pictures/ -o my.yaml",
        "genctl configs new ~/photos -o photos.yaml --size 128",
    ),
    "genctl configs check": (
        "genctl configs check my.yaml",
        "genctl configs check mnist_cgan --json",
    ),
    "genctl configs schema": (
        "genctl configs schema > genctl.schema.json",
        "genctl configs schema --json",
    ),
}
"""Command lines of at most 76 characters, which a terminal of 80 columns shows unbroken."""
