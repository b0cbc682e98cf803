"""A small data set, and a local web server with good and bad mirrors of it."""

import gzip
import hashlib
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from torchvision import datasets

from genctl.data import downloads
from genctl.data.torchvision_sets import Mnist

NAMES = tuple(Mnist.checksums)


def idx(array: np.ndarray) -> bytes:
    """An array in the format of MNIST's files."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_set() -> dict[str, bytes]:
    """The four files of a data set of 80 training and 40 test images in ten classes."""
    random = np.random.default_rng(0)
    found = {}
    for stem, count in (("train", 80), ("t10k", 40)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = random.integers(256, size=(count, 28, 28), dtype=np.uint8)
        found[f"{stem}-images-idx3-ubyte"] = idx(pixels)
        found[f"{stem}-labels-idx1-ubyte"] = idx(labels)
    return {name: found[name] for name in NAMES}


class Mirrors:
    """A server whose behaviour is the first part of the path; it counts the requests."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: Counter[str] = Counter()
        self.release = threading.Event()  # ends the requests that hang
        self.started = threading.Event()  # a slow response has begun
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def url(self, behaviour: str) -> str:
        """A mirror that is good, 403, 404, wrong, cut, hang or slow."""
        return f"http://127.0.0.1:{self.server.server_port}/{behaviour}/"

    def _handler(mirrors) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, behaviour, name = self.path.split("/")
                mirrors.requests[f"{behaviour}/{name}"] += 1
                content = mirrors.files[name]
                if behaviour in ("403", "404"):
                    self.send_error(int(behaviour))
                    return
                if behaviour == "hang":
                    mirrors.release.wait()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if behaviour == "wrong":
                    content = bytes(len(content))
                if behaviour in ("cut", "slow"):
                    self.wfile.write(content[: len(content) // 2])
                    self.wfile.flush()
                    if behaviour == "cut":
                        return
                    mirrors.started.set()
                    mirrors.release.wait()
                    return
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@contextmanager
def mirrors(unpacked: dict[str, bytes], patch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    """Serve KMNIST files made of ``unpacked`` instead of the real ones, from a good mirror."""
    packed = {f"{name}.gz": gzip.compress(content) for name, content in unpacked.items()}
    served = Mirrors(packed)
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    patch.setattr(datasets.KMNIST, "resources", sums)
    patch.setattr(datasets.KMNIST, "mirrors", [served.url("good")])
    patch.setattr(downloads, "TIMEOUT", 1.0)
    patch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=served.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.release.set()
        served.server.shutdown()
        served.server.server_close()
        thread.join()
