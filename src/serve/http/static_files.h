#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "serve/http/router.h"

namespace xray {

/// A file of the page, carried in the program.
struct Asset {
  std::string_view path;  ///< "/index.html", "/assets/main-1a2b3c4d.js"
  std::string_view media_type;
  std::span<const std::byte> bytes;
  std::string_view etag;  ///< with its quotes
};

/// The built page; empty where the program was built without it. Static storage.
std::span<const Asset> web_assets();

/// GET for every asset, and "/" for /index.html. Files below /assets/ carry a hash
/// in their names and never change; the others are asked for anew each time.
/// `assets` outlives the routes.
std::vector<Route> static_routes(std::span<const Asset> assets);

}  // namespace xray
