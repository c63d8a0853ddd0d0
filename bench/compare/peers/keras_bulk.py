"""model.predict() over a tf.data pipeline that reads, decodes and resizes in parallel; prints pictures
per second as JSON, from the first picture read to the last score, without starting TensorFlow."""
import argparse
import json
import pathlib
import time

import keras
import tensorflow as tf


def read(side):
    def run(file):
        picture = tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)
        return tf.image.resize(picture, (side, side)) / 255
    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--passes", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    model = keras.models.load_model(options.model)
    side = model.input_shape[1]
    model.predict(tf.zeros((options.batch, side, side, 3)), batch_size=options.batch, verbose=0)
    files = sorted(str(path) for path in pathlib.Path(options.pictures).rglob("*")
                   if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    data = tf.data.Dataset.from_tensor_slices(files).repeat(options.passes)
    data = data.map(read(side), num_parallel_calls=tf.data.AUTOTUNE).batch(options.batch).prefetch(tf.data.AUTOTUNE)
    begin = time.perf_counter()
    scores = model.predict(data, verbose=0)
    print(json.dumps({"rate": len(scores) / (time.perf_counter() - begin), "pictures": len(scores)}))


if __name__ == "__main__":
    main()
