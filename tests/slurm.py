"""A Slurm of one node on this machine: munged, slurmctld and slurmd of our own, with all their files in one directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from remote_servers import free_port
from supervised import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CredType=cred/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DAEMONS = ("munged", "slurmctld", "slurmd")


def write_key(place: Path) -> None:
    """Writes the key that all parts of a Slurm share."""
    key = place / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)


@pytest.fixture
def slurm(tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """A Slurm with two processors, which `sbatch` finds. Gives the directory of its files."""
    search = f"/usr/sbin:{os.environ['PATH']}"
    programs = [shutil.which(name, path=search) for name in (*DAEMONS, "sbatch")]
    if None in programs or os.geteuid() != 0:
        pytest.skip("Slurm (munge, slurmctld, slurmd, slurm-client) is not installed, or this is not root")
    place = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (place / name).mkdir()
    write_key(place)
    host = socket.gethostname().partition(".")[0]
    config = place / "slurm.conf"
    config.write_text(CONFIG.format(host=host, place=place, controller=free_port(), node=free_port()))
    monkeypatch.setenv("SLURM_CONF", str(config))
    options = [f"--{name}-file={place}/munge.{name}" for name in ("key", "log", "pid", "seed")]
    munge = ("--force", "--foreground", f"--socket={place}/munge.socket", *options)
    commands = ((programs[0], *munge), (programs[1], "-D"), (programs[2], "-D"))
    with ExitStack() as stack, (place / "output").open("ab") as output:
        for words in commands:
            process = subprocess.Popen([str(word) for word in words], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        ask = ["sinfo", "--noheader", "--format=%T"]
        until(lambda: subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == "idle", 60)
        yield place
        subprocess.run(["scancel", "--user=root"], check=False)
        await_jobs()


def await_jobs(seconds: float = 120) -> None:
    """Waits until no job is queued or running."""
    words = ["squeue", "--noheader"]
    until(lambda: subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "", seconds)
