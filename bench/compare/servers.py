"""The servers that are compared: how each is started, asked and stopped, so that none outlives the run."""
import atexit
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 120  # seconds until a server's first answer
LIVE = set()  # process groups that were started and not yet stopped


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def end_with_parent():
    """Even where this program is killed without a word: PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def kill_all():
    for group in list(LIVE):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


atexit.register(kill_all)


def processes_of(group):
    """{pid: ticks of CPU time} of all processes in the group, zombies left out."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    return found


def ask(port, path, picture):
    """(status, answer) to a picture sent as a web form."""
    boundary = "compare-5f0c2e7d9b8146a3"
    head = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{picture.name}\"\r\n"
            f"Content-Type: image/{'png' if picture.suffix.lower() == '.png' else 'jpeg'}\r\n\r\n")
    body = head.encode() + picture.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if response.status < 300 else text
    finally:
        connection.close()


class Server:
    """One running server; stopped, with all its processes, at the end of a `with`."""

    def __init__(self, kind, options, scratch, picture):
        self.port = free_port()
        self.path = kind.path
        # With the store of every picture, which is gigabytes after a while: gone when the server is.
        self.folder = tempfile.TemporaryDirectory(prefix=f"{kind.name}-", dir=kind.store_folder or scratch)
        self.log = open(scratch / f"{kind.name}.log", "w+")
        command, environment = kind.command(options, pathlib.Path(self.folder.name), self.port)
        begin = time.perf_counter()
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **environment},
                                        start_new_session=True, preexec_fn=end_with_parent)
        LIVE.add(self.process.pid)
        try:
            self.first_answer = self.await_answer(picture)
        except BaseException:
            self.stop()
            raise
        self.cold_start = time.perf_counter() - begin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def await_answer(self, picture):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                status, answer = ask(self.port, self.path, picture)
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
                continue
            if status < 300:
                return answer
            sys.exit(f"the server refuses {picture}: {status} {answer!r}")
        self.log.seek(0)
        sys.exit(f"the server did not come up:\n{self.log.read()[-4000:]}")

    def require_alive(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            sys.exit(f"the server ended with {self.process.returncode}:\n{self.log.read()[-4000:]}")

    def settle(self):
        """Waits until no process is busy, with a second worker that is still loading, say, or with
        requests whose clients have gone; half a minute at most."""
        for _ in range(60):
            before = sum(processes_of(self.process.pid).values())
            time.sleep(0.5)
            if sum(processes_of(self.process.pid).values()) - before <= 0.1 * 0.5 * os.sysconf("SC_CLK_TCK"):
                return

    def stop(self):
        group = self.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and (self.process.poll() is None or processes_of(group)):
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self.process.wait()
        LIVE.discard(group)
        self.log.close()
        self.folder.cleanup()


class Xray:
    path = "/api/v1/findings"

    def __init__(self, name, title, arguments=(), store_folder=None):
        self.name, self.title = name, title
        self.arguments, self.store_folder = list(arguments), store_folder

    def package(self, options):
        return options.model

    def command(self, options, folder, port):
        return [options.xray, "serve", "--listen", f"127.0.0.1:{port}", "--store", f"sqlite:{folder / 'xray.sqlite'}",
                "--model", self.package(options), *self.arguments], {}

    @staticmethod
    def pneumonia(answer):
        return answer["percent"]["pneumonia"] if "percent" in answer else None


class XrayImported(Xray):
    """The Keras peer's own network, imported."""

    def package(self, options):
        return options.imported


class Keras:
    name, title, path, store_folder = "keras", "Keras, Flask, gunicorn", "/predict", None

    def command(self, options, _, port):
        command = [options.environments / "keras/bin/gunicorn", "--workers", options.workers, "--bind",
                   f"127.0.0.1:{port}", "--chdir", HERE / "peers", "--log-level", "error", "keras_flask:app"]
        return command, {"PEER_MODEL": str(options.keras_file), "PEER_CALL": options.keras_call,
                         "PEER_THREADS": str(options.keras_threads), "TF_CPP_MIN_LOG_LEVEL": "3",
                         "PYTHONDONTWRITEBYTECODE": "1"}

    @staticmethod
    def pneumonia(answer):
        return answer["pneumonia"]


class Onnx:
    name, title, path, store_folder = "onnx", "ONNX Runtime, FastAPI, uvicorn", "/predict", None

    def command(self, options, _, port):
        command = [options.environments / "onnx/bin/python", "-m", "uvicorn", "--app-dir", HERE / "peers",
                   "--workers", options.workers, "--host", "127.0.0.1", "--port", port, "--log-level", "warning",
                   "--no-access-log", "onnx_fastapi:app"]
        return command, {"PEER_PACKAGE": str(options.model), "PEER_THREADS": str(options.onnx_threads),
                         "PEER_AT_ONCE": str(options.onnx_at_once), "PEER_DECODE": str(options.onnx_decode),
                         "PYTHONDONTWRITEBYTECODE": "1"}

    @staticmethod
    def pneumonia(answer):
        return answer.get("pneumonia")
