"""The networks of a model package in ONNX Runtime (32-bit floats) behind FastAPI, written to be fast:
OpenCV decodes JPEG at reduced scale and in gray, one session per network, one thread per call. It does
what xray does to tell percentages and opacity: find the lungs, crop to them, stretch their gray levels,
classify, map opacity. It leaves out what costs little: the gate, zones, the checks of quality."""
import contextlib
import io
import json
import os
import pathlib

import anyio.to_thread
import cv2
import fastapi
import numpy
import onnxruntime
import PIL.Image

PACKAGE = pathlib.Path(os.environ["PEER_PACKAGE"])
CARD = json.loads((PACKAGE / "card.json").read_text())
SEVERITY = json.loads((PACKAGE / "severity/severity.json").read_text())
FILM = 224  # the square in which lungs are looked for
DECODE = int(os.environ.get("PEER_DECODE", FILM))
SMALLEST_FIELD = 0.01  # of the picture; what is smaller is no lung
REDUCED = ((8, cv2.IMREAD_REDUCED_GRAYSCALE_8), (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
           (2, cv2.IMREAD_REDUCED_GRAYSCALE_2))

cv2.setNumThreads(1)


def open_network(file):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("PEER_THREADS", "1"))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda picture, output: session.run([output], {name: picture[None, None]})[0][0]


lung_network = open_network(PACKAGE / CARD["lungs"]["network"]["file"])
classifier = open_network(PACKAGE / CARD["network"]["file"])
opacity_network = open_network(PACKAGE / "severity" / SEVERITY["network"]["file"])


def decode(data):
    """Gray, at the smallest scale that has no side below DECODE."""
    width, height = PIL.Image.open(io.BytesIO(data)).size
    scale = next((flag for factor, flag in REDUCED if min(width, height) >= factor * DECODE), cv2.IMREAD_GRAYSCALE)
    picture = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), scale)
    if picture is None:
        raise ValueError("the picture is damaged")
    return picture


def resize(picture, spec):
    width, height = spec["width"], spec["height"]
    shrinks = picture.shape[1] > width and picture.shape[0] > height
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def normalise(picture):
    values = picture.astype(numpy.float32)
    return (values - values.mean()) / max(1.0, float(values.std()))


def sigmoid(values):
    return 1 / (1 + numpy.exp(-values))


def lung_box(field):
    """Left, top, right, bottom of the lungs as shares of the picture; None without any."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((field > 0.5).astype(numpy.uint8), connectivity=4)
    fields = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= SMALLEST_FIELD * field.size]
    if not len(fields):
        return None
    left, top = fields[:, 0].min(), fields[:, 1].min()
    right, bottom = (fields[:, 0] + fields[:, 2]).max(), (fields[:, 1] + fields[:, 3]).max()
    return numpy.array([left, top, right, bottom]) / field.shape[0]


def stretch(film, mask):
    """Gray levels between the 1st and 99th percentile inside the lungs."""
    low, high = numpy.percentile(film[mask > 0], (1, 99))
    share = (numpy.arange(256) - low) / max(high - low, 1.0)
    return cv2.LUT(film, (255 * numpy.clip(share * 0.8 + 0.1, 0, 1)).round().astype(numpy.uint8))


def crop(box, spec):
    """What a network sees of the film, in pixels: down, across."""
    spread = spec["margin"] * (box[2:] - box[:2])
    left, top = numpy.floor(numpy.maximum(box[:2] - spread, 0) * FILM).astype(int)
    right, bottom = numpy.ceil(numpy.minimum(box[2:] + spread, 1) * FILM).astype(int)
    return slice(top, bottom), slice(left, right)


def percentages(logits):
    """As the model card calibrates them."""
    calibration = CARD["calibration"]
    scaled = logits.astype(float) / calibration["temperature"]
    odds = numpy.logaddexp.reduce(scaled[1:]) - scaled[0]
    pneumonia = 100 * float(sigmoid(calibration["slope"] * odds + calibration["intercept"]))
    return {"pneumonia": round(pneumonia, 1), "normal": round(100 - pneumonia, 1)}


def diagnose(data):
    film = resize(decode(data), {"width": FILM, "height": FILM})
    field = sigmoid(lung_network(normalise(resize(film, CARD["lungs"]["input"])), "lungs")[0])
    box = lung_box(field)
    if box is None:
        return {"verdict": "rejected"}
    mask = cv2.resize((field > 0.5).astype(numpy.uint8), (FILM, FILM), interpolation=cv2.INTER_NEAREST)
    stretched = stretch(film, mask)
    seen = stretched[crop(box, CARD["input"])]
    finding = percentages(classifier(normalise(resize(seen, CARD["input"])), "logits"))
    finding["verdict"] = "pneumonia" if finding["pneumonia"] >= 100 * CARD["threshold"] else "normal"
    frame = crop(box, SEVERITY["input"])
    opacity = sigmoid(opacity_network(normalise(resize(stretched[frame], SEVERITY["input"])), "opacity")[0])
    lung = cv2.resize(mask[frame].astype(numpy.float32), opacity.shape[::-1], interpolation=cv2.INTER_AREA)
    finding["extent"] = round(100 * float((lung * (opacity > SEVERITY["opaque"])).sum() / lung.sum()), 1)
    return finding


@contextlib.asynccontextmanager
async def lifespan(_):
    # As many pictures at a time as there is CPU for; 40, the default, only get in each other's way.
    anyio.to_thread.current_default_thread_limiter().total_tokens = int(os.environ.get("PEER_AT_ONCE", "2"))
    yield


app = fastapi.FastAPI(lifespan=lifespan)


@app.get("/")
def index():
    return fastapi.responses.HTMLResponse("<!doctype html><title>Peer</title>" + "<p>.</p>" * 2000)


@app.post("/predict")
def answer(file: fastapi.UploadFile):
    try:
        return diagnose(file.file.read())
    except (OSError, ValueError, cv2.error) as error:
        raise fastapi.HTTPException(400, str(error)) from error
