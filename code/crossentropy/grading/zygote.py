"""What runs on the other side of the wall: a process that has imported torch and nothing of ours, and what is forked from it.

Started by ``sandbox.py`` as a script of its own, never imported by the grader. The mother imports torch, once for all, and runs nothing. She
forks the grader's workers, which then import the grader, and the zygotes. Three processes stand between a worker and a student's code:

- the zygote: moves to a root that holds a read-only Python and nothing else, without network. It hands every question's socket on unread,
  so no child inherits anything of another question or another student.
- the guard, one a question: another uid, new user, mount, process, network, IPC, host-name and cgroup namespaces. Watches the clock.
- the child, process 1 of that namespace: no capabilities, limits on memory, processes, files and sizes, a filter of system calls that
  refuses new processes and programs. Reads the question, runs the student's cells, writes plain data. When it ends, its namespace ends.

In a container (``containers.py``) the mother is process 1 of it, and makes no namespaces: the child has a root of its own in which nothing can
be written, a uid of its own, no capabilities, and the same limits and filter.

What the child writes is believed by nobody: ``wire.py`` reads it. Which walls stand is decided here, before the student's first byte is read.
"""

import contextlib
import ctypes
import gc
import json
import os
import platform
import random
import resource
import select
import signal
import socket
import stat
import struct
import sys
import time
import types
from collections.abc import Callable
from typing import Any

MOUNT_READ_ONLY, MOUNT_NO_SUID, MOUNT_NO_DEVICES, MOUNT_NO_EXEC = 1, 2, 4, 8
MOUNT_REMOUNT, MOUNT_BIND, MOUNT_RECURSIVE, MOUNT_PRIVATE = 32, 4096, 16384, 1 << 18
# What statvfs says of a mount, and the flag that keeps it: a user namespace may not drop what its parent set.
KEPT = {os.ST_NOEXEC: MOUNT_NO_EXEC, os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}
DETACH = 2
NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x20000,
    0x2000000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
CLONE_THREAD = 0x10000
DEATH_SIGNAL, DUMPABLE, PROCESS_NAME, SECCOMP, DROP_BOUNDING, NO_NEW_PRIVILEGES = 1, 4, 15, 22, 24, 38

# How the guard's exit tells what became of the child; 128 + n is a signal.
ENDED, FAILED, OUT_OF_CPU, OUT_OF_TIME, NO_WALLS = 0, 1, 2, 3, 4

# Uids that nobody has: one a zygote, so that two students never share one.
FIRST_UID, UIDS = 61_000, 4_000
INSIDE_UID = 65_534
# The child's root in a container.
INNER = "/inner"
# All that a child's environment holds.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
TMP_BYTES, TMP_FILES = 64 * 2**20, 1_024
FILE_BYTES = 64 * 2**20
OPEN_FILES, PROCESSES = 128, 64
LARGEST_ANSWER = 4 * 2**20
LONGEST_TEXT = 300
# What an answer used that is no operation's name.
OWN_CLASS, WAY_AROUND = "a class of tensors of its own", "a way around the watch"
CHECK = ("crossentropy.exercises", "check")

# Refused system calls, x86_64 and aarch64: other programs and processes, other namespaces, sockets, memory that no limit counts, other
# processes' memory, the kernel's own doors. clone makes threads only; clone3 is said not to exist, so that libc falls back to clone; prctl
# takes back no PR_SET_PDEATHSIG, by which the child ends with its guard.
REFUSED = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "kexec_load": (246, 104), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "personality": (135, 92),
    "syslog": (103, 116), "fanotify_init": (300, 262), "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None),
}  # fmt: skip
# The audit architecture, and the numbers of clone, clone3, prctl, capset and pivot_root.
MACHINES = {"x86_64": (0, 0xC000003E, 56, 435, 157, 126, 155), "aarch64": (1, 0xC00000B7, 220, 435, 167, 91, 41)}

libc = ctypes.CDLL(None, use_errno=True)
# Modules that load_torch imports; the grader that reads this file does not.
torch: Any
dispatch: Any
# Where a function of C stands, of numpy's or torch's, in any module: by its bare name the modules' spaces and the name there.
places: dict[str, list[tuple[dict[str, Any], str]]] = {}
Encode = Callable[[Any, list[bytes]], list[Any]]


class Forbidden(RuntimeError):
    """Raised inside a student's function that calls what the question forbids."""


def called(name: str, *arguments: Any) -> None:
    """Call libc; an error is an OSError."""
    done = getattr(libc, name)(*(ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments))
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    called(
        "mount",
        *(None if text is None else os.fsencode(text) for text in (source, target, kind)),
        flags,
        data and data.encode(),
    )


# The mother


def mother(door: socket.socket) -> None:
    """Import torch, then fork what is asked for, until the grader goes. A child is never waited for: its number stays its own."""
    settings = json.loads(door.recv(2**20))
    sys.path[:] = settings["path"]
    for name in set(os.environ) - set(ENVIRONMENT):
        del os.environ[name]
    os.umask(0o022)
    load_torch()
    if os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("importing torch started a thread: a fork of this process could hang")
    # The collector would touch, and so copy, every page that a child shares with this process.
    gc.collect()
    gc.freeze()
    me = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(door, 2**16, 2)
        if not message:
            return
        if os.fork() == 0:
            try:
                door.close()
                die_with(me)
                asked = json.loads(message)
                name = asked.pop("fork")
                called("prctl", PROCESS_NAME, name.encode())
                BORN[name](*descriptors, **settings | asked)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


def worker(connection: int, door: int, *, path: list[str], **rest: Any) -> None:
    """Become one of the grader's workers: judges on this side of the wall."""
    sys.path[:] = path
    from crossentropy.grading.pool import work

    work(connection, door)


def load_torch() -> None:
    """torch, on one thread and with no operation run, and what the first operation would look up in /proc."""
    global torch, dispatch
    import torch
    import torch.utils._python_dispatch as dispatch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.backends.cpu.get_cpu_capability()
    torch._tensor_str._str = shown
    find_places()


def find_places() -> None:
    """Find once what every child that forbids something must take away: numpy's functions are seen by no watch of torch's."""
    import numpy

    for module in {id(module): module for module in [*sys.modules.values()]}.values():
        if not isinstance(module, types.ModuleType) or module.__name__.partition(".")[0] not in {"torch", "numpy"}:
            continue
        space = module.__dict__
        for name, value in space.items():
            # Asked of the type: some of torch's objects warn when they are asked for their class.
            if issubclass(type(value), numpy.ufunc | types.BuiltinFunctionType):
                for told in {bare(name), bare(value.__name__)}:
                    places.setdefault(told, []).append((space, name))


def bare(name: str) -> str:
    return name.lower().replace("_", "")


def shown(tensor: Any, *, tensor_contents: str | None = None) -> str:
    """A tensor's text, its operations watched like all others: torch's own takes the watch off for them, and imports its compiler for that."""
    with torch.no_grad():
        kept = torch._C._DisableFuncTorch()
        text: str = torch._tensor_str._str_intern(tensor, tensor_contents=tensor_contents)
        del kept
    return text


# The zygote


def build_root(paths: list[str], links: list[list[str]]) -> None:
    """Move to a root that holds ``paths``, read-only at their own places, an empty /tmp and four devices, and nothing else."""
    user = NEW_USER if os.geteuid() else 0
    uid, gid = os.getuid(), os.getgid()
    called("unshare", user | NEW_MOUNTS | NEW_NET | NEW_IPC | NEW_UTS)
    if user:
        write_maps("/proc", uid, uid, gid, gid)
    mount(None, "/", None, MOUNT_RECURSIVE | MOUNT_PRIVATE)
    # Built over what nobody needs any more, in this process's own view: no folder is made, and none is left.
    root = "/proc"
    mount("none", root, "tmpfs", MOUNT_NO_SUID | MOUNT_NO_DEVICES, "size=4m,mode=755")
    devices = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"]
    for path in [*paths, *devices]:
        place = root + path
        os.makedirs(os.path.dirname(place), mode=0o755, exist_ok=True)
        if os.path.isdir(path):
            os.makedirs(place, mode=0o755, exist_ok=True)
        elif not os.path.exists(place):
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o444))
        mount(path, place, None, MOUNT_BIND | MOUNT_RECURSIVE)
        if path not in devices:
            kept = sum(flag for told, flag in KEPT.items() if os.statvfs(place).f_flag & told)
            mount(
                None,
                place,
                None,
                MOUNT_REMOUNT | MOUNT_BIND | MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEVICES | kept,
            )
    for name, target in links:
        if not os.path.lexists(root + name):
            os.symlink(target, root + name)
    os.makedirs(root + "/tmp", mode=0o755, exist_ok=True)
    os.chdir(root)
    called("syscall", machine()[6], b".", b".")
    called("umount2", b".", DETACH)
    os.chdir("/")
    mount(None, "/", None, MOUNT_REMOUNT | MOUNT_BIND | MOUNT_READ_ONLY | MOUNT_NO_SUID | MOUNT_NO_DEVICES)


def machine() -> tuple[int, ...]:
    """The numbers of this machine's system calls."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise OSError(f"no walls are known for {sys.platform} on {platform.machine()}")
    return MACHINES[platform.machine()]


def write_maps(
    proc: str | None, inside_uid: int, uid: int, inside_gid: int, gid: int, *, folder: int | None = None
) -> None:
    """Say who this process is in its new user namespace: one uid and one gid, no other."""
    prefix = "" if folder is not None else f"{proc}/"
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside_uid} {uid} 1"),
        ("gid_map", f"{inside_gid} {gid} 1"),
    ):
        descriptor = os.open(f"{prefix}self/{name}", os.O_WRONLY, dir_fd=folder)
        os.write(descriptor, text.encode())
        os.close(descriptor)


def zygote(descriptor: int, *, walls: str, paths: list[str], links: list[list[str]], uid: int, **rest: Any) -> None:
    """Build the walls, then fork a guard for each socket that comes, until the grader goes."""
    control = socket.socket(fileno=descriptor)
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY) if walls == "namespaces" else None
    base, me = virtual_bytes(), os.getpid()
    hidden = [path for path in paths if path.startswith("/tmp/")]
    try:
        if walls == "namespaces":
            build_root(paths, links)
    except Exception as error:
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    control.send(json.dumps({"pid": me}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 4096, 1)
        if not message:
            return
        limits = {**json.loads(message), "base": base, "uid": uid, "hidden": hidden}
        number = limits["number"]
        pid = os.fork()
        if pid == 0:
            code = NO_WALLS
            try:
                die_with(me)
                code = guard(descriptors[0], limits, walls, proc, control)
            finally:
                os._exit(code)
        os.close(descriptors[0])
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(BrokenPipeError):
            control.send(json.dumps({"end": code if code >= 0 else NO_WALLS, "number": number}).encode())


def virtual_bytes() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


# The guard


def guard(descriptor: int, limits: dict[str, Any], walls: str, proc: int | None, control: socket.socket) -> int:
    """Build the question's own walls, fork the child behind them, watch its clock; returns what became of it."""
    if walls == "namespaces":
        uid = os.getuid()
        if uid == 0:
            uid = FIRST_UID + os.getppid() % UIDS
            become(uid)
        gid = os.getgid()
        called("prctl", DUMPABLE, 1, 0, 0, 0)
        called("unshare", NEW_USER | NEW_MOUNTS | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS | NEW_CGROUP)
        write_maps(None, INSIDE_UID, uid, INSIDE_UID, gid, folder=proc)
        mount(None, "/", None, MOUNT_RECURSIVE | MOUNT_PRIVATE)
        assert proc is not None
        fresh_tmp(limits["hidden"], proc)
    alive, held = os.pipe()
    standing, ready = os.pipe()
    # Once more: another uid has taken it back.
    die_with(os.getppid())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        try:
            os.close(held)
            enclose(descriptor, limits, walls, alive)
            os.write(ready, b"k")
            os.closerange(4, OPEN_FILES)
            answer(3)
        except BaseException:
            os._exit(FAILED)
        os._exit(ENDED)
    os.close(descriptor)
    os.close(ready)
    os.close(alive)
    return watch(child, limits, standing, control)


def become(uid: int) -> None:
    """Another user and group, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def fresh_tmp(hidden: list[str], proc: int) -> None:
    """An empty /tmp over the old one, and in it again what the child must see of that: a Python that is installed below /tmp."""
    kept = [(path, os.open(path, os.O_PATH)) for path in hidden]
    options = f"size={TMP_BYTES},nr_inodes={TMP_FILES},mode=1777"
    mount("none", "/tmp", "tmpfs", MOUNT_NO_SUID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC, options)
    os.fchdir(proc)
    for path, descriptor in kept:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.mkdir(path, 0o755)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o444))
        mount(f"self/fd/{descriptor}", path, None, MOUNT_BIND | MOUNT_RECURSIVE)
        os.close(descriptor)
    os.chdir("/")


def watch(child: int, limits: dict[str, Any], standing: int, control: socket.socket) -> int:
    """Wait for the child until its time is over, or nobody waits for it; then end it and all that it started."""
    if not os.read(standing, 1):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return NO_WALLS
    end = time.monotonic() + limits["wall"]
    late = None
    gone = select.poll()
    gone.register(control, 0)
    while True:
        pid, status = os.waitpid(child, 0 if late else os.WNOHANG)
        if pid:
            break
        if time.monotonic() > end or gone.poll(0):
            late = OUT_OF_TIME
        elif cpu_seconds(child) > limits["cpu"]:
            late = OUT_OF_CPU
        if late:
            os.kill(child, signal.SIGKILL)
        else:
            signal.sigtimedwait([signal.SIGCHLD], 0.05)
    if late:
        return late
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return ENDED if code == ENDED else FAILED
    return OUT_OF_CPU if -code == signal.SIGXCPU else 128 - code


def cpu_seconds(pid: int) -> float:
    """The processor time of another process, by its own clock."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def die_with(parent: int) -> None:
    """End when the parent ends, also where it has ended already."""
    called("prctl", DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(FAILED)


# The child


def enclose(descriptor: int, limits: dict[str, Any], walls: str, alive: int) -> None:
    """Give up everything that the student's code has no need of. The socket becomes file 3."""
    empty = os.open("/dev/null", os.O_RDWR)
    if walls == "container":
        os.chroot(INNER)
        os.chdir("/")
        become(limits["uid"])
    die_with(os.getppid())
    # From inside a process namespace nobody sees who the parent is.
    if select.select([alive], [], [], 0)[0]:
        raise RuntimeError("the guard has gone")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.setsid()
    for target in (0, 1, 2):
        os.dup2(empty, target)
    if descriptor != 3:
        os.dup2(descriptor, 3)
    if walls == "namespaces":
        called("sethostname", b"sandbox", 7)
    bounds = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: PROCESSES,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_CPU: int(limits["cpu"]) + 2,
    }
    if limits["base"]:
        bounds[resource.RLIMIT_AS] = limits["base"] + limits["memory"]
    for kind, value in bounds.items():
        resource.setrlimit(kind, (value, value))
    # Written past the limit, a file gives an error and no signal.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if walls != "none":
        for capability in range(64):
            if libc.prctl(DROP_BOUNDING, capability, 0, 0, 0) != 0:
                break
        header = struct.pack("Ii", 0x20080522, 0)
        called("syscall", machine()[5], header, bytes(24))
        called("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        filter_calls(limits["threads"])


def filter_calls(threads: bool) -> None:
    """From here on, the kernel refuses what stands in REFUSED, and where something is forbidden new threads: the watch stands in one."""
    column, audit, clone, clone3, prctl, _, _ = machine()
    refuse, absent, allow, kill = 0x50000 | 1, 0x50000 | 38, 0x7FFF0000, 0x80000000
    load, equal, at_least, has, leave = 0x20, 0x15, 0x35, 0x45, 0x06
    numbers = sorted(number for pair in REFUSED.values() if (number := pair[column]) is not None)
    program = [(load, 0, 0, 4), (equal, 1, 0, audit), (leave, 0, 0, kill), (load, 0, 0, 0)]
    # x86_64's other numbering of the same calls
    program += [(at_least, 0, 1, 0x40000000), (leave, 0, 0, refuse)]
    for number in numbers:
        program += [(equal, 0, 1, number), (leave, 0, 0, refuse)]
    program += [(equal, 0, 1, clone3), (leave, 0, 0, absent)]
    program += [
        (equal, 0, 4, prctl),
        (load, 0, 0, 16),
        (equal, 0, 1, DEATH_SIGNAL),
        (leave, 0, 0, refuse),
        (leave, 0, 0, allow),
        (equal, 0, 3, clone),
        (load, 0, 0, 16),
        (has, 1, 0, CLONE_THREAD if threads else 0),
        (leave, 0, 0, refuse),
        (leave, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    lines = ctypes.create_string_buffer(code, len(code))
    called("prctl", SECCOMP, 2, struct.pack("HxxxxxxP", len(program), ctypes.addressof(lines)), 0, 0)


def receive(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 2**20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def answer(descriptor: int) -> None:
    """Read the question, run the cells, call the function, write what came: one frame a call."""
    size, bulk = struct.unpack("<II", receive(descriptor, 8))
    question = json.loads(receive(descriptor, size))
    blob = receive(descriptor, bulk)
    torch.manual_seed(0)
    random.seed(0)
    sys.stdout = sys.stderr = open(1, "w", encoding="utf8", errors="replace", closefd=False)  # noqa: SIM115 - open to the end
    sys.setrecursionlimit(1000)
    os.chdir("/tmp" if os.access("/tmp", os.W_OK) else "/")
    used: set[str] = set()
    # The reply's own means, before anybody can exchange them.
    send, encode, fail = frame_writer(descriptor), plain, text_of
    if question["forbidden"]:
        plain_fields()
    standing = watching(frozenset(question["forbidden"]), used)

    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    # A notebook has it without an import.
    main.__dict__.update(display=Absent("IPython", harmless=True), get_ipython=Shell)
    trouble = []
    for cell in question["cells"]:
        problem = execute(cell["source"], cell["name"], main.__dict__)
        if problem:
            trouble.append([cell["name"], problem])
    function = main.__dict__.get(question["function"])
    send({"kind": "loaded", "trouble": trouble[:8], "found": callable(function)}, [])
    if callable(function):
        for call in question["calls"]:
            arguments = {name: decoded(entry, blob) for name, entry in call["arguments"].items()}
            frame = outcome(function, arguments, call["gradient"], encode, fail)
            # What was forbidden gives no answer, and neither does what nobody watched.
            if used or not standing():
                break
            send(*frame)
    standing()
    send({"kind": "end", "used": sorted(used)[:16]}, [])


# What takes a watch off torch's operations, or runs them past it.
DOORS = (
    "_pop_torch_dispatch_stack", "_push_on_torch_dispatch_stack", "_set_dispatch_mode", "_unset_dispatch_mode", "_DisableTorchDispatch",
    "_DisablePythonDispatcher", "ExcludeDispatchKeyGuard", "_ExcludeDispatchKeyGuard", "_IncludeDispatchKeyGuard", "_ForceDispatchKeyGuard",
    "_SetExcludeDispatchKeyGuard", "_PreserveDispatchKeyGuard", "_AutoDispatchBelowAutograd", "_AutoDispatchBelowADInplaceOrView",
    "_dispatch_call_boxed", "_dispatch_tls_set_dispatch_key_excluded", "_dispatch_tls_set_dispatch_key_included",
)  # fmt: skip


def watching(forbidden: frozenset[str], used: set[str]) -> Callable[[], bool]:
    """From here on every operation torch runs is seen, by whatever name it was reached, and the forbidden ones are refused.

    Returns a function that says whether they are still seen, and notes in ``used`` if they are not.
    """
    seen = [0]
    known: set[type] = {torch.Tensor, torch.nn.Parameter}
    home = os.path.dirname(torch.__file__) + os.sep

    def refuse(what: str, told: str) -> None:
        used.add(what)
        raise Forbidden(f"{told} may not be used in this question")

    class Watching(dispatch.TorchDispatchMode):  # type: ignore[misc]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            # Else torch imports its compiler here, which takes seconds in each child, or memory in all of them.
            return False

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen[0] += 1
            if forbidden:
                name = func._schema.name
                if any(key in name.replace("_", "") for key in forbidden):
                    refuse(name, name.removeprefix("aten::"))
                # What such a class does inside an operation, and what an operation of Python does, is out of sight.
                if not known.issuperset(types):
                    refuse(OWN_CLASS, OWN_CLASS)
                if name.partition("::")[0] not in {"aten", "prim", "prims", "profiler"}:
                    refuse(name, name)
            return func(*args, **(kwargs or {}))

    def of_their_own(cls: type, /, **_: Any) -> None:
        # torch makes such classes as well, when an optimiser steps for the first time.
        if not sys._getframe(1).f_code.co_filename.startswith(home):
            refuse(OWN_CLASS, OWN_CLASS)
        known.add(cls)

    def refusing(name: str) -> Callable[..., None]:
        return lambda *_, **__: refuse(name, name)

    watcher = Watching()
    watcher.__enter__()
    if not forbidden:
        return lambda: True
    torch.Tensor.__init_subclass__ = classmethod(of_their_own)
    probe, negative = torch.zeros(()), torch.Tensor.neg
    count, at = torch._C._len_torch_dispatch_stack, torch._C._get_dispatch_stack_at
    for module in (torch._C, dispatch):
        for name in DOORS:
            module.__dict__.pop(name, None)
    # Some of torch's functions are made of others, and no operation has their name.
    for place in (torch, torch.nn.functional, torch.special, torch.Tensor):
        for name in dir(place):
            kept = isinstance(getattr(place, name, None), type | types.ModuleType)
            if not kept and any(key in bare(name) for key in forbidden):
                setattr(place, name, refusing(name))
    for told, found in places.items():
        if any(key in told for key in forbidden):
            for space, name in found:
                space[name] = refusing(name)
    functions = torch._C._VariableFunctions
    torch._C.__dict__.pop("_VariableFunctionsClass", None)
    torch._C._VariableFunctions = torch._VF.vf = types.SimpleNamespace(
        **{
            name: refusing(name) if any(key in bare(name) for key in forbidden) else getattr(functions, name)
            for name in dir(functions)
            if not name.startswith("__")
        }
    )

    def standing() -> bool:
        before = seen[0]
        try:
            negative(probe)
            whole = seen[0] == before + 1 and count() > 0 and at(0) is watcher
        except BaseException:
            whole = False
        if not whole:
            used.add(WAY_AROUND)
        return whole

    return standing


def plain_fields() -> None:
    """From here on a dataclass has fields that are names: it writes them into code, and a class made at run time may call them anything."""
    import dataclasses

    make, field = dataclasses._process_class, dataclasses.Field  # type: ignore[attr-defined]
    look, kind = type.__getattribute__, type

    def made(cls: type, *more: Any, **options: Any) -> Any:
        for base in look(cls, "__mro__"):
            held = look(base, "__dict__")
            typed, fields = held.get("__annotations__", {}), held.get("__dataclass_fields__", {})
            if (
                kind(typed) is not dict
                or kind(fields) is not dict
                or any(kind(each) is not field for each in fields.values())
            ):
                raise TypeError("the fields of a dataclass stand in its class")
            if not all(
                kind(name) is str and name.isidentifier() for name in (*typed, *(each.name for each in fields.values()))
            ):
                raise TypeError("a field of a dataclass has a name")
        return make(cls, *more, **options)

    dataclasses._process_class = made  # type: ignore[attr-defined]


def execute(source: str, name: str, space: dict[str, Any]) -> str | None:
    """Run a cell statement by statement: what stands above an error keeps its place, as in a notebook.

    An import of what is not here is no error until the name is used, and what uses it is left out: many cells begin with a plotting library
    that the answer does without. Returns the error that ended the cell, else the first that was left out.
    """
    import __future__

    import ast

    flags = 0
    left = None
    try:
        for statement in (part for whole in ast.parse(source, name).body for part in one_by_one(whole)):
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                flags |= sum(getattr(__future__, alias.name).compiler_flag for alias in statement.names)
            code = compile(ast.Module([statement], []), name, "exec", flags, dont_inherit=True)
            nodes = [*ast.walk(statement)]
            try:
                exec(code, space)
            except Exception as error:
                used = [space.get(node.id) for node in nodes if isinstance(node, ast.Name)]
                absent = [value for value in used if type(value) is Absent]
                if not absent and not isinstance(error, ModuleNotFoundError):
                    raise
                importing = isinstance(statement, ast.Import | ast.ImportFrom)
                left = left if importing else left or text_of(error)
                module = str(getattr(error, "name", None) or (absent[0].absent[0] if absent else ""))
                for bound, harmless in (pair for node in nodes for pair in names_of(node, module)):
                    if importing or bound not in space:
                        space[bound] = Absent(module, harmless=harmless)
    except BaseException as error:
        return text_of(error)
    return left


def one_by_one(statement: Any) -> list[Any]:
    """``import a, b`` as two statements: of one library that is not here the others know nothing."""
    import ast

    if not isinstance(statement, ast.Import):
        return [statement]
    return [ast.copy_location(ast.Import([alias]), statement) for alias in statement.names]


def names_of(node: Any, module: str) -> list[tuple[str, bool]]:
    """The names that a part of a statement would have bound, and whether what they stand for does nothing when it is called."""
    import ast

    if isinstance(node, ast.Import | ast.ImportFrom):
        known = module.partition(".")[0] == "IPython"
        return [
            (alias.asname or alias.name.split(".")[0], known or (getattr(node, "module", None), alias.name) == CHECK)
            for alias in node.names
        ]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [(node.name, False)]
    return [(node.id, False)] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []


class Absent:
    """In the place of a module that is not in the sandbox, or of what was imported from it."""

    def __init__(self, module: str, *, harmless: bool) -> None:
        self.__dict__["absent"] = module, harmless

    def __getattr__(self, name: str) -> Any:
        raise ModuleNotFoundError(
            f"{self.absent[0]} is not in the sandbox, which has torch, numpy and Python's own modules",
            name=self.absent[0],
        )

    def __call__(self, *_: Any, **__: Any) -> Any:
        # The book's own check, and what a notebook displays, show something and give nothing.
        return None if self.absent[1] else self.__getattr__("")


class Shell:
    """In the place of IPython: whatever is asked of it, it does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def text_of(error: BaseException) -> str:
    """An error in a line; what cannot be said is left out."""
    try:
        kind = type(error)
        # A class of the student's own says what it likes; what it says is a line of text in any case.
        said = str(error) if kind.__module__ == "builtins" else BaseException.__str__(error)
        return f"{type.__getattribute__(kind, '__name__')}: {said}"[:LONGEST_TEXT]
    except BaseException:
        return "an error that cannot be shown"


def decoded(entry: list[Any], blob: bytes) -> Any:
    dtype, shape, start, size = entry
    if not size:
        return torch.zeros(shape, dtype=getattr(torch, dtype))
    return torch.frombuffer(bytearray(blob[start : start + size]), dtype=getattr(torch, dtype)).reshape(shape)


def outcome(
    function: Callable[..., Any],
    arguments: dict[str, Any],
    wants_gradient: bool,
    encode: Encode,
    fail: Callable[[BaseException], str],
) -> tuple[dict[str, Any], list[bytes]]:
    """One call as a frame: the answer, the gradients, the arguments afterwards. As ``exercises.running`` does it."""
    tensors: list[bytes] = []
    given = {name: value.clone() for name, value in arguments.items()}
    result = problem = None
    try:
        result = function(*given.values())
    except BaseException as error:
        problem = ["raised", fail(error)]
    value = None
    if problem is None:
        value, problem = plain_value(result)
    header: dict[str, Any] = {
        "kind": "outcome",
        "problem": problem,
        "value": None if value is None else encode(value, tensors),
        "gradients": {},
    }
    header["after"] = {name: encode(argument, tensors) for name, argument in given.items() if small(argument)}
    if wants_gradient and value is not None:
        gradients = gradients_of(function, arguments)
        header["gradients"] = {
            name: None if entry is None else encode(entry, tensors) for name, entry in gradients.items()
        }
    return header, tensors


def small(value: Any) -> bool:
    return bool(value.numel() * value.element_size() <= LARGEST_ANSWER)


def plain_value(result: Any) -> tuple[Any, list[str] | None]:
    """The result as a plain tensor, or what is wrong with its type."""
    if result is None:
        return None, ["none", ""]
    kind = type(result)
    called_by = f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")[:LONGEST_TEXT]
    try:
        if isinstance(result, torch.Tensor):
            with torch._C.DisableTorchFunctionSubclass():
                value = torch.Tensor.as_subclass(torch.Tensor.detach(result), torch.Tensor)
                if value.layout != torch.strided or value.device.type != "cpu" or not value.is_floating_point():
                    return None, ["type", f"a tensor of {value.dtype}".replace("torch.", "")]
                if not small(value):
                    return None, ["type", f"a tensor of {value.numel()} entries"]
                return value.clone(), None
        # numpy's float64 is one of these. Asked of the type: an object may lie about its class.
        if issubclass(kind, float):
            return torch.tensor(float.__float__(result), dtype=torch.float64), None
        value = torch.as_tensor(result)
        return (value.detach().clone() if value.is_floating_point() and small(value) else None), ["type", called_by]
    except BaseException:
        return None, ["type", called_by]


def gradients_of(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    leaves = {name: value.clone().requires_grad_(value.is_floating_point()) for name, value in arguments.items()}
    wanted = [name for name, leaf in leaves.items() if leaf.requires_grad]
    try:
        result = function(*(leaf.clone() for leaf in leaves.values()))
        weights = torch.linspace(0.5, 1.5, max(result.numel(), 1), dtype=result.dtype)[: result.numel()].reshape(
            result.shape
        )
        (result * weights).sum().backward()
        return {name: None if leaves[name].grad is None else leaves[name].grad.detach().clone() for name in wanted}
    except BaseException:
        return dict.fromkeys(wanted)


def plain(value: Any, tensors: list[bytes]) -> list[Any]:
    """Dtype and shape for the header; the bytes for what follows it."""
    value = value.detach().contiguous()
    tensors.append(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return [str(value.dtype).removeprefix("torch."), list(value.shape)]


def frame_writer(descriptor: int) -> Callable[[dict[str, Any], list[bytes]], None]:
    write, pack, dumps = os.write, struct.pack, json.dumps

    def send(header: dict[str, Any], tensors: list[bytes]) -> None:
        text = dumps(header).encode()
        blob = b"".join(tensors)
        message = memoryview(pack("<II", len(text), len(blob)) + text + blob)
        while message:
            message = message[write(descriptor, message) :]

    return send


BORN: dict[str, Callable[..., None]] = {"worker": worker, "zygote": zygote}


def main() -> None:
    """``zygote.py N PID``: a mother, asked through the socket N by the process PID; ``zygote.py PATH``: in a container, by whoever listens there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if len(sys.argv) > 2:
        die_with(int(sys.argv[2]))
        door = socket.socket(fileno=int(sys.argv[1]))
    else:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.connect(sys.argv[1])
    mother(door)


if __name__ == "__main__":
    main()
