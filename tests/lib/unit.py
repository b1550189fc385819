"""Starts what a systemd unit would start, where there is no systemd: in another root, as the unit's user, and in its sandbox.

    unshare --mount --propagation private python3 unit.py ROOT UNIT   (as root)

Read from the unit and its drop-ins, and held to: ExecStart, User, Environment, LoadCredential, UMask, LimitNOFILE,
NoNewPrivileges, CapabilityBoundingSet, ProtectSystem=strict, ProtectHome, PrivateTmp, PrivateDevices, ProtectProc, ProcSubset,
RestrictAddressFamilies, MemoryDenyWriteExecute, SystemCallFilter (libseccomp, with the sets that systemd-analyze names), and
Type=notify with its socket. MemoryMax is compared with the peak at the end, since a container may make no cgroup. Not made:
PrivateUsers, RestrictNamespaces, RestrictRealtime, RestrictSUIDSGID, LockPersonality (none of them gives a right).

Prints its own process, PID=…, and the program's, MAIN=…; what that notifies (READY=1 …) and, at the end, its peak memory. SIGTERM is
handed on. Ends with its exit code.
"""
import ctypes
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, CAPABILITIES = 24, 38, 64
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, EAFNOSUPPORT = 1, 97
EQUAL, MASKED_EQUAL = 4, 7
ENFORCED = {
    "NoNewPrivileges": ["yes"], "CapabilityBoundingSet": [], "ProtectSystem": ["strict"], "ProtectHome": ["yes"],
    "PrivateTmp": ["yes"], "PrivateDevices": ["yes"], "ProtectProc": ["invisible"], "ProcSubset": ["pid"],
    "MemoryDenyWriteExecute": ["yes"], "SystemCallArchitectures": ["native"],
}


class Unit:
    """The settings of [Service]: name → values in their order; an empty value forgets those before, as in systemd."""

    def __init__(self, root, name):
        self.name, self.settings = name, {}
        places = [root / d / name for d in ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")]
        self.read(next(place for place in places if place.exists()))
        for dropin in sorted((root / "etc/systemd/system" / f"{name}.d").glob("*.conf")):
            self.read(dropin)
        for key, value in ENFORCED.items():
            if self.settings.get(key) != value:
                sys.exit(f"unit.py: {name} has {key}={self.settings.get(key)}, which is not what is enforced here: {value}")

    def read(self, path):
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("["):
                section = line
            elif section == "[Service]":
                key, value = line.split("=", 1)
                if value:
                    self.settings.setdefault(key, []).append(value)
                else:
                    self.settings[key] = []

    def all(self, key):
        return self.settings.get(key, [])

    def last(self, key, otherwise=None):
        return self.settings.get(key, [otherwise])[-1]


def checked(result, what):
    if result != 0:
        sys.exit(f"unit.py: {what}: {os.strerror(ctypes.get_errno() or -result)}")


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def account(root, name):
    for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3]), fields[5]
    sys.exit(f"unit.py: there is no account {name} in {root}")


# --- What it sees -----------------------------------------------------------------------------------------------------


def build_view(root, unit, uid):
    """The tree as the unit sees it: read-only but for its own /tmp, with a /proc of its own processes and the plain devices."""
    mount("--bind", root, root)
    mount("-t", "proc", "-o", "nosuid,noexec,nodev,hidepid=invisible,subset=pid", "proc", root / "proc")
    mount("-t", "tmpfs", "-o", "mode=755", "dev", root / "dev")
    for device in ("null", "zero", "full", "random", "urandom", "tty"):
        (root / "dev" / device).touch()
        mount("--bind", f"/dev/{device}", root / "dev" / device)
    for place in ("tmp", "var/tmp"):
        mount("-t", "tmpfs", "-o", "mode=1777", "tmp", root / place)
    for place in ("home", "root"):
        mount("-t", "tmpfs", "-o", "mode=000,ro", "none", root / place)
    mount("-t", "tmpfs", "-o", "mode=755", "run", root / "run")
    keep_credentials(root, unit, uid)
    (root / "run/systemd").mkdir()
    mount("-o", "remount,bind,ro", root)
    mount("-o", "remount,bind,ro", root / "dev")


def keep_credentials(root, unit, uid):
    directory = root / "run/credentials" / unit.name
    directory.mkdir(parents=True)
    for value in unit.all("LoadCredential"):
        name, source = value.split(":", 1)
        (directory / name).write_bytes((root / source.lstrip("/")).read_bytes())
        os.chmod(directory / name, 0o400)
        os.chown(directory / name, uid, -1)


def listen(root, uid):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(root / "run/systemd/notify"))
    os.chown(root / "run/systemd/notify", uid, -1)
    return heard


def environment(unit, home):
    values = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "HOME": home,
              "USER": unit.last("User"), "LOGNAME": unit.last("User"), "SYSTEMD_EXEC_PID": "0"}
    credentials = f"/run/credentials/{unit.name}"
    if unit.all("LoadCredential"):
        values["CREDENTIALS_DIRECTORY"] = credentials
    if unit.last("Type") == "notify":
        values["NOTIFY_SOCKET"] = "/run/systemd/notify"
    for line in unit.all("Environment"):
        for assignment in shlex.split(line):
            name, value = assignment.split("=", 1)
            values[name] = value.replace("%d", credentials)
    return values


# --- What it may do ---------------------------------------------------------------------------------------------------


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """One filter of libseccomp; several hold together."""

    def __init__(self, otherwise):
        self.library = ctypes.CDLL("libseccomp.so.2")
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(otherwise))

    def add(self, action, name, *comparisons):
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            return  # of another architecture, or newer than the library
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        checked(self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(comparisons), array), name)

    def load(self):
        checked(self.library.seccomp_load(self.context), "seccomp_load")


def call_sets():
    """Name → members of the sets of system calls that this systemd knows."""
    sets, members = {}, []
    for line in subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True).stdout.splitlines():
        line = re.sub("\x1b\\[[0-9;]*m", "", line)
        if line.startswith("@"):
            members = sets[line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members.append(line.strip())
        elif line.startswith("#"):
            members = []
    return sets


def expand(name, sets):
    if not name.startswith("@"):
        return {name}
    return {call for member in sets[name] for call in expand(member, sets)}


def allowed_calls(unit):
    sets = call_sets()
    calls = expand("@default", sets)
    for line in unit.all("SystemCallFilter"):
        listed = {call for name in line.lstrip("~").split() for call in expand(name, sets)}
        calls = calls - listed if line.startswith("~") else calls | listed
    return sorted(calls)


def filters(unit):
    families = {getattr(socket, name) for line in unit.all("RestrictAddressFamilies") for name in line.split()}
    addresses = Filter(ALLOW)
    for family in range(46):
        if family not in families:
            addresses.add(ERRNO | EAFNOSUPPORT, "socket", Comparison(0, EQUAL, family, 0))
    memory = Filter(ALLOW)
    memory.add(ERRNO | EPERM, "mmap", Comparison(2, MASKED_EQUAL, 6, 6))
    memory.add(ERRNO | EPERM, "mprotect", Comparison(2, MASKED_EQUAL, 4, 4))
    memory.add(ERRNO | EPERM, "pkey_mprotect", Comparison(2, MASKED_EQUAL, 4, 4))
    calls = Filter(KILL_PROCESS)
    for call in allowed_calls(unit):
        calls.add(ALLOW, call)
    return [addresses, memory, calls]


def confine(root, unit, uid, gid, sandbox):
    os.chroot(root)
    os.chdir("/")
    os.umask(int(unit.last("UMask"), 8))
    limit = int(unit.last("LimitNOFILE", "1024"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    for capability in range(CAPABILITIES):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # beyond the last that there is, an error
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    for part in sandbox:
        part.load()


# --- The run ----------------------------------------------------------------------------------------------------------


def start(root, unit, uid, gid, home):
    command, variables, sandbox = shlex.split(unit.last("ExecStart")), environment(unit, home), filters(unit)
    pid = os.fork()
    if pid == 0:
        try:
            confine(root, unit, uid, gid, sandbox)
            os.execve(command[0], command, variables)
        finally:
            os._exit(203)
    return pid


def watch(pid, heard):
    """Prints what is notified until the program has ended; its wait status."""
    heard.settimeout(0.1)
    while True:
        try:
            print(heard.recv(4096).decode(), flush=True)
        except TimeoutError:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status


def mebibytes(text):
    return int(text[:-1]) * {"M": 1, "G": 1024}[text[-1]]


def main(root, name):
    root = Path(root).resolve()
    unit = Unit(root, name)
    uid, gid, home = account(root, unit.last("User"))
    build_view(root, unit, uid)
    heard = listen(root, uid)
    main_pid = start(root, unit, uid, gid, home)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(main_pid, signal.SIGTERM))
    print(f"PID={os.getpid()}\nMAIN={main_pid}", flush=True)
    status = watch(main_pid, heard)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    most = mebibytes(unit.last("MemoryMax"))
    print(f"PEAK={peak} of {most} MiB", flush=True)
    if os.WIFSIGNALED(status):
        sys.exit(f"unit.py: {name} was ended by signal {signal.Signals(os.WTERMSIG(status)).name}")
    sys.exit(os.WEXITSTATUS(status) or int(peak > most))


if __name__ == "__main__":
    main(*sys.argv[1:])
