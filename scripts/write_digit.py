"""Write a test digit as a PNG file: write_digit.py LABEL FILE.png"""

import sys
from pathlib import Path

from genctl.config.config import load
from genctl.data.pictures import tensor_to_pil

label, path = int(sys.argv[1]), Path(sys.argv[2])
digits = load("digits_cgan").data.load("test")
first = (digits.labels == label).nonzero()[0, 0]
tensor_to_pil(digits.pixels[first]).save(path)
