"""The ranks of a run, held in step: they begin requests together, write together, and can be asked whether they agree.

Whatever takes part in a collective must come, or all others wait for it. So what a rank does next is never decided by
what only that rank knows: options, schedules and samples are the same everywhere, tokens are chosen from logits that
are the same bit for bit.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from tracer.document.errors import InputError, MissingError
from tracer.recording.world.place import ALONE as NO_OTHERS
from tracer.recording.world.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

# Ranks start within so long, and none keeps the others waiting longer.
PATIENCE = timedelta(minutes=10)
LOOPBACK = "lo"
# How many ranks torchrun started here.
ON_THIS_MACHINE = "LOCAL_WORLD_SIZE"
# Errors of torch.distributed.
LOST = ("DistError", "DistBackendError", "DistNetworkError", "DistStoreError")


class OtherRankError(InputError):
    """All that is wrong with a rank is that another one is gone, or could not write."""


class World:
    """A run of one process, which agrees with itself.

    Attributes:
        place: of this process in it.
    """

    def __init__(self, place: Place = NO_OTHERS) -> None:
        self.place = place

    def meet(self) -> None:
        """Wait until all ranks have come here; nothing runs on a device for it."""

    def gather(self, said: str) -> list[str]:
        """What each rank says, in order."""
        return [said]

    def alike(self, content: bytes) -> int | None:
        """The first rank that has something else than rank 0; None where all have the same."""
        said = self.gather(sha256(content).hexdigest())
        return next((rank for rank, one in enumerate(said) if one != said[0]), None)


ALONE = World()


class Joined(World):
    """A run of several processes, which have a process group on the host to talk to each other."""

    def __init__(self, place: Place, group: torch.distributed.ProcessGroup | None) -> None:
        super().__init__(place)
        self._group = group

    def meet(self) -> None:
        """See `World`."""
        import torch
        from torch import distributed

        # A barrier would take a device where the default group has one.
        distributed.all_reduce(torch.zeros(1), group=self._group)

    def gather(self, said: str) -> list[str]:
        """See `World`."""
        import torch
        from torch import distributed

        own = said.encode()
        length = torch.tensor([len(own)])
        lengths = [torch.zeros_like(length) for _ in range(self.place.size)]
        distributed.all_gather(lengths, length, group=self._group)
        longest = max(int(one) for one in lengths)
        padded = torch.tensor([*own, *bytes(longest - len(own))], dtype=torch.uint8)
        texts = [torch.zeros_like(padded) for _ in lengths]
        distributed.all_gather(texts, padded, group=self._group)
        return [bytes(text.tolist())[: int(one)].decode() for text, one in zip(texts, lengths, strict=True)]


@contextmanager
def joined(place: Place, device: torch.device) -> Iterator[World]:
    """Meet the other ranks of the run, and part from them at the end.

    Where a model of somebody's own has a process group already, that is used, and left open.

    Raises:
        InputError: the others did not come, or there is no way to them.
    """
    if place.alone:
        yield ALONE
        return
    from torch import distributed

    if not distributed.is_available():
        raise MissingError("this torch is built without torch.distributed, by which ranks meet")
    if place.folder is not None or os.environ.get(ON_THIS_MACHINE) == str(place.size):
        _stay_on_this_machine()
    if distributed.is_initialized():
        yield Joined(place, _host_group())
        return
    on_gpu = device.type == "cuda"
    try:
        _begin(place, device)
        group = _host_group() if on_gpu else None
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the ranks cannot meet ({str(error).splitlines()[0]})") from None
    yield Joined(place, group)
    distributed.destroy_process_group()


def _begin(place: Place, device: torch.device) -> None:
    """Make the process group of all ranks."""
    import torch
    from torch import distributed

    begin = partial(distributed.init_process_group, rank=place.rank, world_size=place.size, timeout=PATIENCE)
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        begin, backend = partial(begin, device_id=device), "nccl"
    begin(backend, init_method="env://" if place.folder is None else (place.folder / "store").as_uri())


def _host_group() -> torch.distributed.ProcessGroup | None:
    """All ranks, by a way of the host: no kernel stands in a trace for their meeting."""
    from torch import distributed

    group: torch.distributed.ProcessGroup | None = distributed.new_group(backend="gloo", timeout=PATIENCE)
    return group


def _stay_on_this_machine() -> None:
    """Have gloo and NCCL talk over the loopback, unless the environment says otherwise."""
    import socket

    if LOOPBACK in {name for _, name in socket.if_nameindex()}:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)
        os.environ.setdefault("NCCL_SOCKET_IFNAME", LOOPBACK)


def has_met() -> bool:
    """Whether this process and the others have met."""
    import sys

    if "torch" not in sys.modules:
        return False
    from torch import distributed

    return distributed.is_available() and distributed.is_initialized()


def lost_another(error: BaseException) -> str:
    """What an error says that only means that another rank is gone, or never came; "" of any other."""
    said = " ".join(str(error).split())
    words = said.partition(". ")[0][:200]  # gloo goes on with advice
    chain = [error, *_causes(error)]
    if any(type(one).__module__.startswith("torch") and type(one).__name__ in LOST for one in chain):
        return words
    runtime = any(isinstance(one, RuntimeError) for one in chain)
    return words if runtime and any(word in said for word in ("gloo", "NCCL", "Connection closed by peer")) else ""


def _causes(error: BaseException) -> list[BaseException]:
    """What an error was raised from, in turn."""
    found: list[BaseException] = []
    while (before := (found[-1] if found else error).__cause__) is not None and before not in found:
        found.append(before)
    return found
