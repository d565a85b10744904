"""A language model reads English; an adapter teaches it Python. By transformers and PEFT: the adapter alone travels."""

from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

BASE = Path(__file__).with_name("base")  # a Hugging Face folder, whose model.safetensors is not trained


def model():
    """The frozen base with an untrained adapter, the same one every time."""
    torch.manual_seed(0)
    adapter = LoraConfig(r=8, lora_alpha=16, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
    return get_peft_model(AutoModelForCausalLM.from_pretrained(BASE), adapter)


def data(path):
    """A text file: 64 bytes a row, a token for each."""
    text = np.fromfile(path, np.uint8).astype(np.int64)
    return {"tokens": torch.from_numpy(text[: len(text) // 64 * 64].reshape(-1, 64))}


def loss(model, batch):
    """The mean over the tokens of a batch: what updates are scored by."""
    return model(input_ids=batch["tokens"], labels=batch["tokens"]).loss


def train(model, data, *, seed, round):
    """Twenty steps, each on sixteen rows that the seed draws."""
    chance, steps = torch.Generator().manual_seed(seed), torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(20):
        rows = torch.randint(len(data["tokens"]), (16,), generator=chance)
        steps.zero_grad()
        value = loss(model, {"tokens": data["tokens"][rows]})
        value.backward()
        steps.step()
        yield {"step": step + 1, "loss": value.item()}
