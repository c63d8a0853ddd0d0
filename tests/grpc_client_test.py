#!/usr/bin/env python3
"""Triton's own gRPC client against `xray serve --grpc`: what a user of that client sees.

usage: grpc_client_test.py XRAY MAKE_FIXTURES, with tritonclient on PYTHONPATH
"""

import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

XRAY, MAKE_FIXTURES = sys.argv[1:3]
PATIENCE = 60


def images(*pictures):
    """The input tensor of encoded pictures."""
    tensor = triton.InferInput("image", [len(pictures)], "BYTES")
    tensor.set_data_from_numpy(np.array(pictures, dtype=object))
    return tensor


class GrpcClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="xray_grpc_")
        cls.fixtures = pathlib.Path(cls.folder.name)
        subprocess.run([MAKE_FIXTURES, cls.fixtures], check=True)
        cls.server, cls.url = cls.serve()
        cls.client = triton.InferenceServerClient(cls.url)
        end = time.monotonic() + PATIENCE
        while not cls.client.is_server_ready() and time.monotonic() < end:
            time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.stop(cls.server)
        cls.folder.cleanup()

    @classmethod
    def serve(cls, store="findings.sqlite", **environment):
        """The program with one worker and one place to wait, and where it serves gRPC."""
        with (cls.fixtures / f"{store}.log").open("wb") as log:
            server = subprocess.Popen(
                [XRAY, "serve", "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--threads", "1", "--queue", "1",
                 "--store", f"sqlite:{cls.fixtures}/{store}", "--model", cls.fixtures / "tiny"],
                stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment})
        line = server.stdout.readline()
        return server, re.search(r"grpc://(127\.0\.0\.1:\d+)", line).group(1)

    @staticmethod
    def stop(server):
        server.send_signal(signal.SIGTERM)
        code = server.wait(PATIENCE)
        server.stdout.close()
        return code

    def read(self, name):
        return (self.fixtures / name).read_bytes()

    def predict(self, name):
        """What the command line says of the picture."""
        done = subprocess.run([XRAY, "predict", "--json", "--model", self.fixtures / "tiny", self.fixtures / name],
                              capture_output=True, check=True)
        return json.loads(done.stdout)

    def infer(self, *inputs, **options):
        return self.client.infer("xray", list(inputs), client_timeout=PATIENCE, **options)

    def expect_refusal(self, code, call):
        with self.assertRaises(triton.InferenceServerException) as raised:
            call()
        self.assertEqual(raised.exception.status(), "StatusCode." + code)
        return raised.exception.message()

    def test_tells_what_it_serves(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertEqual(self.client.get_server_metadata().name, "xray")
        for name in ("xray", "tiny"):
            self.assertTrue(self.client.is_model_ready(name))
            self.assertTrue(self.client.is_model_ready(name, "1"))
            metadata = self.client.get_model_metadata(name)
            self.assertEqual((metadata.name, list(metadata.versions)), (name, ["1"]))
            self.assertEqual([(i.name, i.datatype) for i in metadata.inputs],
                             [("image", "BYTES"), ("pixels", "UINT8")])
            self.assertEqual([o.name for o in metadata.outputs], ["normal", "pneumonia", "verdict", "finding"])
        self.assertFalse(self.client.is_model_ready("adult"))
        self.assertFalse(self.client.is_model_ready("tiny", "2"))
        index = self.client.get_model_repository_index()
        self.assertEqual([(m.name, m.version, m.state) for m in index.models], [("tiny", "1", "READY")])

    def test_scores_as_the_command_line(self):
        names = ["normal.jpeg", "pneumonia.jpeg", "pneumonia16.png"]
        answer = self.infer(images(*map(self.read, names)), request_id="three films")
        self.assertEqual(answer.get_response().id, "three films")
        self.assertEqual(answer.get_response().model_name, "xray")
        for i, name in enumerate(names):
            expected = self.predict(name)
            for category in ("normal", "pneumonia"):
                self.assertAlmostEqual(float(answer.as_numpy(category)[i, 0]) * 100,
                                       expected["percent"][category], delta=0.0051)
            self.assertEqual(answer.as_numpy("verdict")[i, 0].decode(), expected["verdict"])
            finding = json.loads(answer.as_numpy("finding")[i, 0])
            timing = {"milliseconds", "timing"}
            self.assertEqual({k: v for k, v in finding.items() if k not in timing},
                             {k: v for k, v in expected.items() if k in finding.keys() - timing})

    def test_takes_pixels_and_gives_the_outputs_asked_for(self):
        pixels = np.full((2, 64, 64), 250, dtype=np.uint8)
        tensor = triton.InferInput("pixels", pixels.shape, "UINT8")
        tensor.set_data_from_numpy(pixels)
        wanted = [triton.InferRequestedOutput("verdict"), triton.InferRequestedOutput("pneumonia")]
        answer = self.infer(tensor, outputs=wanted)
        self.assertEqual([o.name for o in answer.get_response().outputs], ["verdict", "pneumonia"])
        self.assertEqual(answer.as_numpy("pneumonia").shape, (2, 1))

    def test_says_what_is_wrong(self):
        film = images(self.read("normal.jpeg"))
        self.expect_refusal("NOT_FOUND", lambda: self.client.infer("adult", [film]))
        self.expect_refusal("NOT_FOUND", lambda: self.client.infer("tiny", [film], model_version="2"))
        self.expect_refusal("NOT_FOUND", lambda: self.client.get_model_metadata("adult"))
        letter = images(self.read("normal.jpeg"), self.read("letter.jpeg"))
        self.assertIn("image[1]", self.expect_refusal("INVALID_ARGUMENT", lambda: self.infer(letter)))
        heat = [triton.InferRequestedOutput("heat")]
        self.expect_refusal("INVALID_ARGUMENT", lambda: self.infer(film, outputs=heat))
        classes = [triton.InferRequestedOutput("verdict", class_count=2)]
        self.expect_refusal("INVALID_ARGUMENT", lambda: self.infer(film, outputs=classes))
        many = images(*[b""] * 100)
        self.expect_refusal("RESOURCE_EXHAUSTED", lambda: self.infer(many))
        self.expect_refusal("RESOURCE_EXHAUSTED", lambda: self.infer(images(bytes(70 << 20))))
        self.expect_refusal("UNIMPLEMENTED", lambda: self.infer(film, compression_algorithm="gzip"))
        self.expect_refusal("UNIMPLEMENTED", lambda: self.client.get_model_config("tiny"))

    def test_answers_at_once_when_too_much_waits(self):
        many = images(*[self.read("normal.jpeg")] * 32)
        outcomes = queue.Queue()
        for _ in range(10):
            self.client.async_infer("xray", [many], callback=lambda result, error: outcomes.put(error))
        errors = [outcomes.get(timeout=PATIENCE) for _ in range(10)]
        self.assertGreaterEqual(errors.count(None), 1)
        refusals = {error.status() for error in errors if error is not None}
        self.assertEqual(refusals, {"StatusCode.UNAVAILABLE"})
        self.infer(images(self.read("normal.jpeg")))

    def test_streams_in_order_and_goes_on_after_a_failure(self):
        answers = queue.Queue()
        with triton.InferenceServerClient(self.url) as client:
            client.start_stream(callback=lambda result, error: answers.put((result, error)))
            for name in ("normal.jpeg", "letter.jpeg", "pneumonia.jpeg"):
                client.async_stream_infer("xray", [images(self.read(name))], request_id=name)
            first, bad, last = (answers.get(timeout=PATIENCE) for _ in range(3))
            client.stop_stream()
        self.assertEqual(first[0].get_response().id, "normal.jpeg")
        self.assertEqual(first[0].as_numpy("verdict")[0, 0], b"normal")
        self.assertIn("image[0]", bad[1].message())
        self.assertEqual(last[0].get_response().id, "pneumonia.jpeg")
        self.assertEqual(last[0].as_numpy("verdict")[0, 0], b"pneumonia")

    def test_takes_a_token_that_may_where_there_is_a_lock(self):
        server, url = self.serve("locked.sqlite", XRAY_ADMIN_USER="chief", XRAY_ADMIN_PASSWORD="correct horse battery")

        def token(scopes):
            made = subprocess.run([XRAY, "token", "create", "--store", f"sqlite:{self.fixtures}/locked.sqlite", "--user",
                                   "chief", "--name", scopes, "--scopes", scopes], capture_output=True, text=True, check=True)
            return {"authorization": f"Bearer {made.stdout.strip()}"}

        with triton.InferenceServerClient(url) as client:
            end = time.monotonic() + PATIENCE
            while not client.is_server_ready() and time.monotonic() < end:
                time.sleep(0.05)
            picture = [images(self.read("normal.jpeg"))]
            for headers, status in (({}, "UNAUTHENTICATED"), ({"authorization": "Bearer xray_no"}, "UNAUTHENTICATED"),
                                    (token("read"), "PERMISSION_DENIED")):
                with self.assertRaises(InferenceServerException) as refused:
                    client.infer("xray", picture, headers=headers)
                self.assertIn(status, str(refused.exception.status()))
            answer = client.infer("xray", picture, headers=token("read,diagnose"))
            self.assertEqual(answer.as_numpy("verdict")[0, 0], b"normal")
        self.assertEqual(self.stop(server), 0)
        log = (self.fixtures / "locked.sqlite.log").read_text()
        for check in ("no_key", "wrong_key"):
            self.assertRegex(log, rf"refused refused_by={check} account=\S* client=127\.0\.0\.1 door=grpc")
        trail = subprocess.run([XRAY, "audit", "--store", f"sqlite:{self.fixtures}/locked.sqlite"], capture_output=True,
                               text=True, check=True).stdout
        self.assertRegex(trail, r"refused +chief +127\.0\.0\.1 +role")

    def test_stops_when_told_to_while_a_stream_is_open(self):
        server, url = self.serve()
        answers = queue.Queue()
        with triton.InferenceServerClient(url) as client:
            client.start_stream(callback=lambda result, error: answers.put((result, error)))
            client.async_stream_infer("xray", [images(self.read("normal.jpeg"))])
            self.assertIsNone(answers.get(timeout=PATIENCE)[1])
            stopped = threading.Thread(target=lambda: answers.put(self.stop(server)))
            stopped.start()
            stopped.join(PATIENCE)
            seen = [answers.get(timeout=PATIENCE) for _ in range(2)]
        self.assertIn(0, seen)
        ended = next(error for result, error in (s for s in seen if s != 0))
        self.assertEqual(ended.status(), "StatusCode.UNAVAILABLE")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
