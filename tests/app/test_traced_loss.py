"""The gradient of a loss that torch computes and that leaves it as a plain number."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dao.app.traced_loss import ModuleState, TracedLoss, find_state, record_modules
from dao.app.worker import ConventionError

BATCH = 16


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.outer = nn.Linear(3, 2)
        self.tied = self.outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.outer(torch.relu(self.norm(self.inner(x)))))


@pytest.fixture
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    x = torch.randn(40, 4)
    return x, (x.sum(1) > 0).long()


def deal(rows: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    x, y = rows
    return [(x[first : first + BATCH], y[first : first + BATCH]) for first in range(0, len(y), BATCH)]


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return Net().state_dict()


Leaves = Callable[[torch.Tensor], float]
LEAVES: dict[str, Leaves] = {
    "item": lambda loss: loss.item(),
    "float": float,
    "detached": lambda loss: float(loss.detach().cpu().item()),
}


def evaluate(
    rows: tuple[torch.Tensor, torch.Tensor], leave: Leaves, mode: Any = torch.no_grad, weigh: bool = False
) -> float:
    """As apps do: a model made anew, its loss added up over batches."""
    net, criterion = Net(), nn.CrossEntropyLoss()
    net.load_state_dict(weights())
    net.eval()
    total, right, parts = 0.0, 0.0, 0
    with mode():
        for x, y in deal(rows):
            logits = net(x)
            size = len(y) if weigh else 1
            total += leave(criterion(logits, y)) * size
            right += (torch.max(logits.data, 1)[1] == y).sum().item() + float(logits.numpy().sum() > 0)
            parts += size
    return total / parts


def expected(rows: tuple[torch.Tensor, torch.Tensor], weigh: bool) -> dict[str, np.ndarray[Any, Any]]:
    net = Net()
    net.load_state_dict(weights())
    net.eval()
    losses = [
        nn.functional.cross_entropy(net(x), y) * (len(y) / 40 if weigh else 1 / 3) for x, y in deal(rows)
    ]
    parameters = dict(net.named_parameters())
    slopes = torch.autograd.grad(torch.stack(losses).sum(), list(parameters.values()))
    return {name: slope.numpy() for name, slope in zip(parameters, slopes, strict=True)}


def state() -> ModuleState:
    net = Net()
    found = find_state([net], [tuple(tensor.shape) for tensor in net.state_dict().values()])
    assert found is not None
    return found


@pytest.mark.parametrize("weigh", [False, True], ids=["mean of batches", "mean of rows"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("leave", LEAVES)
def test_differentiate__an_evaluation_without_graph__is_torchs_own_gradient(
    leave: str, mode: Any, weigh: bool, rows: tuple[torch.Tensor, torch.Tensor]
) -> None:
    traced = TracedLoss(state())
    slopes = traced.differentiate(lambda: evaluate(rows, LEAVES[leave], mode, weigh), "rows")
    found, right = dict(zip(weights(), slopes, strict=True)), expected(rows, weigh)
    for name, slope in right.items():
        # of tied weights the last name has the gradient, and the others none: it counts once
        last = name.replace("outer", "tied")
        np.testing.assert_allclose(found[last], slope, rtol=1e-5, atol=1e-7)
        assert last == name or not found[name].any()
    assert not any(found[name].any() for name in found if "running" in name or "num_batches" in name)
    assert evaluate(rows, LEAVES["item"]) == evaluate(rows, LEAVES["item"])  # torch is as it was
    with torch.no_grad():
        assert not (torch.ones(1, requires_grad=True) * 2).requires_grad


def test_differentiate__other_data__are_looked_at_anew(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    traced = TracedLoss(state())
    for part in (rows, (rows[0][:20], rows[1][:20])):
        found = traced.differentiate(lambda part=part: evaluate(part, LEAVES["item"]), len(part[0]))  # type: ignore[misc]
        alone = TracedLoss(state()).differentiate(lambda part=part: evaluate(part, LEAVES["item"]), 0)  # type: ignore[misc]
        assert all(np.array_equal(one, other) for one, other in zip(found, alone, strict=True))


def by_numpy(rows: tuple[torch.Tensor, torch.Tensor]) -> float:
    return evaluate(rows, lambda loss: float(loss.numpy()))


def by_hand(rows: tuple[torch.Tensor, torch.Tensor]) -> float:
    net = Net()
    for name, parameter in net.named_parameters():
        parameter.data = weights()[name]
    return nn.functional.cross_entropy(net(rows[0]), rows[1]).item()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (by_numpy, "the loss does not come from tensors by item"),
        (by_hand, "load_state_dict was not called"),
    ],
)
def test_differentiate__what_torch_cannot_follow__is_one_clear_line(
    how: Callable[[Any], float], words: str, rows: tuple[torch.Tensor, torch.Tensor]
) -> None:
    with pytest.raises(ConventionError, match=words):
        TracedLoss(state()).differentiate(lambda: how(rows), "rows")


def test_record_modules__parts_of_a_module__are_not_recorded() -> None:
    with record_modules("state_dict") as modules:
        net = Net()
        net.state_dict()
    assert modules == [net]
    assert find_state(modules, [(1,)]) is None
    found = state()
    assert {"norm.running_mean", "norm.num_batches_tracked"} == {
        name for name in found.names if name not in found.parameters and "var" not in name
    }
