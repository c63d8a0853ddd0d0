"""Trains one architecture with Keras for a few steps and prints its pictures per second
as JSON. Run by run.py in an environment of its own."""
import argparse
import json
import pathlib
import time

import keras
import tensorflow as tf
from keras import layers

CLASSES = 3
# Of EfficientNet-Lite0: repeats, kernel, stride, expansion, width.
LITE0_STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
                (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


def norm(x, active=True):
    x = layers.BatchNormalization(momentum=0.95, epsilon=1e-3)(x)
    return layers.ReLU(6.0)(x) if active else x


def efficientnet_lite0(side):
    image = keras.Input((side, side, 1))
    x = norm(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(image))
    for repeats, kernel, first_stride, expand, width in LITE0_STAGES:
        for i in range(repeats):
            stride = first_stride if i == 0 else 1
            y = x
            if expand != 1:
                y = norm(layers.Conv2D(x.shape[-1] * expand, 1, use_bias=False)(y))
            y = norm(layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)(y))
            y = norm(layers.Conv2D(width, 1, use_bias=False)(y), active=False)
            x = layers.Add()([x, y]) if stride == 1 and x.shape[-1] == width else y
    x = norm(layers.Conv2D(1280, 1, use_bias=False)(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(CLASSES, dtype="float32")(x))


def mobilenet_v2(side):
    return keras.applications.MobileNetV2(input_shape=(side, side, 1), weights=None, classes=CLASSES,
                                          classifier_activation=None)


def read_pictures(folder, side, limit):
    """All in memory at the input's size, as xray-train holds them."""
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    files = files[:: max(1, len(files) // limit)][:limit]
    pictures = []
    for file in files:
        picture = tf.io.decode_image(file.read_bytes(), channels=1, expand_animations=False)
        pictures.append(tf.cast(tf.image.resize(picture, (side, side)), tf.uint8))
    labels = [2 if "virus" in f.name else 1 if f.parent.name == "PNEUMONIA" else 0 for f in files]
    return tf.stack(pictures), tf.constant(labels)


def batches(pictures, labels, batch, augmented):
    data = tf.data.Dataset.from_tensor_slices((pictures, labels)).shuffle(len(labels), seed=1).repeat().batch(batch)
    changes = keras.Sequential([
        layers.RandomFlip("horizontal"), layers.RandomRotation(0.03), layers.RandomTranslation(0.07, 0.07),
        layers.RandomZoom(0.2), layers.RandomContrast(0.3)])

    def prepare(pictures, labels):
        x = tf.cast(pictures, tf.float32)
        x = changes(x, training=True) if augmented else x
        return tf.image.per_image_standardization(x), labels

    return data.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


class Clock(keras.callbacks.Callback):
    """When each step ended."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.perf_counter())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--input", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--xla", action="store_true")
    options = parser.parse_args()

    keras.utils.set_random_seed(1)
    if options.precision == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = {"efficientnet-lite0": efficientnet_lite0, "mobilenet-v2": mobilenet_v2}[options.arch](options.input)
    model.compile(optimizer=keras.optimizers.AdamW(6e-4, weight_decay=0.05),
                  loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=options.xla)
    pictures, labels = read_pictures(options.data, options.input, 16 * options.batch)
    clock = Clock()
    model.fit(batches(pictures, labels, options.batch, options.augment), verbose=0, callbacks=[clock],
              steps_per_epoch=options.warm_up + options.steps, epochs=1)
    seconds = clock.ends[-1] - clock.ends[options.warm_up - 1]
    print(json.dumps({"rate": options.steps * options.batch / seconds, "parameters": model.count_params()}))


if __name__ == "__main__":
    main()
