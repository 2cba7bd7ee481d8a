"""One seed of the simulation, run and told."""

from __future__ import annotations

from pathlib import Path

from simkit.world import Violation, World

from metanode.core import crypto
from metanode.core.model.errors import MetanodeError
from metanode.core.testing.chart import chart
from metanode.core.testing.toy_signatures import toy_signatures


def fault_of(seed: int, size: int) -> str:
    """Run one seed; return which invariant it broke, empty when none."""
    try:
        World(seed, size).run()
    except (Violation, MetanodeError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def replay_command(seed: int, size: int) -> str:
    """What to type to see a seed again, with its chart."""
    return f"python contrib/soak/sim.py --size {size} --seed {seed}"


def first_fault(seeds: range, size: int) -> str:
    """Run seeds until one breaks an invariant; return what to say of it, empty when none does."""
    crypto.install()
    with toy_signatures():
        for seed in seeds:
            fault = fault_of(seed, size)
            if fault:
                return f"seed {seed}, {size} validators: {fault}; repeat: {replay_command(seed, size)}"
    return ""


def replay(seed: int, size: int, directory: Path) -> tuple[str, Path]:
    """Run one seed again and draw it; returns its fault and the chart's file."""
    crypto.install()
    with toy_signatures():
        world = World(seed, size)
        world.trace = []
        fault = ""
        try:
            world.run()
        except (Violation, MetanodeError, AssertionError) as error:
            fault = f"{type(error).__name__}: {error}"
    liars = size - len(world.honest)
    names = [f"{'liar' if index < liars else 'validator'} {index}" for index in range(size)]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"seed-{size}-{seed}.html"
    path.write_text(chart(f"seed {seed}, {size} validators", names, world.trace, fault or "no invariant was broken"))
    return fault, path
