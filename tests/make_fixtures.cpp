#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string_view>

#include "common/file.h"
#include "image/encode.h"
#include "perturb/synthetic_chest.h"
#include "support/archives.h"
#include "support/phantom.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

namespace fs = std::filesystem;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void write(const fs::path& path, std::span<const std::byte> bytes) {
  fs::create_directories(path.parent_path());
  must(write_file(path, bytes));
}

void write(const fs::path& path, std::string_view text) {
  write(path, std::as_bytes(std::span(text)));
}

Bytes jpeg(const PhantomOptions& options) {
  return must(encode_jpeg(make_phantom(options)));
}
Bytes png(const PhantomOptions& options) {
  return must(encode_png(make_phantom(options)));
}

/// The pictures, broken files and model packages that the cases name; README.md
/// of tests/cases lists them.
void make_fixtures(const fs::path& folder) {
  const PhantomOptions clear{.seed = 1, .opacity = 0};
  const PhantomOptions opaque{.seed = 2, .opacity = 1};

  write(folder / "normal.jpeg", jpeg(clear));
  write(folder / "pneumonia.jpeg", jpeg(opaque));
  write(folder / "pneumonia16.png", png({.bits = 16, .seed = 3, .opacity = 1}));
  write(folder / "no_extension", png(clear));

  const Image upright = make_chest();
  // Near enough to a film for the shipped model; the first is examples/phantom.png.
  write(folder / "chest.png", must(encode_png(upright)));
  write(folder / "chest_white.png", must(encode_png(make_chest(2, 1))));
  Image::Pixels8 upside_down(upright.pixels8().rbegin(), upright.pixels8().rend());
  write(folder / "chest_upside_down.png",
        must(encode_png(Image(upright.width(), upright.height(), std::move(upside_down)))));

  const Bytes whole = jpeg(opaque);
  write(folder / "truncated.jpeg", std::span(whole).first(whole.size() / 2));
  write(folder / "letter.jpeg", "Dear colleague, the film is attached.\n");
  write(folder / "empty.png", "");
  write(folder / "flat.png", must(encode_png(Image(64, 64, Image::Pixels8(4096, 90)))));
  write(folder / "small.png", png({.width = 20, .height = 20}));
  write(folder /
            "bad\xff"
            "name.jpeg",
        "not UTF-8 in its name, no picture inside");

  write(folder / "films/b.jpg", jpeg(opaque));
  write(folder / "films/a.JPEG", jpeg(clear));
  write(folder / "films/deep/er/c.PNG", png(opaque));
  write(folder / "films/notes.txt", "not for reading");
  write(folder / "films/.hidden.jpg", "not for reading");
  write(folder / "films/__MACOSX/b.jpg", "not for reading");
  write(folder / "monday/film.png", png(clear));
  write(folder / "tuesday/film.png", png(opaque));
  fs::create_directories(folder / "nothing/at/all");

  const std::vector<Member> members = {{"a.jpeg", jpeg(clear)},
                                       {"notes.txt", bytes_of("not for reading")},
                                       {"deep/b.png", png(opaque)},
                                       {"letter.png", bytes_of("Dear colleague,")},
                                       {"link.png", {}, MemberKind::kSymlink}};
  write(folder / "archives/films.tar", make_archive(ArchiveKind::kTar, members));
  write(folder / "archives/films.tar.gz", make_archive(ArchiveKind::kTarGz, members));
  write(folder / "archives/films.tar.xz", make_archive(ArchiveKind::kTarXz, members));
  write(folder / "archives/films.tar.zst", make_archive(ArchiveKind::kTarZst, members));
  write(folder / "archives/films.tar.bz2", make_archive(ArchiveKind::kTarBz2, members));
  const Bytes zip = make_archive(ArchiveKind::kZip, members);
  write(folder / "archives/films.zip", zip);
  // Cut off behind the first entry.
  write(folder / "archives/cut.zip", std::span(zip).first(whole.size() + 1000));

  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::string number = std::to_string(seed);
    write(folder / ("labelled/NORMAL/IM-000" + number + "-0001.jpeg"), jpeg({.seed = seed, .opacity = 0}));
    write(folder / ("labelled/PNEUMONIA/person" + number + "_virus_1.jpeg"),
          jpeg({.seed = seed, .opacity = 1}));
  }

  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const std::string number = std::to_string(seed);
    const PhantomOptions chest{
        .width = 160, .height = 144, .seed = 100 + seed, .opacity = seed % 2 == 0 ? 0.0 : 0.9};
    const std::string film = seed % 2 == 0
                                 ? (seed % 4 == 0 ? "NORMAL/IM-" : "NORMAL/NORMAL2-IM-") + number + "-1"
                                 : "PNEUMONIA/person" + number + (seed % 4 == 1 ? "_bacteria_1" : "_virus_1");
    write(folder / "cohort" / (film + ".jpeg"), jpeg(chest));
    write(folder / "cohort_lungs" / (film + ".png"), must(encode_png(make_phantom_lungs(chest))));
  }

  must(write_tiny_package(folder / "tiny"));
  must(write_tiny_package(folder / "tampered"));
  write(folder / "tampered/network.onnx", "another network");
}

}  // namespace
}  // namespace xray::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_fixtures FOLDER\n";
    return 2;
  }
  try {
    xray::test::make_fixtures(argv[1]);
  } catch (const std::exception& failure) {
    std::cerr << "make_fixtures: " << failure.what() << '\n';
    return 1;
  }
  return 0;
}
