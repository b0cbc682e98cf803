"""Random changes to a file: accidental ones, and those of somebody who knows the format."""

import json
import random
from typing import Any

import torch
from torch import Tensor

from tests.support.forge import header, header_end, signed, with_header


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 7, 10**9, 10**30, 0.5, -1e308, float("nan"), float("inf"), "", "x",
    "image", "label", "none", "vae", "folder", "mnist", "resnet", "../../x", "/etc", "~root/x",
    "~nobody-here/x", "\0", "\x1b[31mred\n", "\udc80", "x" * 100_000, [], {}, [[]], [None],
    ["x"] * 5000, [8] * 300, {"kind": "image"}, deep(30), deep(800),
)  # fmt: skip

TYPES = (torch.float64, torch.float16, torch.uint8, torch.float8_e4m3fn, torch.complex64)


# -- changes that leave the digest as it was -------------------------------------------------------


def flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    reach = chance.choice([len(content), header_end(content), 24])  # anywhere, or in the header
    for _ in range(chance.choice([1, 1, 2, 16])):
        changed[chance.randrange(reach)] = chance.randrange(256)
    return bytes(changed)


def spliced(content: bytes, chance: random.Random) -> bytes:
    """With a piece removed, doubled, or replaced by another."""
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    other = chance.randrange(len(content))
    piece = chance.choice([b"", content[start:end] * 2, content[other : other + end - start]])
    return content[:start] + piece + content[end:]


def with_other_length(content: bytes, chance: random.Random) -> bytes:
    length = header_end(content) - 8
    other = chance.choice(
        [0, 1, length - 1, length + 1, length + 8, 2**22, 2**31, 2**63, 2**64 - 1]
    )
    return other.to_bytes(8, "little") + content[8:]


def with_other_entry(content: bytes, chance: random.Random) -> bytes:
    """Change one field of one tensor's entry in the header."""
    found = header(content)
    names = [name for name in found if name != "__metadata__"]
    entry = found[chance.choice(names)]
    match chance.randrange(5):
        case 0:
            entry["dtype"] = chance.choice(
                ["F64", "F16", "U8", "BOOL", "F8_E4M3", "C64", "F4", "X", 7]
            )
        case 1:
            entry["shape"] = chance.choice(
                [[], [2**40], [2**63, 2], [0], [-1], [1.5], found[chance.choice(names)]["shape"]]
            )
        case 2:
            start, end = entry["data_offsets"]
            entry["data_offsets"] = chance.choice(
                [[end, start], [start, end + 4], [start - 4, end], [0, 2**62], [start, start], [0]]
            )
        case 3:
            entry["data_offsets"] = found[chance.choice(names)]["data_offsets"]  # overlapping
        case 4:
            entry[chance.choice(["dtype", "shape", "data_offsets", "more"])] = chance.choice(ODD)
    return with_header(content, json.dumps(found))


def with_other_header(content: bytes, chance: random.Random) -> bytes:
    """Add, remove or rename a tensor, duplicate a key, or replace the metadata."""
    found = header(content)
    names = [name for name in found if name != "__metadata__"]
    name, end = chance.choice(names), len(content) - header_end(content)
    match chance.randrange(6):
        case 0:
            found["more"] = {"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]}
        case 1:
            del found[name]
        case 2:
            found[chance.choice(["x" * 10_000, "\x1b[2J", "mоdel", ""])] = found.pop(name)
        case 3:
            twin = f"{{{json.dumps(name)}: {json.dumps(found[chance.choice(names)])}, "
            return with_header(content, twin + json.dumps(found)[1:])
        case 4:
            found["__metadata__"] = chance.choice(ODD)
        case 5:
            key = chance.choice(list(found["__metadata__"]))
            found["__metadata__"][key] = chance.choice([*map(str, ODD[:20]), 7, None, "[" * 10**5])
    return with_header(content, json.dumps(found))


UNSIGNED = (flipped, spliced, with_other_length, with_other_entry, with_other_header)


# -- changes with a matching digest ----------------------------------------------------------------


def with_odd_metadata(content: dict[str, Tensor], metadata: Any, chance: random.Random) -> bytes:
    """Change, add or remove one value of the metadata, at any depth."""
    metadata = json.loads(json.dumps(metadata))
    inside = metadata
    while True:
        key: Any = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        if not isinstance(inside[key], dict | list) or not inside[key] or chance.random() < 0.2:
            break
        inside = inside[key]
    if chance.random() < 0.15:
        del inside[key]
    elif isinstance(inside, dict) and chance.random() < 0.1:
        inside[chance.choice(["more", "kind", "root", "\x1b[31m"])] = chance.choice(ODD)
    else:
        inside[key] = chance.choice(ODD)
    return signed(content, metadata)


def with_odd_tensor(content: dict[str, Tensor], metadata: Any, chance: random.Random) -> bytes:
    """Remove, add or replace a tensor, or change its shape or type, or fill it with NaN."""
    content = dict(content)
    name = chance.choice(list(content))
    tensor = content[name]
    match chance.randrange(6):
        case 0:
            del content[name]
        case 1:
            content[chance.choice(["more", "model.more", "optimizer.critic.x", "x" * 5000])] = (
                tensor
            )
        case 2:
            content[name] = tensor.reshape(-1)[: chance.choice([0, 1, tensor.numel()])].clone()
        case 3:
            content[name] = tensor.to(chance.choice(TYPES))
        case 4:
            content[name] = torch.full_like(tensor, torch.nan if tensor.is_floating_point() else 0)
        case 5:
            content[name] = content[chance.choice(list(content))].clone()
    return signed(content, metadata)
