"""Keras models for the tests of `xray model import`: of several sizes, colours, scalings and heads. Their
weights are random but fixed; what counts is that both sides compute the same from them."""
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy as np
import tensorflow as tf
from keras import layers


def stir(model, see):
    """Statistics for batch norm, which begins as the identity, and a last layer whose opinion goes both
    ways, from drawn pictures as `see` gives them to the network."""
    random = np.random.default_rng(11)
    height, width = (side or 96 for side in model.input_shape[1:3])
    coarse = random.uniform(0, 255, (24, 8, 8, 1))
    pictures = see(np.float32(tf.image.resize(coarse, (height, width), "bicubic")))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0
    model(pictures, training=True)
    last = model.layers[-1]
    kernel, _ = last.get_weights()
    logits = keras.Model(model.inputs, last.input)(pictures).numpy() @ kernel
    last.set_weights([kernel * 1.5 / logits.std(axis=0), -1.5 * logits.mean(axis=0) / logits.std(axis=0)])
    return model


def cnn():
    """The plain network of many a notebook: three convolutions, one sigmoid, 150 x 150 gray, 0..1."""
    keras.utils.set_random_seed(3)
    return keras.Sequential([
        keras.Input((150, 150, 1)),
        layers.Conv2D(16, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu", padding="same"), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu", strides=2), layers.Flatten(), layers.Dropout(0.5),
        layers.Dense(32, activation="relu"),
        layers.Dense(1, activation="sigmoid")])


def two_outputs():
    """After MobileNetV2: inverted residuals on RGB of -1..1, 160 wide and 128 high, softmax of two."""
    keras.utils.set_random_seed(5)
    picture = keras.Input((128, 160, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(picture)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    for width, stride in ((16, 1), (24, 2), (24, 1), (32, 2)):
        before = x
        x = layers.ReLU(6)(layers.BatchNormalization()(layers.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x)))
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU(6)(layers.BatchNormalization()(x))
        x = layers.BatchNormalization()(layers.Conv2D(width, 1, use_bias=False)(x))
        if stride == 1 and before.shape[-1] == width:
            x = layers.Add()([before, x])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(picture, layers.Dense(2, activation="softmax")(x))


def three_logits():
    """Any size, gray levels 0..255 in three channels that the network scales itself, logits of three classes."""
    keras.utils.set_random_seed(7)
    return keras.Sequential([
        keras.Input((None, None, 3)), layers.Rescaling(1 / 255),
        layers.Conv2D(8, 5, strides=2, activation="relu"), layers.Conv2D(16, 3, strides=2, activation="gelu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3)])


def one_logit():
    """Keras' "caffe" preprocessing (BGR less the means of ImageNet), one logit that speaks for normal."""
    keras.utils.set_random_seed(9)
    return keras.Sequential([
        keras.Input((96, 96, 3)), layers.Conv2D(8, 3, strides=3, activation="relu"), layers.AveragePooling2D(4),
        layers.Flatten(),
        layers.Dense(1)])


CAFFE_MEANS = [103.939, 116.779, 123.68]


class Case:
    """A model, its card, and what it sees of gray pictures."""

    def __init__(self, name, build, input_facts, output_facts, see):
        self.name, self.see = name, see
        self.build = lambda: stir(build(), see)
        self.card = {"name": name, "version": "1", "input": {"fit": "squash", "interpolation": "bilinear", **input_facts},
                     "output": output_facts, "intended_use": "tests"}
        self.size = (input_facts["width"], input_facts["height"])

    def pneumonia(self, model, gray):
        """TensorFlow's own probability of pneumonia for a batch of gray levels (N x H x W, 0..255)."""
        values = model(self.see(np.float32(gray)[..., None]), training=False).numpy().astype(np.float64)
        if self.card["output"]["values"] == "logits":
            values = 1 / (1 + np.exp(-values)) if values.shape[1] == 1 else tf.nn.softmax(values).numpy()
        classes = self.card["output"]["classes"]
        if classes == ["pneumonia"]:
            return values[:, 0]
        return 1 - values[:, classes.index("normal")]


def rgb(gray):
    return np.repeat(gray, 3, axis=-1)


CASES = [
    Case("cnn", cnn, {"width": 150, "height": 150, "channels": "gray", "scaling": "0..1"},
         {"values": "probabilities", "classes": ["pneumonia"]}, lambda g: g / 255),
    Case("two_outputs", two_outputs, {"width": 160, "height": 128, "channels": "rgb", "scaling": "-1..1"},
         {"values": "probabilities", "classes": ["pneumonia", "normal"]}, lambda g: rgb(g) / 127.5 - 1),
    Case("three_logits", three_logits, {"width": 120, "height": 90, "channels": "rgb", "scaling": "0..255"},
         {"values": "logits", "classes": ["viral", "normal", "bacterial"]}, rgb),
    Case("one_logit", one_logit, {"width": 96, "height": 96, "channels": "bgr",
                                  "scaling": {"mean": CAFFE_MEANS, "std": 1}},
         {"values": "logits", "classes": ["normal"]}, lambda g: rgb(g) - np.float32(CAFFE_MEANS)),
]


def save_frozen(model, path):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(lambda x: model(x, training=False))
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(tf.TensorSpec((None, *model.input_shape[1:]))))
    tf.io.write_graph(frozen.graph, str(path.parent), path.name, as_text=False)


def save(model, folder, form):
    """The model in one of the forms that are imported; its path."""
    folder = pathlib.Path(folder)
    path = folder / ("model" + {"saved_model": "", "frozen": ".pb", "tflite": ".tflite", "onnx": ".onnx"}[form])
    if form == "frozen":
        save_frozen(model, path)
    elif form == "onnx":
        model.export(path, format="onnx", verbose=False)
    else:
        saved = folder / "model"
        if not saved.exists():
            model.export(saved, verbose=False)
        if form == "tflite":
            path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert())
    return path
