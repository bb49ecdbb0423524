"""What a decoder process may still do once it is ready: compute, and talk over the channel that it has.

Linux only, no rights needed. An attacker who takes the process over through a hole in a decoder finds no file, no
network, no other process and no secret; what is left is to lie about the pixels.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from dataclasses import dataclass

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP, _FILTER = 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # to refuse: EPERM
_LOAD, _EQUAL, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x45, 0x06  # instructions of the filter
_NUMBER, _ARCHITECTURE, _THIRD_ARGUMENT = 0, 4, 32  # where they are in what the filter is given
_EXECUTABLE = 4


@dataclass(frozen=True)
class _Calls:
    """Numbers of system calls on one kind of processor. `mmap` is allowed unless it asks for memory to execute."""

    architecture: int
    mmap: int
    allowed: tuple[int, ...]


_CALLS = {
    "x86_64": _Calls(
        architecture=0xC000003E,
        mmap=9,
        # read write poll munmap brk rt_sigprocmask rt_sigreturn sched_yield mremap madvise setitimer getpid exit
        # getppid futex restart_syscall clock_gettime exit_group getrandom
        allowed=(0, 1, 7, 11, 12, 14, 15, 24, 25, 28, 38, 39, 60, 110, 202, 219, 228, 231, 318),
    ),
    "aarch64": _Calls(
        architecture=0xC00000B7,
        mmap=222,
        # read write ppoll exit exit_group futex setitimer clock_gettime sched_yield restart_syscall rt_sigprocmask
        # rt_sigreturn getpid getppid brk munmap mremap madvise getrandom
        allowed=(63, 64, 73, 93, 94, 98, 103, 113, 124, 128, 135, 139, 172, 173, 214, 215, 216, 233, 278),
    ),
}


def confine(memory_bytes: int) -> bool:
    """Give everything up but memory (`memory_bytes` of it at most) and the descriptors that are open.

    Returns whether system calls are filtered from now on; where the kernel or the processor does not allow that, the
    limits alone hold.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(limit, (0, 0))
    # `poll` takes no more descriptors than this, and no new one may have a number as high.
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, 1))
    return _filter_calls()


def _filter_calls() -> bool:
    calls = _CALLS.get(platform.machine())
    if calls is None or os.uname().sysname != "Linux":
        return False
    program = _program(calls)
    instructions = ctypes.create_string_buffer(b"".join(program), 8 * len(program))
    described = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(program), ctypes.addressof(instructions)))
    prctl = ctypes.CDLL(None).prctl
    return bool(
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(described), 0, 0) == 0
    )


def _program(calls: _Calls) -> list[bytes]:
    """The filter, instruction by instruction; a jump counts how many are skipped when its condition holds, or not."""
    count = len(calls.allowed)
    return [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, calls.architecture, jump=1),
        _instruction(_ANSWER, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_EQUAL, calls.mmap, otherwise=4),
        _instruction(_LOAD, _THIRD_ARGUMENT),
        _instruction(_ANY_BIT, _EXECUTABLE, otherwise=1),
        _instruction(_ANSWER, _REFUSE),
        _instruction(_ANSWER, _ALLOW),
        *(_instruction(_EQUAL, number, jump=count - at) for at, number in enumerate(calls.allowed)),
        _instruction(_ANSWER, _REFUSE),
        _instruction(_ANSWER, _ALLOW),
    ]


def _instruction(code: int, value: int, *, jump: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump, otherwise, value)
