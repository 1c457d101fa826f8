"""What a process that reads hostile files may not do: grow, write files, open many, run programs, reach a network."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

MEMORY_BYTES = 1_800_000_000  # beside 0.15 GB of programs: below 2 GB
MAX_OPEN_FILES = 64
NICENESS = 10  # pages and video playback come first

# linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/audit.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET = 0, 4  # struct seccomp_data
_OTHER_ABI = 0x40000000  # x32 calls, by which the table below could be got round
# Architecture -> (AUDIT_ARCH, numbers of socket, execve, execveat, ptrace, io_uring_setup).
_SYSTEM_CALLS = {
    "x86_64": (0xC000003E, (41, 59, 322, 101, 425)),
    "aarch64": (0xC00000B7, (198, 221, 281, 117, 425)),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is in force in a process: `resources` memory, files and writing are limited; `no_network` neither a socket
    nor another program can be opened."""

    resources: bool
    no_network: bool


def confine() -> Limits:
    """Limit this process for good, as far as the system lets an ordinary user; to be called before it has threads.

    It may grow by `MEMORY_BYTES` of address space (setrlimit(2), RLIMIT_AS), hold `MAX_OPEN_FILES` files open and write
    to none; on Linux on x86-64 and AArch64 it opens no socket and runs no program (seccomp(2)).
    """
    yield_processor()
    return Limits(resources=_limit_resources(), no_network=_refuse_network())


def yield_processor() -> None:
    """Leave the processor to pages where it is scarce: a niceness of `NICENESS` at least (nice(2))."""
    if hasattr(os, "nice"):
        os.nice(max(0, NICENESS - os.nice(0)))


def limit_seconds(seconds: float) -> None:
    """Have the system end this process once it has used `seconds` more of processor time, its threads' together."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    end_s = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (end_s if hard == resource.RLIM_INFINITY else min(end_s, hard), hard))


def limit_growth(extra_bytes: int) -> bool:
    """Let this process's address space grow by so many bytes and no more; False where the system has no such limit."""
    if sys.platform != "linux":
        return False
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, _at_most(pages * resource.getpagesize() + extra_bytes, resource.RLIMIT_AS))
    return True


def limit_data(most_bytes: int) -> None:
    """Let this process have so much writable memory of its own and no more (setrlimit(2), RLIMIT_DATA, on Linux).

    Unlike the address space this leaves out libraries and what threads only reserve.
    """
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, _at_most(most_bytes, resource.RLIMIT_DATA))


def largest_resident_bytes() -> int:
    """The most memory that this process has had resident; 0 where the system does not say (proc(5), VmHWM)."""
    # Not getrusage(2): its figure begins with that of the process which started this one.
    if sys.platform != "linux":
        return 0
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def return_freed_memory() -> None:
    """Free what only cycles hold, and give back to the system what the allocator keeps (malloc_trim(3); glibc only).

    Tensors freed by many threads leave gaps that no later analysis fills; without this a process stays at twice what it
    needs.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _limit_resources() -> bool:
    if sys.platform == "win32":
        return False
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, _at_most(MAX_OPEN_FILES, resource.RLIMIT_NOFILE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit_growth(MEMORY_BYTES)


def _at_most(wanted: int, kind: int) -> tuple[int, int]:
    """Soft and hard limit, within what is in force already."""
    import resource

    hard = resource.getrlimit(kind)[1]
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    return limit, limit


def _refuse_network() -> bool:
    if sys.platform != "linux" or platform.machine() not in _SYSTEM_CALLS or struct.calcsize("P") != 8:
        return False
    architecture, refused = _SYSTEM_CALLS[platform.machine()]
    checks = [(_JUMP_AT_LEAST, _OTHER_ABI), *((_JUMP_EQUAL, number) for number in refused)]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_EQUAL, 0, len(checks) + 2, architecture),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        *((kind, len(checks) - at, 0, value) for at, (kind, value) in enumerate(checks)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filters = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(filters), 0, 0) == 0


def usable_cores() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
