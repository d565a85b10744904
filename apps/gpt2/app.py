"""What comes next in a text? A small GPT-2 of transformers, as it is, in bfloat16 and from scratch."""

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel


def model():
    """The untrained model, the same one every time."""
    torch.manual_seed(0)
    sizes = GPT2Config(vocab_size=256, n_positions=64, n_embd=64, n_layer=2, n_head=4)
    return GPT2LMHeadModel(sizes).to(torch.bfloat16)


def data(path):
    """A text file: 64 bytes a row, a token for each."""
    text = np.fromfile(path, np.uint8).astype(np.int64)
    return {"tokens": torch.from_numpy(text[: len(text) // 64 * 64].reshape(-1, 64))}


def loss(model, batch):
    """The mean over the tokens of a batch: what updates are scored by."""
    return model(input_ids=batch["tokens"], labels=batch["tokens"]).loss


def train(model, data, *, seed, round):
    """Ten steps, each on sixteen rows; the seed draws these, and what is dropped out."""
    torch.manual_seed(seed)
    steps = torch.optim.AdamW(model.parameters(), lr=0.002)
    for _ in range(10):
        steps.zero_grad()
        value = loss(model, {"tokens": data["tokens"][torch.randint(len(data["tokens"]), (16,))]})
        value.backward()
        steps.step()
        yield {"loss": value.item()}
