#!/usr/bin/env python3
"""Has clients written for other model servers ask `xray serve`, with the model that ships, and
compares what they get with `xray predict`. Needs the wheels of scripts/requirements-clients.txt."""

import argparse
import base64
import contextlib
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

OPTIONS = None
FIXTURES = None


def tearDownModule():
    ClientsTest.stack.close()


def predict(pictures):
    """What the command line says of each file."""
    done = subprocess.run([OPTIONS.xray, "predict", "--json", *pictures], capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_until_ready(address):
    """Until the server has passed its self-test."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://{address}/readyz"):
                return
        except urllib.error.HTTPError:
            time.sleep(0.05)
    raise TimeoutError("the server does not become ready")


@contextlib.contextmanager
def server(*arguments):
    """`xray serve` on a free port; gives HOST:PORT."""
    command = [OPTIONS.xray, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite::memory:", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = process.stdout.readline().split("http://")[1].split()[0]
        wait_until_ready(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


class ClientsTest(unittest.TestCase):
    # One server for all tests: loading the model takes longer than any of them.
    stack = contextlib.ExitStack()

    @classmethod
    def setUpClass(cls):
        if hasattr(ClientsTest, "address"):
            return
        ClientsTest.pictures = [FIXTURES / "chest.png", FIXTURES / "chest_white.png"]
        ClientsTest.expected = predict(ClientsTest.pictures)
        ClientsTest.address = ClientsTest.stack.enter_context(server())

    def check_row(self, expected, normal, pneumonia, verdict, finding):
        """The row of one picture against the line of the command line."""
        self.assertEqual(verdict, expected["verdict"])
        for told, name in ((normal, "normal"), (pneumonia, "pneumonia")):
            # The command line rounds to 0.01 per cent.
            self.assertAlmostEqual(100 * float(told), expected["percent"][name], delta=0.0051)
        found = json.loads(finding)
        for changing in ("file", "milliseconds", "timing"):
            expected = {key: value for key, value in expected.items() if key != changing}
            found.pop(changing, None)
        self.assertEqual(found, expected)


class TritonHttpTest(ClientsTest):
    def setUp(self):
        import tritonclient.http as triton

        self.triton = triton
        self.client = triton.InferenceServerClient(self.address)
        self.addCleanup(self.client.close)

    def image_input(self, pictures):
        import numpy as np

        encoded = np.array([picture.read_bytes() for picture in pictures], dtype=np.object_)
        tensor = self.triton.InferInput("image", [len(pictures)], "BYTES")
        tensor.set_data_from_numpy(encoded)
        return tensor

    def check_result(self, result):
        columns = {name: result.as_numpy(name) for name in ("normal", "pneumonia", "verdict", "finding")}
        for i, expected in enumerate(self.expected):
            self.assertEqual(columns["normal"].shape, (2, 1))
            text = [columns[name][i][0] for name in ("verdict", "finding")]
            text = [value.decode() if isinstance(value, bytes) else value for value in text]
            self.check_row(expected, columns["normal"][i][0], columns["pneumonia"][i][0], *text)

    def test_tells_what_is_served(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("xray"))
        self.assertFalse(self.client.is_model_ready("other"))
        self.assertIn("binary_tensor_data", self.client.get_server_metadata()["extensions"])
        model = self.client.get_model_metadata("xray")
        self.assertEqual([tensor["name"] for tensor in model["inputs"]], ["image", "pixels"])
        listed = self.client.get_model_repository_index()
        self.assertEqual(listed[0]["state"], "READY")
        self.assertEqual(listed[0]["version"], model["versions"][0])
        self.assertTrue(self.client.is_model_ready(listed[0]["name"], listed[0]["version"]))

    def test_scores_as_the_command_line(self):
        result = self.client.infer("xray", [self.image_input(self.pictures)], request_id="7")
        self.assertEqual(result.get_response()["id"], "7")
        self.check_result(result)

    def test_gets_outputs_as_json_too(self):
        names = ("normal", "pneumonia", "verdict", "finding")
        wanted = [self.triton.InferRequestedOutput(name, binary_data=i % 2 == 0) for i, name in enumerate(names)]
        self.check_result(self.client.infer("xray", [self.image_input(self.pictures)], outputs=wanted))

    def test_asks_for_several_at_one_time(self):
        asked = [self.client.async_infer("xray", [self.image_input(self.pictures)]) for _ in range(3)]
        for request in asked:
            self.check_result(request.get_result())

    def test_sends_pixels(self):
        import numpy as np

        side = 64
        shades = np.add.outer(np.arange(side), np.arange(side))
        for pixels, datatype in ((shades.astype(np.uint8)[None], "UINT8"),
                                 (shades.astype(np.float32)[None, :, :, None], "FP32"),
                                 (np.repeat(shades.astype(np.int64)[None, :, :, None], 3, axis=3), "INT64")):
            tensor = self.triton.InferInput("pixels", list(pixels.shape), datatype)
            for binary in (True, False):
                tensor.set_data_from_numpy(pixels, binary_data=binary)
                result = self.client.infer("xray", [tensor])
                # A plain wedge is no film: a verdict, and nothing to take for a probability.
                self.assertEqual(result.as_numpy("verdict")[0][0], b"rejected")
                self.assertTrue(math.isnan(result.as_numpy("pneumonia")[0][0]))

    def test_gives_no_number_in_json_for_a_rejected_picture(self):
        wanted = [self.triton.InferRequestedOutput("pneumonia", binary_data=False)]
        result = self.client.infer("xray", [self.image_input([FIXTURES / "flat.png"])], outputs=wanted)
        self.assertTrue(math.isnan(result.as_numpy("pneumonia")[0][0]))

    def test_hears_what_is_wrong(self):
        with self.assertRaisesRegex(self.triton.InferenceServerException, "image\\[0\\]: the file is not a picture"):
            self.client.infer("xray", [self.image_input([FIXTURES / "letter.jpeg"])])
        with self.assertRaisesRegex(self.triton.InferenceServerException, "no model other is served"):
            self.client.infer("other", [self.image_input(self.pictures)])
        with self.assertRaisesRegex(self.triton.InferenceServerException, "nothing at this path"):
            self.client.get_trace_settings()


class TensorFlowRestTest(ClientsTest):
    def ask(self, path, request=None):
        body = None if request is None else json.dumps(request).encode()
        with urllib.request.urlopen(f"http://{self.address}{path}", body) as answer:
            return json.load(answer)

    def instances(self):
        return [{"b64": base64.b64encode(picture.read_bytes()).decode()} for picture in self.pictures]

    def test_tells_what_is_served(self):
        versions = self.ask("/v1/models/xray")["model_version_status"]
        self.assertEqual([version["state"] for version in versions], ["AVAILABLE"])
        told = self.ask(f"/v1/models/xray/versions/{versions[0]['version']}/metadata")
        self.assertIn("serving_default", told["metadata"]["signature_def"]["signature_def"])

    def test_scores_as_the_command_line(self):
        rows = self.ask("/v1/models/xray:predict", {"instances": self.instances()})["predictions"]
        names = ("normal", "pneumonia", "verdict", "finding")
        for expected, row in zip(self.expected, rows, strict=True):
            self.check_row(expected, *(row[name][0] for name in names))
        columns = self.ask("/v1/models/xray:predict", {"inputs": {"image_bytes": self.instances()}})["outputs"]
        for i, expected in enumerate(self.expected):
            self.check_row(expected, *(columns[name][i][0] for name in names))

    def test_hears_what_is_wrong(self):
        for path, status in (("/v1/models/other:predict", 404), ("/v1/models/xray:classify", 405),
                             ("/v1/models/xray/labels/stable:predict", 404), ("/v1/models/xray:predict", 400)):
            with self.assertRaises(urllib.error.HTTPError) as raised:
                self.ask(path, {"instances": ["x"]})
            self.assertEqual(raised.exception.code, status, path)
            with raised.exception as answer:
                self.assertTrue(json.load(answer)["error"])


def main():
    global OPTIONS, FIXTURES
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xray", required=True)
    parser.add_argument("--make-fixtures", required=True)
    parser.add_argument("--clients", required=True, help="where the wheels were installed")
    OPTIONS, rest = parser.parse_known_args()
    sys.path.insert(0, OPTIONS.clients)
    with tempfile.TemporaryDirectory(prefix="xray_clients_") as folder:
        FIXTURES = pathlib.Path(folder)
        subprocess.run([OPTIONS.make_fixtures, folder], check=True)
        unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
