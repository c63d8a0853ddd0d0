"""Writes the Keras peer's model. Its weights are random: what it answers means nothing, how
long it takes does not depend on them."""
import argparse

import keras
from keras import layers

SIDE = 224
CLASSES = 3


def mobilenet_v2():
    return keras.applications.MobileNetV2(input_shape=(SIDE, SIDE, 3), weights=None, classes=CLASSES)


def small_cnn():
    """Three convolutions with pooling between them, as in many a tutorial."""
    return keras.Sequential([
        keras.Input((SIDE, SIDE, 3)),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dropout(0.5),
        layers.Dense(CLASSES, activation="softmax")])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["mobilenet-v2", "small-cnn"])
    parser.add_argument("file")
    options = parser.parse_args()
    keras.utils.set_random_seed(1)
    {"mobilenet-v2": mobilenet_v2, "small-cnn": small_cnn}[options.kind]().save(options.file)


if __name__ == "__main__":
    main()
