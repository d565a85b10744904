"""The evaluator's gradients against torch's own, and how it fails."""

import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch
from safetensors.torch import save_file

from dao.app.gradient_client import GradientClient
from dao.core.constants import GAUSS_LEGENDRE
from dao.core.formats.layout import Model, parse_model
from dao.errors import AppCrashed, AppError, AppTimeout

APP = """
import torch
from safetensors.torch import load_file

def model():
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Dropout(0.5), torch.nn.Tanh(), torch.nn.Linear(7, 3))

def data(path):
    return load_file(path)

def train(model, data, *, seed, round):
    raise NotImplementedError

def loss(model, batch):
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"].long())
"""
Make = Callable[..., GradientClient]
Models = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], Path, Path]  # base, model, and their files

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("forked_apps")]
ROWS = 150  # three batches, the last one shorter


def network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.Dropout(0.5), torch.nn.Tanh(), torch.nn.Linear(7, 3)
    ).eval()


def loss_of(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"].long())


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    save_file({name: tensors[name].contiguous() for name in sorted(tensors)}, path)
    return path


def flat(tensors: Mapping[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([t.numpy().ravel() for _, t in sorted(tensors.items())])


def expected_gradient(
    base: Mapping[str, torch.Tensor],
    model: Mapping[str, torch.Tensor],
    points: tuple[float, ...],
    shard: Path,
) -> np.ndarray:
    from safetensors.torch import load_file

    data = load_file(shard)
    total: dict[str, torch.Tensor] = {name: torch.zeros_like(t) for name, t in base.items()}
    for point in points:
        net = network()
        net.load_state_dict({name: base[name] + point * (model[name] - base[name]) for name in base})
        net.zero_grad()
        loss_of(net, data).backward()  # type: ignore[no-untyped-call]
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None
            total[name] -= parameter.grad / len(points)
    return flat(total)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    generator = np.random.Generator(np.random.Philox(7))
    x = torch.from_numpy(generator.standard_normal((ROWS, 5), np.float32))
    y = torch.from_numpy(generator.integers(0, 3, ROWS).astype(np.float32))
    return save(tmp_path / "shard.safetensors", {"x": x, "y": y})


@pytest.fixture
def models(tmp_path: Path) -> Models:
    torch.manual_seed(1)
    base, model = network().state_dict(), network().state_dict()
    return base, model, save(tmp_path / "base", base), save(tmp_path / "model", model)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def warm(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GradientClient]:
    """One process for the tests that leave it whole: torch takes seconds to import."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "app.py").write_text(APP)
    evaluator = GradientClient(folder, Path(sys.executable), folder / "scratch", limit=60, threads=1)
    yield evaluator
    await evaluator.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made = []

    def start(text: str = APP, limit: float = 60) -> GradientClient:
        folder = tmp_path / "app"
        folder.mkdir()
        (folder / "app.py").write_text(text)
        made.append(
            GradientClient(folder, Path(sys.executable), tmp_path / "scratch", limit=limit, threads=1)
        )
        return made[-1]

    yield start
    for evaluator in made:
        await evaluator.stop()


async def test_open__parameter_that_the_state_does_not_hold__refused(make: Make) -> None:
    own = "    return {name[2:]: tensor for name, tensor in super().state_dict(**_).items()}"
    named = f"class Named(torch.nn.Sequential):\n  def state_dict(self, **_):\n{own}\n\ndef model():\n    return Named("
    evaluator = make(APP.replace("def model():\n    return torch.nn.Sequential(", named))
    with pytest.raises(
        AppError, match=r"parameter '0.weight' is not in its state_dict: .* leave state_dict as"
    ):
        await evaluator.start()


async def test_gate_gradient__three_batches__is_minus_torchs_mean_gradient(
    warm: GradientClient, models: Models, shard: Path
) -> None:
    base, model, base_path, _ = models
    evaluated = await warm.gate_gradient(base_path, shard)
    values = np.fromfile(evaluated.path, "<f4")
    expected = expected_gradient(base, model, (0.0,), shard)
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-7)
    assert np.any(values)


async def test_reference_gradient__two_points__is_their_mean(
    warm: GradientClient, models: Models, shard: Path
) -> None:
    base, model, base_path, model_path = models
    await warm.gate_gradient(base_path, shard)  # nothing of an earlier gradient may stay
    evaluated = await warm.reference_gradient(base_path, model_path, shard)
    expected = expected_gradient(base, model, GAUSS_LEGENDRE, shard)
    np.testing.assert_allclose(np.fromfile(evaluated.path, "<f4"), expected, rtol=0, atol=1e-7)


async def test_loss__dropout_in_the_app__is_the_mean_without_it(
    warm: GradientClient, models: Models, shard: Path
) -> None:
    from safetensors.torch import load_file

    _, model, _, model_path = models
    net = network()
    net.load_state_dict(model)
    loss = await warm.loss(model_path, shard)
    assert loss == pytest.approx(loss_of(net, load_file(shard)).item(), abs=1e-6)
    assert (await warm.gate_gradient(model_path, shard)).loss == pytest.approx(loss, abs=1e-6)


async def test_gradient__again_in_another_process__has_the_same_bytes(
    make: Make, models: Models, shard: Path
) -> None:
    _, _, base_path, model_path = models
    evaluator = make()
    first = (await evaluator.reference_gradient(base_path, model_path, shard)).path.read_bytes()
    await evaluator.stop()
    assert (await evaluator.reference_gradient(base_path, model_path, shard)).path.read_bytes() == first


async def test_gradient__process_killed__next_call_works(
    make: Make, models: Models, shard: Path, tmp_path: Path
) -> None:
    _, _, base_path, _ = models
    deadly = tmp_path / "deadly"
    shutil.copyfile(shard, deadly)
    dying = "import os\n    if 'deadly' in path: os.kill(os.getpid(), 9)"
    evaluator = make(APP.replace("return load_file", f"{dying}\n    return load_file"))
    with pytest.raises(AppCrashed):
        await evaluator.gate_gradient(base_path, deadly)
    assert (await evaluator.gate_gradient(base_path, shard)).loss > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('batch["y"].long())', "batch[\"y\"].long(), reduction='none')"), "one value"),
        (("load_file(path)", "{}"), "rows"),
        (("load_file(path)", "load_file(path) | {'x': torch.full((150, 5), float('nan'))}"), "nan"),
        (("Linear(5, 7)", "Linear(5, 8)"), "0.bias"),
    ],
    ids=["loss per sample", "no data", "not finite", "other shapes"],
)
async def test_gate_gradient__app_against_the_rules__says_what(
    make: Make, models: Models, shard: Path, change: tuple[str, str], words: str
) -> None:
    _, _, base_path, _ = models
    with pytest.raises(AppError, match=words):
        await make(APP.replace(*change)).gate_gradient(base_path, shard)


async def test_gate_gradient__app_hangs__times_out(make: Make, models: Models, shard: Path) -> None:
    _, _, base_path, _ = models
    evaluator = make(
        APP.replace("    return load_file(path)", "    import time; time.sleep(3600)"), limit=0.2
    )
    with pytest.raises(AppTimeout):
        await evaluator.gate_gradient(base_path, shard)


NORMED = APP.replace("torch.nn.Dropout(0.5)", "torch.nn.BatchNorm1d(7)")


def normed() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7), torch.nn.Tanh(), torch.nn.Linear(7, 3)
    ).eval()


def save_normed(path: Path, seed: int) -> torch.nn.Module:
    """A model with statistics of its own, in a file that says that they are carried."""
    torch.manual_seed(seed)
    net = normed()
    buffers = dict(net.named_buffers())
    buffers["1.running_mean"].uniform_(-1, 1)
    buffers["1.running_var"].uniform_(0.5, 2)
    state = {name: t.contiguous() for name, t in net.state_dict().items() if t.dtype == torch.float32}
    save_file(state, path, metadata={"carried": '["1.running_mean","1.running_var"]'})
    return net


async def test_gradient__batch_norm__by_the_statistics_of_the_model_and_none_of_them(
    make: Make, shard: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    net = save_normed(tmp_path / "base", 1)
    found = await make(NORMED).gate_gradient(tmp_path / "base", shard)
    layout = parse_model((tmp_path / "base").read_bytes()).layout
    gradient = Model(layout, np.fromfile(found.path, np.float32))
    net.zero_grad()
    loss_of(net, load_file(shard)).backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(gradient.tensors[name], -parameter.grad.numpy(), atol=1e-6)
    for name in layout.carried:
        assert not gradient.tensors[name].any()


async def test_gradient__bfloat16_model__near_that_in_float32(
    make: Make, shard: Path, models: Models
) -> None:
    base, _, path, _ = models
    narrow = APP.replace("torch.nn.Linear(7, 3))", "torch.nn.Linear(7, 3)).bfloat16()").replace(
        'model(batch["x"])', 'model(batch["x"].bfloat16()).float()'
    )
    found = np.fromfile((await make(narrow).gate_gradient(path, shard)).path, np.float32)
    exact = expected_gradient(base, base, (0.0,), shard)
    assert 0 < np.linalg.norm(found - exact) < 0.05 * np.linalg.norm(exact)
