"""The embedded sentence model: texts in, unit vectors out, without a network or a key.

all-MiniLM-L6-v2 in int8 (see `minilm_l6_int8/README.md`), run by onnxruntime on the CPU.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

PACKAGED = Path(__file__).parent / "minilm_l6_int8"
DIMENSIONS = 384
MAX_TOKENS = 256
"""Tokens of one text that the model reads, its two marks included; the rest is left out."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    session: Any
    tokenizer: Any


class SentenceModel:
    """Turns texts into vectors. Loads its files at first use; may be shared by threads.

    Args:
        folder: Where `model.onnx` and `tokenizer.json` lie.
    """

    def __init__(self, folder: Path = PACKAGED) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of unit length for each text, `len(texts)` x 384.

        The same text gives the same row, whatever else is embedded with it: texts go through the
        model one at a time, because dynamic quantisation scales over a whole batch.
        """
        import numpy as np

        model = self._load()
        rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            ids: list[int] = model.tokenizer.encode(text).ids
            if len(ids) > MAX_TOKENS:
                ids = [*ids[: MAX_TOKENS - 1], ids[-1]]
            batch = np.array([ids], dtype=np.int64)
            row[:] = model.session.run(
                None, {"input_ids": batch, "attention_mask": np.ones_like(batch)}
            )[0][0]
        return rows

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text, without the two marks that the model adds."""
        return len(self._load().tokenizer.encode(text, add_special_tokens=False).ids)

    def first_tokens(self, text: str, limit: int) -> str:
        """The longest beginning of `text` of at most `limit` tokens, cut between words."""
        encoding = self._load().tokenizer.encode(text, add_special_tokens=False)
        if len(encoding.ids) <= limit:
            return text
        end = limit
        while end and encoding.word_ids[end] == encoding.word_ids[end - 1]:
            end -= 1
        return text[: encoding.offsets[end - 1][1]] if end else ""

    def _load(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = _open(self._folder)
            return self._loaded


def _open(folder: Path) -> _Loaded:
    from importlib import import_module

    from tokenizers import Tokenizer

    onnxruntime: Any = import_module("onnxruntime")  # it ships no types
    options = onnxruntime.SessionOptions()
    # One thread a call: runs share the machine, and a process without a pool can be forked.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The file asks for 128 tokens, padded: counting needs them all, and there is no batch to pad.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return _Loaded(session, tokenizer)
