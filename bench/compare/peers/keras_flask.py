"""A Keras model behind Flask, as such services are mostly written: the picture is decoded and
resized with Pillow, and model.predict() answers. Served by gunicorn, which loads it once a worker."""
import os

import flask
import keras
import numpy
import PIL.Image
import tensorflow as tf

if threads := int(os.environ.get("PEER_THREADS", "0")):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

app = flask.Flask(__name__)
model = keras.models.load_model(os.environ["PEER_MODEL"])
SIDE = model.input_shape[1]
# A graph compiled once, called as it is: faster than predict(), which is made for many batches.
call = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3))])


def predict(batch):
    if os.environ.get("PEER_CALL", "predict") == "predict":
        return model.predict(batch, verbose=0)
    return call(batch).numpy()


# The first call traces the graph; no client should wait for that.
predict(numpy.zeros((1, SIDE, SIDE, 3), numpy.float32))


@app.get("/")
def index():
    return "<!doctype html><title>Peer</title><form method=post action=/predict>" + "<p>.</p>" * 2000


@app.post("/predict")
def answer():
    try:
        picture = PIL.Image.open(flask.request.files["file"].stream).convert("RGB").resize((SIDE, SIDE))
    except (KeyError, OSError) as error:
        return flask.jsonify(error=str(error)), 400
    scores = predict(numpy.asarray(picture, numpy.float32)[None] / 255)[0]
    return flask.jsonify(normal=100 * float(scores[0]), pneumonia=100 * float(scores[1:].sum()))
