"""`xray serve` as a process, to be hurt by tests; pictures to send to it."""

import http.client
import json
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

PROGRAM = os.environ["XRAY"]
PATIENCE = 60


def png(width=200, height=160, seed=None):
    """A gray PNG: noise from `seed`, or flat, which decodes slowly for its size."""
    noise = random.Random(seed)
    row = lambda: b"\0" + (noise.randbytes(width) if seed is not None else b"\x60" * width)
    pixels = zlib.compressobj(1)
    data = b"".join(pixels.compress(row()) for _ in range(height)) + pixels.flush()

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class Server:
    """A server on a free port, over the store and the model of a folder."""

    def __init__(self, folder, *options, before=None, store=None, model=None):
        self.folder = pathlib.Path(folder)
        is_url = "://" in str(store)
        self.store = None if is_url else pathlib.Path(store or self.folder / "findings.sqlite")
        self.log = self.folder / "log"
        command = [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--store", store if is_url else f"sqlite:{self.store}",
                   "--model", str(model or os.environ["XRAY_MODEL"]), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, preexec_fn=before)
        self.first_line = line = self.process.stdout.readline().decode()
        self.port = int(line.split("http://127.0.0.1:")[1].split()[0]) if "http" in line else None

    @property
    def pid(self):
        return self.process.pid

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path):
        return self.request("GET", path)

    def is_tested(self):
        """Whether its self-test has ended, whatever else may keep it from being ready."""
        answer = self.get("/readyz")
        return answer.status == 200 or answer.json()["code"] != "busy"

    def upload(self, picture):
        return self.request("POST", "/api/v1/findings", picture, {"Content-Type": "image/png"})

    def all_ids(self):
        ids, before = [], ""
        while True:
            page = self.get("/api/v1/findings?limit=200" + before).json()
            ids += [finding["id"] for finding in page["findings"]]
            if page["next_before"] is None:
                return ids
            before = "&before=" + page["next_before"]

    def stop(self, how=signal.SIGTERM):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code


class FaultTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="xray_faults_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, *options, **more):
        server = Server(self.folder, *options, **more)
        self.addCleanup(server.stop, signal.SIGKILL)
        self.assertIsNotNone(server.port, f"it did not start: {server.log.read_text()}")
        self.wait_until(server.is_tested)
        return server

    def refuses_to_start(self, *options, **more):
        """Its exit code and what it says."""
        server = Server(self.folder, *options, **more)
        self.addCleanup(server.stop, signal.SIGKILL)
        self.assertIsNone(server.port, "it started")
        return server.stop(), server.log.read_text()

    def assert_problem(self, answer, status, code):
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (status, "application/problem+json"),
                         answer.body)
        self.assertEqual(answer.json()["code"], code, answer.body)
        if status == 503:
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

    def assert_whole(self, server, finding, picture=None):
        """The finding can be read, and its picture shown, byte by byte what was sent."""
        self.assertEqual(server.get(f"/api/v1/findings/{finding}").status, 200, finding)
        self.assertEqual(server.get(f"/api/v1/findings/{finding}/image").status, 200, finding)
        if picture is None:
            return
        database = sqlite3.connect(f"file:{server.store}?mode=ro", uri=True)
        self.addCleanup(database.close)
        rows = database.execute("SELECT bytes FROM picture WHERE finding_id = ?", (finding,)).fetchall()
        self.assertEqual(rows, [(picture,)])

    def wait_until(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.02)


def main():
    unittest.main(verbosity=2)
