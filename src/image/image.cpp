#include "image/image.h"

#include <stdexcept>
#include <utility>

namespace xray {
namespace {

void require_size(int width, int height, std::size_t pixels) {
  if (width < 1 || height < 1 ||
      pixels != static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
    throw std::invalid_argument("Image: the number of pixels is not width times height");
  }
}

}  // namespace

Image::Image(int width, int height, Pixels8 pixels)
    : width_(width),
      height_(height),
      source_width_(width),
      source_height_(height),
      pixels_(std::move(pixels)) {
  require_size(width, height, pixels8().size());
}

Image::Image(int width, int height, Pixels16 pixels)
    : width_(width),
      height_(height),
      source_width_(width),
      source_height_(height),
      pixels_(std::move(pixels)) {
  require_size(width, height, pixels16().size());
}

}  // namespace xray
