"""Runs `xray serve` as a container engine would, without one: its own mounts, a root file system that is only
read, a user without rights or capabilities, a limit of memory, nothing of the caller's environment."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

# $1 root, $2 installed tree or "", $3 writable folder for /data or "", $4 user; then the command.
MOUNTS = r"""
set -eu
root=$1 tree=$2 data=$3 user=$4; shift 4
mount --make-rprivate /
new=$(mktemp -d)
mount --bind "$root" "$new"
mount -o remount,bind,ro "$new"
mount -t tmpfs -o size=256m,mode=1777 tmpfs "$new/tmp"
mount -t proc proc "$new/proc"
mount --rbind /dev "$new/dev"
[ -z "$tree" ] || { mount --bind "$tree" "$new/mnt"; mount -o remount,bind,ro "$new/mnt"; }
folder=/
if [ -n "$data" ]; then mount --bind "$data" "$new/srv"; folder=/srv; fi
exec /usr/sbin/chroot "$new" /usr/bin/env -C "$folder" setpriv --reuid "$user" --regid "$user" --clear-groups \
  --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def why_not():
    """What keeps this machine from isolating a process; empty where nothing does."""
    if os.geteuid() != 0:
        return "only root may mount"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode != 0 else ""


class Memory:
    """A control group with a limit; without one where the machine's groups cannot be written."""

    def __init__(self, limit):
        self.folder = None
        for parent, limits, peak in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
                                     ("/sys/fs/cgroup", "memory.max", "memory.peak")):
            folder = pathlib.Path(parent) / f"xray-test-{os.getpid()}-{time.monotonic_ns()}"
            try:
                folder.mkdir()
                (folder / limits).write_text(str(limit))
            except OSError:
                if folder.is_dir():
                    folder.rmdir()
                continue
            self.folder, self.peak_file = folder, folder / peak
            return

    def enter(self):
        if self.folder:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        return int(self.peak_file.read_text()) if self.folder else 0

    def close(self):
        for _ in range(50):
            try:
                if self.folder:
                    self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`with Server(...)`: started and ready; ended at the end, however that comes."""

    def __init__(self, root="/", tree="", environment=None, data="", user=10001, memory=512 << 20, xray="xray"):
        self.port = free_port()
        self.user, self.xray = user, xray
        self.memory = Memory(memory)
        self.log = tempfile.TemporaryFile(mode="w+")
        self.headers = {}  # of every request
        wanted = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PORT": str(self.port), "XRAY_CACHE": "/tmp/xray",
                  **(environment or {})}
        self.command = ["unshare", "--mount", "--ipc", "--uts", "bash", "-c", MOUNTS, "sandbox", str(root), str(tree),
                        str(data), str(user)]
        self.environment = wanted
        self.begin = time.monotonic()
        self.process = subprocess.Popen([*self.command, xray, "serve"], env=wanted, stdout=self.log, stderr=self.log,
                                        preexec_fn=self.memory.enter)
        self.seconds_to_ready = 0.0

    def __enter__(self):
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.memory.close()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait_until_ready(self, seconds=60):
        while time.monotonic() - self.begin < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.said()}")
            try:
                if self.ask("GET", "/readyz")[0] == 200:
                    self.seconds_to_ready = time.monotonic() - self.begin
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.said()}")

    def ask(self, method, path, body=None, headers=None):
        """Status and JSON (or bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
            is_json = (answer.getheader("Content-Type") or "").startswith(("application/json", "application/problem"))
            return answer.status, json.loads(content) if is_json else content
        finally:
            connection.close()

    def upload(self, picture):
        return self.ask("POST", "/api/v1/findings?name=film.png", picture, {"Content-Type": "image/png"})

    def status(self, key):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith(key + ":"))

    def resident(self):
        return int(self.status("VmRSS").split()[0]) << 10

    def run(self, *command):
        """Another process in the same surroundings, as engines run health checks."""
        return subprocess.run([*self.command, *command], env=self.environment, capture_output=True, text=True,
                              check=False, timeout=60)

    def let_in(self, user):
        """From now on requests carry a token of this account, and come as a router passes them on."""
        made = self.run(self.xray, "token", "create", "--user", user, "--name", "test", "--scopes", "read,diagnose")
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        self.headers = {"Authorization": f"Bearer {made.stdout.strip()}", "X-Forwarded-Proto": "https"}

    def stop(self):
        """Seconds from SIGTERM to the end, and the exit code."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        return time.monotonic() - begin, code
