"""Times the arithmetic of a round on a model of so many megabytes, on one thread and on two."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from dao.core.aggregate import compute_aggregate
from dao.core.constants import CHUNK
from dao.core.engine.chunking import Each
from dao.core.engine.merkle import compute_body_root
from dao.core.engine.products import compute_distance, compute_dots, compute_update_square
from dao.core.formats.gradient import Gradient, quantise_gradient
from dao.core.formats.layout import Layout, Model, compute_depth, compute_model_size, parse_model, write_model
from dao.core.formats.update import Update, decode_update, encode_update_prefix, encode_update_rows
from dao.core.score import compute_scores
from dao.core.types import Address, Codec
from dao.core.weigh import UpdateEntry, compute_weights

WIDTH = 1024
NODES = 4


def best(function: Callable[[], object], times: int = 3) -> str:
    """Return the least wall time of several calls, and the least time of the cores."""
    walls, cores = [], []
    for _ in range(times):
        wall, core = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return f"{min(walls):6.3f} s (cores {min(cores):5.3f} s)"


def measure(megabytes: int) -> None:
    """Print a line for each step; `megabytes` are 10^6 bytes of float32."""
    rows = megabytes * 250_000 // (2 * WIDTH)
    layout = Layout.of({"body.weight": (rows, WIDTH), "head.bias": (10,), "head.weight": (rows, WIDTH)})
    rng = np.random.Generator(np.random.Philox(7))
    base = write_model(layout, bytearray(compute_model_size(layout)))
    trained = write_model(layout, bytearray(compute_model_size(layout)))
    base.flat[:] = rng.standard_normal(layout.size, np.float32)
    np.add(base.flat, rng.standard_normal(layout.size, np.float32) * np.float32(1e-3), out=trained.flat)
    step = Model(layout, trained.flat - base.flat)
    depth = compute_depth(layout.chunks)

    body = encode_update_rows(base, trained, Codec.INT8)
    update = Update(layout, Codec.INT8, body)
    gradient = Gradient(quantise_gradient(step))
    # the same direction with another sign here and there, so that all pass the gate and the arithmetic is real
    entries = [
        UpdateEntry(Address(bytes([i]) * 20), 100 + i, Update(layout, Codec.INT8, body.copy()))
        for i in range(NODES)
    ]
    file = encode_update_prefix(layout, Codec.INT8) + body.tobytes()
    out = bytearray(compute_model_size(layout))
    weighing = compute_weights(entries, gradient, {}, depth)
    model_file = bytes(out)
    new, rows_of_step = write_model(layout, out).flat, np.empty_like(body)

    def steps(each: Each) -> dict[str, Callable[[], object]]:
        return {
            "encode_body": partial(encode_update_rows, base, trained, Codec.INT8, each),
            "body_root": partial(compute_body_root, body, depth),
            "decode_update": partial(decode_update, file, layout, Codec.INT8, each),
            "parse_model": partial(parse_model, bytes(out)),
            "check_finite": partial(base.check_finite, each),
            "quantise": partial(quantise_gradient, step, each),
            "gradient root": partial(compute_body_root, gradient.body, depth),
            "dot": partial(compute_dots, gradient, [update], each),
            "norm": partial(compute_update_square, update, each),
            "distance": partial(compute_distance, gradient, gradient, each),
            f"weigh {NODES}": partial(compute_weights, entries, gradient, {}, depth, each),
            f"aggregate {NODES}": partial(
                compute_aggregate,
                *(
                    entries,
                    weighing.weights,
                    weighing.weight_sum,
                    base,
                    Codec.INT8,
                    rows_of_step,
                    new,
                    depth,
                    each,
                ),
            ),
            f"scores {NODES}": partial(compute_scores, entries, weighing, gradient, gradient, depth, each),
        }

    say(f"{layout.size:,} values, {layout.chunks:,} chunks of {CHUNK}, depth {depth}")
    with ThreadPoolExecutor(2) as pool:
        two = steps(pool.map)
        for name, function in steps(map).items():
            say(f"{name:14} {best(function)}   {best(two[name])} on 2 threads")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"peak memory {peak:,.0f} MiB ({len(model_file):,} bytes a model)")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
