#!/usr/bin/env python3
"""What the server does when descriptors, memory or its model's files are taken from it."""

import os
import pathlib
import resource
import shutil
import socket
import time
import unittest

from xray_server import FaultTest, main, png

FILM = png(seed=1)


def virtual_memory(pid):
    """Bytes, as RLIMIT_AS counts them."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmSize:"):
            return int(line.split()[1]) << 10
    raise RuntimeError("no VmSize")


class Descriptors(FaultTest):
    def connect_raw(self, server, count):
        sockets = []
        for _ in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            self.addCleanup(sockets[-1].close)
        return sockets

    def test_idlers_do_not_use_up_the_descriptors(self):
        server = self.serve(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        finding = server.upload(FILM).json()["id"]
        crowd = self.connect_raw(server, 120)
        for _ in range(5):
            self.assertEqual(server.upload(FILM).status, 201)
            self.assertEqual(server.get(f"/api/v1/findings/{finding}/image").status, 200)
        for idler in crowd:
            idler.close()
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.stop(), 0)

    def test_those_who_never_finish_a_head_do_not_use_up_the_connections(self):
        server = self.serve("--max-connections", "20")
        for slow in self.connect_raw(server, 20):
            slow.sendall(b"GET / HTTP/1.1\r\nHo")
        time.sleep(1.2)
        for _ in range(30):
            self.assertEqual(server.get("/readyz").status, 200)

    def test_those_who_never_finish_a_body_do_not_use_up_the_connections(self):
        server = self.serve("--max-connections", "20")
        for slow in self.connect_raw(server, 20):
            slow.sendall(b"POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc")
        time.sleep(1.2)
        for _ in range(30):
            self.assertEqual(server.upload(FILM).status, 201)


class Memory(FaultTest):
    @unittest.skipIf(os.environ.get("XRAY_SANITIZED"), "sanitizers need all the address space there is")
    def test_a_picture_without_memory_for_it_is_refused_and_the_next_is_read(self):
        server = self.serve("--threads", "1")
        large = png(9_900, 9_900)
        # Every thread has its arena by now.
        for _ in range(5):
            self.assertEqual(server.upload(FILM).status, 201)
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_AS, (virtual_memory(server.pid) + (48 << 20), -1))
        for _ in range(3):
            self.assert_problem(server.upload(large), 503, "busy")
            self.assertEqual(server.upload(FILM).status, 201)
        self.assertIn("not enough memory", server.log.read_text())
        resource.prlimit(server.pid, resource.RLIMIT_AS, unlimited)
        self.assertEqual(server.upload(large).status, 201)

    def test_a_picture_beyond_the_limits_is_refused_before_it_is_decoded(self):
        server = self.serve("--max-pixels", "1000000", "--max-bytes", "100000")
        begin = time.monotonic()
        self.assert_problem(server.upload(png(9_900, 9_900)[:90_000]), 413, "too_large")
        self.assert_problem(server.upload(bytes(100_001)), 413, "too_large")
        self.assertLess(time.monotonic() - begin, 5)
        peak = [line for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines()
                if line.startswith("VmHWM:")]
        self.assertTrue(peak)


class Model(FaultTest):
    def test_a_model_whose_files_are_emptied_or_removed_goes_on_serving(self):
        package = self.folder / "model"
        shutil.copytree(os.environ["XRAY_MODEL"], package)
        server = self.serve(model=package)
        before = server.upload(FILM).json()
        for file in package.iterdir():
            if file.is_file():
                os.truncate(file, 0)
        self.assertEqual(server.upload(FILM).json()["percent"], before["percent"])
        shutil.rmtree(package)
        self.assertEqual(server.upload(FILM).json()["percent"], before["percent"])
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(server.stop(), 0)
        code, said = self.refuses_to_start(model=package)
        self.assertEqual(code, 1)
        self.assertIn("model", said)


if __name__ == "__main__":
    main()
