#include "dataset/duplicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/file.h"
#include "common/random.h"
#include "dataset/dataset.h"
#include "image/decode.h"
#include "image/encode.h"
#include "preprocess/preprocess.h"
#include "support/phantom.h"
#include "support/shared_data.h"

namespace xray {
namespace {

using testing::ElementsAre;

Image phantom(std::uint64_t seed, double opacity = 0.4) {
  return test::make_phantom({.seed = seed, .opacity = opacity});
}

/// Gray levels through `change` (0..1 each).
template <typename Change>
Image changed(const Image& image, Change change) {
  Plane plane = resize(image, image.width(), image.height());
  for (float& value : plane.values) value = 255 * change(value / 255);
  return to_image(plane);
}

int distance_to(const Image& image, const Image& other) {
  return distance(perceptual_hash(image), perceptual_hash(other));
}

PerceptualHash random_hash(Random& random) {
  return {random.next(), random.next(), random.next(), random.next()};
}

/// `hash` with its first `bits` bits turned over.
PerceptualHash flipped(PerceptualHash hash, int bits) {
  for (int i = 0; i < bits; ++i) hash.at(static_cast<std::size_t>(i / 64)) ^= std::uint64_t{1} << (i % 64);
  return hash;
}

Duplicates duplicates_in(const std::vector<Fingerprint>& pictures) {
  auto found = find_duplicates(pictures, 2);
  if (!found) throw std::runtime_error("nobody asked to stop");
  return std::move(*found);
}

TEST(PerceptualHash, StaysNearWhenAFilmIsSavedAnew) {
  const Image film = phantom(1);
  EXPECT_LE(distance_to(film, decode_image(encode_jpeg(film, 30).value()).value()), kNearDuplicate);
  EXPECT_LE(distance_to(film, to_image(resize(film, film.width() / 2, film.height() / 2))), kNearDuplicate);
  EXPECT_LE(distance_to(film, changed(film, [](float v) { return std::pow(v, 0.8F); })), kNearDuplicate);
  EXPECT_LE(distance_to(film, changed(film, [](float v) { return 0.1F + 0.7F * v; })), kNearDuplicate);
}

TEST(PerceptualHash, ChangesWithTheFilm) {
  EXPECT_GT(distance_to(phantom(1, 0), phantom(1, 1)), kNearDuplicate);
  const Image film = phantom(1);
  const int w = film.width();
  Image::Pixels8 mirrored(film.pixels8().begin(), film.pixels8().end());
  for (int y = 0; y < film.height(); ++y)
    std::reverse(mirrored.begin() + std::ptrdiff_t{y} * w, mirrored.begin() + std::ptrdiff_t{y + 1} * w);
  EXPECT_GT(distance_to(film, Image(w, film.height(), std::move(mirrored))), kNearDuplicate);
}

TEST(PerceptualHash, HasAsManyOnesAsZeros) {
  EXPECT_EQ(distance(perceptual_hash(phantom(3)), PerceptualHash{}), 128);
}

TEST(FindDuplicates, PutsCopiesAndNearCopiesIntoOneGroup) {
  Random random(1);
  const PerceptualHash a = random_hash(random);
  const PerceptualHash b = random_hash(random);
  const std::vector<Fingerprint> pictures = {{"1", a, 0},
                                             {"2", b, 1},
                                             {"3", flipped(a, kNearDuplicate), 2},
                                             {"2", b, 1},
                                             {"4", flipped(b, kNearDuplicate + 1), 1},
                                             {"1", a, 3}};
  const Duplicates found = duplicates_in(pictures);
  ASSERT_EQ(found.groups.size(), 2U);
  EXPECT_THAT(found.groups[0].members, ElementsAre(0, 2, 5));
  EXPECT_FALSE(found.groups[0].same_bytes);
  EXPECT_EQ(found.groups[0].distance, kNearDuplicate);
  EXPECT_THAT(found.groups[1].members, ElementsAre(1, 3));
  EXPECT_TRUE(found.groups[1].same_bytes);
  EXPECT_EQ(found.groups[1].distance, 0);
}

TEST(FindDuplicates, FollowsAChainOfNearCopies) {
  const PerceptualHash a{};
  const std::vector<Fingerprint> pictures = {
      {"1", a, 0}, {"2", flipped(a, 60), 0}, {"3", flipped(a, 30), 0}, {"4", flipped(a, 91), 0}};
  const Duplicates found = duplicates_in(pictures);
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_THAT(found.groups[0].members, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(found.groups[0].distance, 31);
}

TEST(FindDuplicates, NamesTheClosestPairsOfDifferentPatientsBeyondTheLimit) {
  const PerceptualHash a{};
  const std::vector<Fingerprint> pictures = {
      {"1", a, 0}, {"2", flipped(a, 50), 1}, {"3", flipped(a, 100), 2}, {"4", flipped(a, 40), 0}};
  const Duplicates found = duplicates_in(pictures);
  // 3 is 10 bits from 1, so both are one film; 0 and 3 are of one patient.
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_THAT(found.groups[0].members, ElementsAre(1, 3));
  ASSERT_EQ(found.look_alikes.size(), 3U);
  EXPECT_EQ(found.look_alikes[0].distance, 50);
  EXPECT_EQ(found.look_alikes[0].a, 0U);
  EXPECT_EQ(found.look_alikes[0].b, 1U);
  EXPECT_EQ(found.look_alikes[1].distance, 50);
  EXPECT_EQ(found.look_alikes[2].distance, 60);
}

TEST(FindDuplicates, BoundsTheListOfLookAlikes) {
  std::vector<Fingerprint> pictures;
  for (std::size_t i = 0; i < 40; ++i) {
    PerceptualHash hash{};
    hash[i % 4] = 0xFFFFFFFFU << (i / 4 % 8);
    pictures.push_back({std::to_string(i), flipped(hash, 3 * static_cast<int>(i % 7)), i});
  }
  const Duplicates found = duplicates_in(pictures);
  EXPECT_LE(found.look_alikes.size(), kMaxLookAlikes);
}

TEST(FindDuplicates, FindsOnePairAmongTwentyThousandPictures) {
  Random random(2);
  std::vector<Fingerprint> pictures;
  pictures.reserve(20'000);
  for (std::size_t i = 0; i < 20'000; ++i) pictures.push_back({std::to_string(i), random_hash(random), i});
  pictures.back().hash = flipped(pictures.front().hash, 5);
  const Duplicates found = duplicates_in(pictures);
  ASSERT_EQ(found.groups.size(), 1U);
  EXPECT_THAT(found.groups[0].members, ElementsAre(0, 19'999));
}

TEST(FindDuplicates, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(find_duplicates(std::vector<Fingerprint>(3), 1, stop.get_token()));
  EXPECT_TRUE(duplicates_in({}).groups.empty());
}

TEST(FindDuplicates, KeepsRealFilmsOfDifferentPatientsApart) {
  const auto shared = test::shared_data();
  if (!shared) GTEST_SKIP() << "no real films here";
  const auto dataset = scan_dataset(*shared / "chest_xray/train/NORMAL");
  ASSERT_TRUE(dataset.ok());
  std::vector<Fingerprint> pictures;
  for (const Sample& sample : dataset->samples) {
    const Bytes bytes = read_file(sample.path).value();
    pictures.push_back({sha256_hex(bytes), perceptual_hash(decode_image(bytes).value()), 0});
  }
  const Duplicates found = duplicates_in(pictures);
  EXPECT_FALSE(found.groups.empty());
  for (const DuplicateGroup& group : found.groups)
    for (const std::size_t member : group.members)
      EXPECT_EQ(dataset->samples[member].patient, dataset->samples[group.members.front()].patient);
}

}  // namespace
}  // namespace xray
