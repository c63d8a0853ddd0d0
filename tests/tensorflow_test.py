#!/usr/bin/env python3
"""`xray model import` held against TensorFlow: models built in Keras are saved in every form that is taken
in, imported, and asked about the same pictures; then served. Needs the wheels of `scripts/setup tensorflow`."""
import argparse
import contextlib
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import keras_models
import numpy as np
import PIL.Image
import tensorflow as tf
from clients_test import wait_until_ready

OPTIONS = None
ROOT = pathlib.Path(__file__).resolve().parent.parent
FILMS = ROOT.parent / "shared/data/originals"
# Probabilities may differ by this, of which half a hundredth of a per cent is the command line's rounding.
TOLERANCE = 1e-4


def xray(*arguments, code=0):
    """Runs the program; its output and what it said on standard error."""
    done = subprocess.run([OPTIONS.xray, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode != code:
        raise AssertionError(f"exit code {done.returncode}: {done.stderr}")
    return done.stdout, done.stderr


def drawn(width, height, count=6):
    """Soft shapes in gray, as bytes of count x height x width."""
    random = np.random.default_rng(1)
    pictures = []
    for _ in range(count):
        coarse = PIL.Image.fromarray(random.integers(0, 256, (9, 9), np.uint8))
        pictures.append(np.asarray(coarse.resize((width, height), PIL.Image.BICUBIC)))
    return np.stack(pictures)


def films(width, height, most=12):
    """Real films where they are at hand, resized to the network's size, so that both sides see the same."""
    files = sorted(FILMS.rglob("*.jp*g"))[:most]
    pictures = [np.asarray(PIL.Image.open(file).convert("L").resize((width, height))) for file in files]
    return np.stack(pictures) if pictures else np.empty((0, height, width), np.uint8)


def predicted(package, files):
    out, _ = xray("predict", "--json", "--model", package, *files)
    return np.array([json.loads(line)["percent"]["pneumonia"] / 100 for line in out.splitlines()])


class TensorFlowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory()))
        cls.models = {}

    def folder_of(self, case):
        folder = self.folder / case.name
        folder.mkdir(exist_ok=True)
        return folder

    def model_of(self, case):
        if case.name not in self.models:
            self.models[case.name] = case.build()
        return self.models[case.name]

    def card_of(self, case, **changes):
        path = self.folder_of(case) / "card.json"
        path.write_text(json.dumps({**case.card, **changes}))
        return path

    def package_of(self, case, form="saved_model"):
        package = self.folder_of(case) / f"package-{form}"
        if not package.exists():
            saved = self.saved(case, form)
            xray("model", "import", saved, "--card", self.card_of(case), "--out", package)
        return package

    def saved(self, case, form="saved_model"):
        if form != "ir":
            return keras_models.save(self.model_of(case), self.folder_of(case), form)
        # A package's own network, whose input and head are ours.
        return self.package_of(case) / "network.xml"


class ImportTest(TensorFlowTest):
    def check_parity(self, case, form):
        model = self.model_of(case)
        pictures = np.concatenate([drawn(*case.size), films(*case.size)])
        files = []
        for i, picture in enumerate(pictures):
            files.append(self.folder_of(case) / f"{i:02}.png")
            PIL.Image.fromarray(picture).save(files[-1])
        expected = case.pneumonia(model, pictures)
        self.assertGreater(np.ptp(expected), 0.05, "the model says the same of everything; nothing is compared")
        difference = np.abs(predicted(self.package_of(case, form), files) - expected).max()
        print(f"{case.name}, {form}: {len(files)} pictures, probabilities from {expected.min():.3f} to "
              f"{expected.max():.3f}, largest difference {difference:.1e}")
        self.assertLess(difference, TOLERANCE)

    def test_scores_are_tensorflows(self):
        for case in keras_models.CASES:
            with self.subTest(case.name):
                self.check_parity(case, "saved_model")

    def test_every_form_gives_the_same(self):
        for case in keras_models.CASES[:2]:
            for form in ("frozen", "tflite", "onnx"):
                with self.subTest(case.name, form=form):
                    self.check_parity(case, form)

    def test_ir_of_others_is_taken_in(self):
        cnn = keras_models.CASES[0]
        first = self.package_of(cnn)
        card = {**cnn.card, "input": {**cnn.card["input"], "scaling": "0..255"},
                "output": {"values": "logits", "classes": ["normal", "pneumonia"]}}
        path = self.folder_of(cnn) / "ir.json"
        path.write_text(json.dumps(card))
        xray("model", "import", first / "network.xml", "--card", path, "--out", self.folder / "again")
        pictures = [ROOT / "examples/phantom.png", ROOT / "examples/clouded.png"]
        np.testing.assert_allclose(predicted(self.folder / "again", pictures), predicted(first, pictures), atol=1e-6)

    def test_decoding_and_resizing_are_those_of_keras(self):
        """The whole way from a file of another size: what tf.image does to it, and what xray does."""
        case = keras_models.CASES[0]
        files = [ROOT / "examples/phantom.png", ROOT / "examples/clouded.png"]
        drawn_jpeg = self.folder / "drawn.jpg"
        PIL.Image.fromarray(drawn(640, 480, 1)[0]).save(drawn_jpeg)
        jpegs = [drawn_jpeg, *sorted(FILMS.rglob("*.jp*g"))[:12]]

        def differences(files, read):
            seen = [tf.image.resize(read(file.read_bytes()), (150, 150)).numpy()[..., 0] for file in files]
            return np.abs(predicted(self.package_of(case), files) - case.pneumonia(self.model_of(case), np.stack(seen)))

        png = differences(files, lambda content: tf.io.decode_png(content, channels=1))
        exact = differences(jpegs, lambda content: tf.io.decode_jpeg(content, channels=1, dct_method="INTEGER_ACCURATE"))
        fast = differences(jpegs, lambda content: tf.io.decode_jpeg(content, channels=1))
        print(f"from file to score: largest difference {png.max():.1e} on {len(files)} PNG, {exact.max():.1e} on "
              f"{len(jpegs)} JPEG, {fast.max():.1e} with TensorFlow's own, inexact, way of decoding JPEG")
        self.assertLess(max(png.max(), exact.max()), TOLERANCE)

    def test_aspect_ratio_is_kept_as_keras_keeps_it(self):
        case = keras_models.CASES[0]
        file = self.folder / "wide.png"
        PIL.Image.fromarray(drawn(301, 171, 1)[0]).save(file)
        picture = tf.io.decode_image(file.read_bytes(), channels=1, expand_animations=False)[None]
        picture = tf.cast(picture, tf.float32)
        ways = {"crop": keras_models.keras.preprocessing.image.smart_resize(picture[0], (150, 150))[..., 0],
                "pad": tf.convert_to_tensor(keras_models.keras.ops.image.resize(
                    picture, (150, 150), pad_to_aspect_ratio=True))[0, ..., 0]}
        for fit, seen in ways.items():
            with self.subTest(fit):
                package = self.folder / fit
                card = self.card_of(case, input={**case.card["input"], "fit": fit})
                xray("model", "import", self.saved(case), "--card", card, "--out", package)
                expected = case.pneumonia(self.model_of(case), np.asarray(seen)[None])
                self.assertLess(np.abs(predicted(package, [file]) - expected).max(), TOLERANCE)

    def test_pillows_filters_can_be_asked_for(self):
        case = keras_models.CASES[0]
        file = self.folder / "odd.png"
        # Odd sides: no point of the network's grid lies on the border between two pixels, where Pillow rounds either way.
        PIL.Image.fromarray(drawn(301, 371, 1)[0]).save(file)
        for interpolation, method in (("antialiased", PIL.Image.BILINEAR), ("nearest", PIL.Image.NEAREST)):
            with self.subTest(interpolation):
                package = self.folder / interpolation
                card = self.card_of(case, input={**case.card["input"], "interpolation": interpolation})
                xray("model", "import", self.saved(case), "--card", card, "--out", package)
                seen = np.asarray(PIL.Image.open(file).convert("L").resize((150, 150), method))
                expected = case.pneumonia(self.model_of(case), seen[None])
                # Pillow rounds to whole gray levels, xray does not.
                delta = 5e-3 if interpolation == "antialiased" else TOLERANCE
                self.assertLess(np.abs(predicted(package, [file]) - expected).max(), delta)


class MessagesTest(TensorFlowTest):
    def refused(self, case, source=None, code=1, **changes):
        card = self.card_of(case, **changes)
        _, said = xray("model", "import", source or self.saved(case), "--card", card, "--out", self.folder / "refused",
                       code=code)
        self.assertEqual([path.name for path in self.folder.glob("*refused*")], [])
        self.assertEqual([path.name for path in self.folder.glob(".*")], [])
        return said

    def test_contradictions_are_told_from_both_sides(self):
        cnn, two, three, one = keras_models.CASES
        said = self.refused(cnn, input={**cnn.card["input"], "width": 224, "height": 224})
        self.assertIn("1 of f32; the card says 224 x 224 pixels, gray", said)
        self.assertIn("150 x 150", said)
        said = self.refused(cnn, input={**cnn.card["input"], "channels": "rgb"})
        self.assertIn("the card says 150 x 150 pixels, rgb", said)
        said = self.refused(cnn, input={**cnn.card["input"], "layout": "nchw"})
        self.assertIn("layout", said)
        said = self.refused(cnn, output={"values": "logits", "classes": ["pneumonia"]})
        self.assertIn("comes from a sigmoid", said)
        said = self.refused(cnn, output={"values": "probabilities", "classes": ["normal", "pneumonia"]})
        self.assertIn("the card names 2 classes", said)
        said = self.refused(cnn, output={"name": "scores", **cnn.card["output"]})
        self.assertIn("no output 'scores', but 'output_0'", said)
        said = self.refused(three, input={**three.card["input"], "scaling": "0..1"})
        self.assertIn("divides its input by 255 itself", said)
        said = self.refused(one, output={"values": "probabilities", "classes": ["normal"]})
        self.assertIn("are these logits?", said)

    def test_fields_that_are_missing_or_wrong_are_named(self):
        cnn = keras_models.CASES[0]
        for change, word in (({"input": {"width": 150}}, "input.height"), ({"output": 3}, "output"),
                             ({"input": {**cnn.card["input"], "scaling": "0-1"}}, "input.scaling"),
                             ({"threshold": 2}, "threshold"), ({"network": {}}, "network"),
                             ({"output": {"values": "logits", "classes": ["cat", "dog"]}}, "output.classes")):
            with self.subTest(word):
                self.assertIn(word, self.refused(cnn, **change))

    def test_what_cannot_be_imported_says_what_to_do(self):
        cnn = keras_models.CASES[0]
        file = self.folder / "model.keras"
        self.model_of(cnn).save(file)
        self.assertIn('.export("FOLDER")', self.refused(cnn, file))
        self.assertIn("give the folder", self.refused(cnn, self.saved(cnn) / "saved_model.pb"))
        self.assertIn("no such file", self.refused(cnn, self.folder / "nothing.onnx"))
        text = self.folder / "notes.txt"
        text.write_text("hello")
        self.assertIn("is none of", self.refused(cnn, text))

    def test_damaged_and_hostile_files_end_with_an_error(self):
        cnn = keras_models.CASES[0]
        for form in ("frozen", "tflite", "onnx"):
            whole = self.saved(cnn, form)
            for name, content in (("cut", whole.read_bytes()[:-5000]), ("noise", whole.read_bytes()[:16] + b"\xff" * 999)):
                with self.subTest(form, damage=name):
                    damaged = self.folder / (name + whole.suffix)
                    damaged.write_bytes(content)
                    self.assertIn(str(damaged), self.refused(cnn, damaged))
        saved = self.folder / "linked"
        saved.mkdir()
        (saved / "saved_model.pb").symlink_to("/etc/passwd")
        self.assertIn("links are not followed", self.refused(cnn, saved))

    def test_onnx_may_not_name_other_files(self):
        import onnx

        cnn = keras_models.CASES[0]
        model = onnx.load(self.saved(cnn, "onnx"))
        outside = self.folder / "outside.onnx"
        onnx.save_model(model, outside, save_as_external_data=True, location="weights.bin", size_threshold=0)
        self.assertIn("external data", self.refused(cnn, outside))

    def test_the_described_card_is_filled_in_from_the_graph(self):
        cnn, two = keras_models.CASES[:2]
        out, said = xray("model", "import", self.saved(two), "--describe")
        card = json.loads(out)
        self.assertEqual((card["input"]["width"], card["input"]["height"]), two.size)
        self.assertEqual(card["output"], {"values": "probabilities", "classes": ["normal", "pneumonia"]})
        self.assertIn("of a softmax", said)
        # A template is no card: what the graph cannot tell has to be said.
        path = self.folder / "template.json"
        path.write_text(out)
        _, said = xray("model", "import", self.saved(two), "--card", path, "--out", self.folder / "no", code=1)
        self.assertIn("input.channels", said)


class ExportTest(TensorFlowTest):
    """The shipped networks in other programs, on pictures of noise: what matters is that they compute the same."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.onnx, cls.ir = cls.folder / "onnx", cls.folder / "ir"
        for form, out in (("onnx", cls.onnx), ("openvino", cls.ir)):
            xray("model", "export", ROOT / "models/pediatric", "--to", form, "--out", out)
        cls.facts = json.loads((cls.onnx / "preprocessing.json").read_text())

    def picture_of(self, entry):
        random = np.random.default_rng(2)
        return random.normal(0, 1, (1, *entry["inputs"][0]["shape"][1:])).astype(np.float32)

    def onnx_answers(self, entry):
        import onnxruntime

        session = onnxruntime.InferenceSession(self.onnx / entry["file"], providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {entry["inputs"][0]["name"]: self.picture_of(entry)})))

    def converted(self, form):
        out = self.folder / form
        if not out.exists():
            subprocess.run([sys.executable, ROOT / "scripts/export-tensorflow", self.onnx, "--to", form, "--out", out],
                           check=True, capture_output=True)
        return json.loads((out / "preprocessing.json").read_text())

    def compare(self, form, entry, answers, expected):
        self.assertEqual(sorted(answers), sorted(expected))
        for name, value in expected.items():
            difference = np.abs(np.asarray(answers[name]) - value).max()
            print(f"{form}, {entry['role']}, {name}: {value.size} values of {np.abs(value).max():.2f} at most, "
                  f"largest difference {difference:.1e}")
            self.assertLess(difference, TOLERANCE * max(1.0, np.abs(value).max()))

    def test_tells_what_the_networks_want(self):
        self.assertEqual([entry["role"] for entry in self.facts["networks"]], ["classifier", "lungs", "opacity"])
        card = json.loads((ROOT / "models/pediatric/card.json").read_text())
        self.assertEqual(self.facts["calibration"], card["calibration"])
        classifier = self.facts["networks"][0]
        self.assertEqual(classifier["inputs"][0]["shape"][1:], [1, card["input"]["height"], card["input"]["width"]])
        self.assertIn("crop to the box of the lungs", " ".join(classifier["preprocessing"]))

    def test_openvino_computes_what_onnx_runtime_does(self):
        sys.path.append(str(OPTIONS.openvino))
        import openvino

        core = openvino.Core()
        for entry, exported in zip(self.facts["networks"], json.loads((self.ir / "preprocessing.json").read_text())["networks"]):
            network = core.compile_model(str(self.ir / exported["file"]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            answers = network(self.picture_of(entry))
            self.compare("openvino", entry, {port.get_any_name(): value for port, value in answers.items()},
                         self.onnx_answers(entry))

    def test_saved_model_computes_what_onnx_runtime_does(self):
        for entry, exported in zip(self.facts["networks"], self.converted("saved-model")["networks"]):
            network = tf.saved_model.load(str(self.folder / "saved-model" / exported["file"]))
            answers = network(tf.constant(self.picture_of(entry)))
            self.compare("saved-model", entry, {name: value.numpy() for name, value in answers.items()},
                         self.onnx_answers(entry))

    def test_tflite_computes_what_onnx_runtime_does(self):
        for entry, exported in zip(self.facts["networks"], self.converted("tflite")["networks"]):
            interpreter = tf.lite.Interpreter(str(self.folder / "tflite" / exported["file"]))
            run = interpreter.get_signature_runner()
            self.compare("tflite", entry, run(**{entry["inputs"][0]["name"]: self.picture_of(entry)}),
                         self.onnx_answers(entry))

    def test_what_was_imported_goes_out_as_ir_alone(self):
        package = self.package_of(keras_models.CASES[0])
        _, said = xray("model", "export", package, "--to", "onnx", "--out", self.folder / "none", code=1)
        self.assertIn("kept as OpenVINO IR", said)
        self.assertFalse((self.folder / "none").exists())
        xray("model", "export", package, "--to", "openvino", "--out", self.folder / "again-ir")
        self.assertEqual((self.folder / "again-ir/network.bin").read_bytes(), (package / "network.bin").read_bytes())


class ServeTest(TensorFlowTest):
    def test_imported_models_are_served_like_ours(self):
        case = keras_models.CASES[0]
        package = self.package_of(case)
        command = [OPTIONS.xray, "serve", "--listen", "127.0.0.1:0", "--store", "sqlite::memory:", "--model", package]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            address = process.stdout.readline().split("http://")[1].split()[0]
            wait_until_ready(address)
            film = ROOT / "examples/clouded.png"
            request = urllib.request.Request(f"http://{address}/api/v1/findings?name=film.png", film.read_bytes(),
                                             {"Content-Type": "image/png"})
            with urllib.request.urlopen(request) as reply:
                finding = json.load(reply)
            self.assertEqual(finding["model"], "cnn 1")
            self.assertAlmostEqual(finding["percent"]["pneumonia"] / 100, predicted(package, [film])[0], places=4)
            # Its finding brings no heat; covering parts of the picture tells it when it is asked for.
            for layer in ("heat", "contour", "heat"):
                with urllib.request.urlopen(f"http://{address}{finding['links']['heatmap']}?layer={layer}") as reply:
                    map = np.asarray(PIL.Image.open(io.BytesIO(reply.read())))
                    self.assertEqual(map.shape[2], 4)
            self.assertGreater(map[..., 3].max(), 0)
            with urllib.request.urlopen(f"http://{address}/api/v1/model") as reply:
                self.assertEqual(json.load(reply)["imported"]["format"], "TensorFlow SavedModel")
        finally:
            process.terminate()
            process.wait(timeout=20)
            process.stdout.close()

    def test_heat_is_where_the_evidence_is(self):
        """A network that looks at the brightness of the left half alone."""
        keras, layers = keras_models.keras, keras_models.layers
        model = keras.Sequential([keras.Input((96, 96, 1)), layers.Cropping2D(((0, 0), (0, 48))),
                                  layers.GlobalAveragePooling2D(), layers.Dense(1, activation="sigmoid")])
        model.layers[-1].set_weights([np.array([[100.0]], np.float32), np.array([-30.0], np.float32)])
        saved = self.folder / "left"
        model.export(saved, verbose=False)
        card = self.folder / "left.json"
        card.write_text(json.dumps({
            "name": "left", "version": "1", "output": {"values": "probabilities", "classes": ["pneumonia"]},
            "input": {"width": 96, "height": 96, "channels": "gray", "scaling": "0..1", "fit": "squash",
                      "interpolation": "bilinear"}}))
        xray("model", "import", saved, "--card", card, "--out", self.folder / "left-package")
        picture = np.full((128, 128), 30, np.uint8)
        picture[:, 8:40] = 250
        picture[:, 96:] = 250
        PIL.Image.fromarray(picture).save(self.folder / "half.png")
        xray("predict", "--model", self.folder / "left-package", "--heatmap", self.folder / "maps", self.folder / "half.png")
        overlay = np.asarray(PIL.Image.open(self.folder / "maps/half.heatmap.png").convert("RGB")).astype(int)
        coloured = np.ptp(overlay, axis=2)
        self.assertGreater(coloured[:, 8:40].mean(), 20)
        self.assertLess(coloured[:, 72:].mean(), 2)

    def test_eight_bit_is_refused(self):
        _, said = xray("model", "quantize", self.package_of(keras_models.CASES[0]), "--data", ROOT / "examples", "--out",
                       self.folder / "int8", code=1)
        self.assertIn("kept as OpenVINO IR", said)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--xray", required=True, type=pathlib.Path)
    parser.add_argument("--openvino", required=True, type=pathlib.Path, help="its wheel")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
