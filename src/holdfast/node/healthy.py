"""A package serves only after its health check: its bundled texts, asked of the engines that will answer."""

from __future__ import annotations

from holdfast.errors import HoldfastError, Unavailable
from holdfast.node.active import Loadout
from holdfast.node.loadouts import Workshop, loadout_of
from holdfast.runtime.trialrun import check_rows, read_trial
from holdfast.store.shelf import Admit, LoadedPackage, Store
from holdfast.store.slots import BadMark
from holdfast.tier import Tier

__all__ = ["examined", "healthy_loadout"]


def healthy_loadout(store: Store, name: str, *, admit: Admit, workshop: Workshop) -> Loadout:
    """Load the active version of `name`, or else the previous one, of which every file and every answer is right.

    A version that answers wrongly is marked bad and never tried again until it is installed anew. FULL is examined at
    install, and its worker checks the known vectors before it is ready; here SMALL is, which costs milliseconds.
    Raises NoGoodPackage.
    """
    while True:
        package = store.load(name, admit=admit)  # each turn either returns or takes one version away
        try:
            return examined(package, workshop)
        except Unavailable:
            raise
        except HoldfastError as error:
            store.mark_bad(name, package.digest, BadMark(kind="unhealthy", sentence=str(error)))


def examined(package: LoadedPackage, workshop: Workshop) -> Loadout:
    """The engines of `package`, if they answer its bundled texts as promised. Raises HoldfastError if not."""
    loadout = loadout_of(package, workshop)
    engine, trial = loadout.engines.get(Tier.SMALL), package.manifest.trial
    try:
        if engine is not None:
            rows = read_trial(package.files[trial.file], limit=trial.health_rows)
            check_rows(engine, rows, tolerance=trial.tolerance, clock=workshop.clock)
    except HoldfastError:
        if loadout.pool is not None:
            loadout.pool.close()
        raise
    return loadout
