"""The runner of notebooks: executes a copy, cell by cell, in a kernel, and writes what the cells write as it comes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from gitrun.model.notebooks import parse_notebook, with_flags

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SAVE_EVERY = 5.0
"""Seconds after which what was executed so far is written again."""
NO_HISTORY = "--HistoryManager.hist_file=:memory:"


@dataclass
class Stop:
    """What has been asked of the runner: the first signal that it was sent (0: none), and whether to start no more cells."""

    number: int = 0
    is_order: bool = False
    waiting: list[Any] = field(default_factory=list)


class OneKernel(KernelSpecManager):
    """Knows a single kernel: the one that is started with these words."""

    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self._words = words

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernel, whatever its name."""
        words = [*self._words, "-f", "{connection_file}", NO_HISTORY]
        return KernelSpec(argv=words, language="python", display_name=kernel_name)


class Client(NotebookClient):
    """Executes cells and shows what they write: text to stdout and stderr, results to stdout, errors to stderr."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:  # noqa: ANN401 - as nbclient has it
        """What a message added to the cell's outputs."""
        found = super().process_message(msg, cell, cell_index)
        if found:
            show(found)
        return found


def main(place: str) -> None:
    """Executes the notebook that the file at `place` describes; ends the program with its status."""
    warnings.simplefilter("ignore")  # of nbformat, about what Jupyter has written
    spec = json.loads(Path(place).read_bytes())
    sys.exit(asyncio.run(execute(spec)))


def show(output: Mapping[str, Any]) -> None:
    """Writes an output of a cell where a program would have."""
    kind = output["output_type"]
    if kind == "stream":
        write(sys.stderr if output["name"] == "stderr" else sys.stdout, output["text"])
    elif kind == "error":
        write(sys.stderr, "\n".join(output["traceback"]) + "\n")
    else:
        text = output["data"].get("text/plain", "")
        write(sys.stdout, f"{text}\n" if text else "")


def write(stream: TextIO, text: str) -> None:
    """Writes text at once; without colours if nobody sees them."""
    stream.write(text if stream.isatty() else COLOURS.sub("", text))
    stream.flush()


async def execute(spec: Mapping[str, Any]) -> int:
    """Executes a copy of the notebook; the exit status. A signal that ended it ends this program too."""
    source = Path(spec["notebook"])
    copy = copy_of(source, spec["flags"])
    target = source.with_suffix(".out.ipynb")
    save(copy, target)  # one of an attempt before must not be taken for this one's
    stop = Stop()
    with tempfile.TemporaryDirectory(prefix="gitrun-") as place:
        manager = manager_of(spec, place)
        client = Client(copy, km=manager, record_timing=False, coalesce_streams=True)
        listen(stop, manager, spec["grace"])
        try:
            status = await execute_cells(client, manager, stop, target)
        finally:
            with suppress(RuntimeError, NoSuchKernel):
                await manager.shutdown_kernel(now=stop.is_order)
            save(copy, target)
    if stop.number and (status or stop.is_order):
        signal.signal(stop.number, signal.SIG_DFL)
        os.kill(os.getpid(), stop.number)
    return status


def copy_of(source: Path, flags: Mapping[str, Any]) -> Any:  # noqa: ANN401 - nbformat has no type for it
    """The notebook with the values of its flags and without the outputs of another time."""
    found = with_flags(parse_notebook(source.read_bytes(), source.name), flags)
    copy = nbformat.reads(json.dumps(found), as_version=4)  # type: ignore[no-untyped-call]
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def save(copy: Any, target: Path) -> None:  # noqa: ANN401 - nbformat has no type for it
    """Writes the copy as it is now; never half of it, and never through a link."""
    fresh = target.with_name(f".{target.name}.part")
    text: str = nbformat.writes(copy)  # type: ignore[no-untyped-call]
    fresh.write_text(text + "\n", "utf-8")
    fresh.replace(target)


def manager_of(spec: Mapping[str, Any], place: str) -> AsyncKernelManager:
    """What starts and ends the kernel: the user's Python, or the one that the notebook names."""
    if not spec["kernel"]:
        return AsyncKernelManager(kernel_name=spec["name"])
    # sockets in a directory that only we can enter: no port that another could take or try
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{place}/kernel")
    manager.kernel_spec_manager = OneKernel(spec["kernel"])
    manager.connection_file = f"{place}/kernel.json"
    return manager


def listen(stop: Stop, manager: AsyncKernelManager, grace: float) -> None:
    """From now on signals interrupt the kernel. Ctrl-C is a wish, which a cell may catch; the others are orders."""
    loop = asyncio.get_running_loop()

    async def interrupt() -> None:
        with suppress(RuntimeError):  # it has not started yet, or has ended
            await manager.interrupt_kernel()

    async def kill() -> None:
        with suppress(RuntimeError):
            await manager.shutdown_kernel(now=True)

    def obey(number: signal.Signals) -> None:
        stop.number = stop.number or number
        stop.waiting.append(loop.create_task(interrupt()))
        if number != signal.SIGINT and not stop.is_order:
            stop.number, stop.is_order = number, True
            # a cell that does not let itself be interrupted must not cost us the copy
            loop.call_later(grace / 2, lambda: stop.waiting.append(loop.create_task(kill())))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, obey, number)


async def execute_cells(client: Client, manager: AsyncKernelManager, stop: Stop, target: Path) -> int:
    """Executes the cells until one fails or the end is ordered; the exit status."""
    client.reset_execution_trackers()
    saved = time.monotonic()
    try:
        await manager.start_kernel()
        await client.async_start_new_kernel_client()
        for place, cell in enumerate(client.nb.cells):
            if stop.is_order or (stop.number and not client.code_cells_executed):
                return 1
            await client.async_execute_cell(cell, place, execution_count=client.code_cells_executed + 1)
            if time.monotonic() - saved > SAVE_EVERY:
                save(client.nb, target)
                saved = time.monotonic()
        client.set_widgets_metadata()
    except CellExecutionError:
        return 1  # its traceback has been shown
    except (NoSuchKernel, OSError) as error:
        write(sys.stderr, f"the kernel '{client.nb.metadata.kernelspec.name}' cannot be started: {error}\n")
        return 1
    except (DeadKernelError, RuntimeError) as error:
        if not stop.number:
            write(sys.stderr, f"the kernel has ended: {error}\n")
        return 1
    finally:
        if client.kc:
            client.kc.stop_channels()
    return 0
