"""Drawn films at the sizes and file sizes of real ones, from the example that ships: other sizes, gray
levels and grain, saved as JPEG."""
import argparse
import pathlib

import cv2
import numpy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("example")
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    film = cv2.imread(options.example, cv2.IMREAD_GRAYSCALE)
    chance = numpy.random.default_rng(1)
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        width = int(chance.integers(900, 2000))
        size = (width, round(width * film.shape[0] / film.shape[1]))
        picture = cv2.resize(film, size, interpolation=cv2.INTER_CUBIC) * chance.uniform(0.85, 1.0)
        picture += chance.normal(0, 3, picture.shape)
        cv2.imwrite(str(folder / f"drawn-{number:03}.jpeg"), picture.clip(0, 255).astype(numpy.uint8),
                    [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
