"""A program under ptrace, struck at one numbered point: killed there, or given an error in place of what it asked for.

A point is a system call that changes files or starts a program, by any process of the program's, counted from 1 in the
order in which they come: `python tracing.py '{"at": 7, "victim": "all", "told": 2}' -- git run p.py`. What happened is a
line of JSON on the descriptor `told`. This file needs nothing but Python, on Linux on x86-64.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

CALLS = {
    "open": 2, "pwrite64": 18, "execve": 59, "fsync": 74, "fdatasync": 75, "truncate": 76, "ftruncate": 77, "rename": 82,
    "mkdir": 83, "rmdir": 84, "link": 86, "unlink": 87, "symlink": 88, "openat": 257, "mkdirat": 258, "unlinkat": 263,
    "renameat": 264, "linkat": 265, "symlinkat": 266, "renameat2": 316,
}  # fmt: skip
WRITES = {"write": 1, "pwrite64": 18, "fsync": 74, "fdatasync": 75}
FLUSHES = {"fsync": 74, "fdatasync": 75}
NAMES = {number: name for name, number in (CALLS | WRITES).items()}
RAX, RDX, RSI, RDI, ORIG_RAX = 10, 12, 13, 14, 15
"""Places in user_regs_struct (sys/user.h)."""
TRACEME, CONT, GETREGS, SETREGS, SETOPTIONS = 0, 7, 12, 13, 0x4200
FORK, VFORK, CLONE, EXEC, SECCOMP, EXITKILL = 2, 4, 8, 16, 128, 1 << 20
SECCOMP_EVENT = 7
WALL = 0x40000000
LONGEST = 60
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


class Step(ctypes.Structure):
    """A step of a filter (linux/filter.h)."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Filter(ctypes.Structure):
    """A filter (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(Step)))


def stop_at(numbers):
    """From now on this process and its children stop at these calls, and at no others."""
    count = len(numbers)
    steps = [Step(0x20, 0, 0, 0)]
    steps += [Step(0x15, count - place, 0, number) for place, number in enumerate(numbers)]
    steps += [Step(0x06, 0, 0, 0x7FFF0000), Step(0x06, 0, 0, 0x7FF00000)]
    rules = (Step * len(steps))(*steps)
    program = Filter(len(steps), ctypes.cast(rules, ctypes.POINTER(Step)))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
        os._exit(125)


class Tracer:
    """The tracing of one program."""

    def __init__(self, wish, words):
        self.at, self.victim, self.error = wish.get("at", 0), wish.get("victim", "all"), wish.get("error", 0)
        self.within, self.lasts = wish.get("within", ""), wish.get("lasts", False)
        self.calls = FLUSHES if wish.get("flushes") else WRITES if wish.get("writes") else CALLS
        self.points, self.struck = 0, ""
        self.top = os.fork()
        if not self.top:
            libc.ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            stop_at(list(self.calls.values()))
            os.close(wish["told"])
            os.execvp(words[0], words)
        os.waitpid(self.top, 0)
        self.ask(SETOPTIONS, self.top, FORK | VFORK | CLONE | EXEC | SECCOMP | EXITKILL)
        self.known = {self.top}
        self.ask(CONT, self.top, 0)

    def ask(self, request, pid, data):
        with suppress(ProcessLookupError):
            return libc.ptrace(request, pid, None, data)

    def follow(self):
        """The exit status of the program, after all its processes have ended."""
        ended = None
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return ended
            if os.WIFSTOPPED(status):
                self.stopped(pid, os.WSTOPSIG(status), status >> 16)
                continue
            self.known.discard(pid)
            if pid == self.top:
                ended = os.waitstatus_to_exitcode(status)

    def stopped(self, pid, number, event):
        if event == SECCOMP_EVENT:
            self.point(pid)
        fresh = pid not in self.known
        self.known.add(pid)
        self.ask(CONT, pid, 0 if event or (fresh and number == signal.SIGSTOP) or number == signal.SIGTRAP else number)

    def point(self, pid):
        registers = (ctypes.c_ulonglong * 27)()
        if self.ask(GETREGS, pid, ctypes.addressof(registers)):
            return
        name = NAMES[registers[ORIG_RAX]]
        path = self.path(pid, name, registers)
        if path is None:
            return
        self.points += 1
        if self.points != self.at and not (self.lasts and 0 < self.at < self.points):
            return
        self.struck = self.struck or f"{name} {path} by {self.program(pid)}"
        if self.error:
            registers[RAX], registers[ORIG_RAX] = ctypes.c_ulonglong(-self.error).value, ctypes.c_ulonglong(-1).value
            self.ask(SETREGS, pid, ctypes.addressof(registers))
            return
        for victim in {"all": list(self.known), "self": [pid], "supervisor": [self.top]}[self.victim]:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def path(self, pid, name, registers):
        """The path that the call is about, empty if about none; None if the call is no point."""
        created = {"open": RSI, "openat": RDX}.get(name)
        if created is not None and not registers[created] & os.O_CREAT:
            return None
        if name in WRITES or name == "ftruncate":
            return self.open_file(pid, registers[RDI])
        place = registers[RSI if name.endswith(("at", "at2")) else RDI]
        try:
            with Path(f"/proc/{pid}/mem").open("rb") as memory:
                memory.seek(place)
                text = os.fsdecode(memory.read(300).partition(b"\0")[0])
        except OSError:
            text = ""
        is_point = Path(text).exists() if name == "execve" else not (is_device(text) or text.startswith("/proc/"))
        return text if is_point else None

    def open_file(self, pid, descriptor):
        """The path of an open file that counts."""
        with suppress(OSError):
            place = str(Path(f"/proc/{pid}/fd/{descriptor}").readlink())
            return place if place.startswith(self.within or "/") and not is_device(place) else None
        return None

    def program(self, pid):
        with suppress(OSError), Path(f"/proc/{pid}/cmdline").open("rb") as file:
            return os.fsdecode(file.read().replace(b"\0", b" "))[:200]
        return "?"


def is_device(path):
    """Whether this is no file that a disk may refuse; the tests may run in the memory below /dev/shm."""
    return path.startswith("/dev/") and not path.startswith("/dev/shm/")


if __name__ == "__main__":
    signal.alarm(LONGEST)
    wish = json.loads(sys.argv[1])
    tracer = Tracer(wish, sys.argv[3:])
    status = tracer.follow()
    os.write(wish["told"], json.dumps({"points": tracer.points, "struck": tracer.struck, "status": status}).encode())
