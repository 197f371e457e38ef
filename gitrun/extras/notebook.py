"""The runner of notebooks: executes a copy, cell by cell, in a kernel, and shows the cells' output as it arrives."""

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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from gitrun.dataclass import dataclass, field
from gitrun.scripts.notebooks import parse_notebook, set_notebook_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SAVE_EVERY = 5.0
"""Seconds between two writes of the partly executed copy."""
# the user's IPython history gets no cells of runs
NO_HISTORY = "--HistoryManager.hist_file=:memory:"


@dataclass
class Stop:
    """Requests to end the runner: the first signal (0: none), and whether to start no more cells."""

    number: int = 0
    is_final: bool = False
    waiting: list[Any] = field(default_factory=list)


class SingleKernel(KernelSpecManager):
    """A registry with a single kernel, started with the given words."""

    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self._words = words

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Returns the kernel, whatever name is asked for."""
        words = [*self._words, "-f", "{connection_file}", NO_HISTORY]
        return KernelSpec(argv=words, language="python", display_name=kernel_name)


class Client(NotebookClient):
    """Executes cells and shows their output: text on stdout and stderr, results on stdout, errors on stderr."""

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:  # noqa: ANN401 - as nbclient has it
        """Shows and returns the output that a message added to the cell."""
        message = super().process_message(msg, cell, cell_index)
        if message:
            show_output(message)
        return message


def run_notebook(directory: str) -> None:
    """Executes the notebook that the JSON file at `directory` describes. Exits with the notebook's status."""
    warnings.simplefilter("ignore")  # nbformat warns about files that Jupyter itself wrote
    spec = json.loads(Path(directory).read_bytes())
    sys.exit(asyncio.run(execute_notebook(spec)))


def show_output(output: Mapping[str, Any]) -> None:
    """Writes an output of a cell to stdout or stderr, as a program would."""
    kind = output["output_type"]
    if kind == "stream":
        write_text(sys.stderr if output["name"] == "stderr" else sys.stdout, output["text"])
    elif kind == "error":
        write_text(sys.stderr, "\n".join(output["traceback"]) + "\n")
    else:
        text = output["data"].get("text/plain", "")
        write_text(sys.stdout, f"{text}\n" if text else "")


def write_text(stream: TextIO, text: str) -> None:
    """Writes text at once; removes colours if the stream is not a terminal."""
    stream.write(text if stream.isatty() else COLOURS.sub("", text))
    stream.flush()


async def execute_notebook(spec: Mapping[str, Any]) -> int:
    """Executes a copy of the notebook. Returns the exit status. Ends by the same signal if one ended the notebook."""
    source = Path(spec["notebook"])
    copy = copy_without_outputs(source, spec["flags"])
    target = source.with_suffix(".out.ipynb")
    save_copy(copy, target)  # replaces the copy of an earlier attempt
    stop = Stop()
    with tempfile.TemporaryDirectory(prefix="gitrun-") as directory:
        manager = make_manager(spec, directory)
        client = Client(copy, km=manager, record_timing=False, coalesce_streams=True)
        handle_signals(stop, manager, spec["grace"], partial(save_copy, copy, target))
        try:
            status = await execute_cells(client, manager, stop, target)
        finally:
            with suppress(RuntimeError, NoSuchKernel):
                await manager.shutdown_kernel(now=stop.is_final)
            save_copy(copy, target)
    if stop.number and (status or stop.is_final):
        signal.signal(stop.number, signal.SIG_DFL)
        os.kill(os.getpid(), stop.number)
    return status


def copy_without_outputs(source: Path, flags: Mapping[str, Any]) -> Any:  # noqa: ANN401 - nbformat has no type for it
    """Returns the notebook with the values of its flags and without earlier outputs."""
    notebook = set_notebook_flags(parse_notebook(source.read_bytes(), source.name), flags)
    copy = nbformat.reads(json.dumps(notebook), as_version=4)  # type: ignore[no-untyped-call]
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy


def save_copy(copy: Any, target: Path) -> None:  # noqa: ANN401 - nbformat has no type for it
    """Writes the copy in its present state, atomically and never through a link."""
    fresh = target.with_name(f".{target.name}.part")
    text: str = nbformat.writes(copy)  # type: ignore[no-untyped-call]
    fresh.write_text(text + "\n", "utf-8")
    fresh.replace(target)


def make_manager(spec: Mapping[str, Any], directory: str) -> AsyncKernelManager:
    """Returns the manager of the kernel: the user's Python, or the kernel that the notebook names."""
    if not spec["kernel"]:
        return AsyncKernelManager(kernel_name=spec["name"])
    # sockets in a private directory: no port that another process could take or probe
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{directory}/kernel")
    manager.kernel_spec_manager = SingleKernel(spec["kernel"])
    manager.connection_file = f"{directory}/kernel.json"
    return manager


def handle_signals(stop: Stop, manager: AsyncKernelManager, grace: float, save: Callable[[], None]) -> None:
    """Makes signals interrupt the kernel. A cell may catch Ctrl-C; after other signals no more cells start."""
    loop = asyncio.get_running_loop()

    async def interrupt() -> None:
        with suppress(RuntimeError):  # the kernel has not started yet, or has ended
            await manager.interrupt_kernel()

    async def kill() -> None:
        with suppress(RuntimeError):
            await manager.shutdown_kernel(now=True)

    def obey(number: signal.Signals) -> None:
        stop.number = stop.number or number
        stop.waiting.append(loop.create_task(interrupt()))
        if number != signal.SIGINT and not stop.is_final:
            stop.number, stop.is_final = number, True
            # a cell that ignores the interrupt must not keep us from saving the copy
            loop.call_later(grace / 2, lambda: stop.waiting.append(loop.create_task(kill())))
            # where the kernel takes long to die, nothing of us is left after the grace
            save()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, obey, number)


async def execute_cells(client: Client, manager: AsyncKernelManager, stop: Stop, target: Path) -> int:
    """Executes the cells until one fails or a signal orders the end. Returns the exit status."""
    client.reset_execution_trackers()
    saved_at = time.monotonic()
    try:
        await manager.start_kernel()
        await client.async_start_new_kernel_client()
        for number, cell in enumerate(client.nb.cells):
            # no cell could catch a Ctrl-C that came before the first one
            if stop.is_final or (stop.number and not client.code_cells_executed):
                return 1
            await client.async_execute_cell(cell, number, execution_count=client.code_cells_executed + 1)
            if time.monotonic() - saved_at > SAVE_EVERY:
                save_copy(client.nb, target)
                saved_at = time.monotonic()
        client.set_widgets_metadata()
    except CellExecutionError:
        return 1  # the client has shown its traceback
    except (NoSuchKernel, OSError) as error:
        write_text(sys.stderr, f"the kernel '{client.nb.metadata.kernelspec.name}' cannot be started: {error}\n")
        return 1
    except (DeadKernelError, RuntimeError) as error:
        if not stop.number:
            write_text(sys.stderr, f"the kernel has ended: {error}\n")
        return 1
    finally:
        if client.kc:
            client.kc.stop_channels()
    return 0
