"""Writes Python code of the standard library to data/, and makes base/, a small language model of English, unless there is one."""

import os
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
WIDTH = 64  # bytes of a row
ROWS = {"train.txt": 1280, "test.txt": 256, **{f"shards/{index}.txt": 128 for index in range(5)}}


def cut(texts):
    """The rows of some texts, (rows, WIDTH) bytes, in an order of their own."""
    text = np.frombuffer("\n".join(texts).encode(), np.uint8)
    return np.random.default_rng(0).permutation(text[: len(text) // WIDTH * WIDTH].reshape(-1, WIDTH))


def make_base(rows):
    """A model from its config alone, which reads English for some seconds; any other Hugging Face folder serves as well."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # more of them cost time in so small a model
    sizes = {
        "n_positions": WIDTH,
        "n_embd": 48,
        "n_layer": 2,
        "n_head": 4,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    still = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=256, **sizes, **still))
    steps = torch.optim.AdamW(model.parameters(), lr=0.005)
    for part in torch.from_numpy(rows[:3200].astype(np.int64)).split(32):
        steps.zero_grad()
        model(input_ids=part, labels=part).loss.backward()
        steps.step()
    model.save_pretrained(HERE / "base")


if __name__ == "__main__":
    if not (HERE / "base" / "model.safetensors").exists():
        make_base(cut(topics.values()))
    library = sorted(Path(os.__file__).parent.glob("*.py"))
    code = cut(path.read_text(encoding="utf-8") for path in library)
    (HERE / "data" / "shards").mkdir(parents=True, exist_ok=True)
    for name, count in ROWS.items():
        part, code = code[:count], code[count:]
        (HERE / "data" / name).write_bytes(part.tobytes())
