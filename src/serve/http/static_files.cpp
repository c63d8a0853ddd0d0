#include "serve/http/static_files.h"

#include <array>
#include <deque>
#include <string>

#include "common/embedded.h"

namespace xray {

/// web/dist as Vite leaves it.
std::span<const EmbeddedFile> web_files();

namespace {

std::string_view media_type_of(std::string_view path) {
  struct Known {
    std::string_view extension;
    std::string_view type;
  };
  constexpr std::array<Known, 12> kKnown = {{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".wasm", "application/wasm"},
      {".txt", "text/plain; charset=utf-8"},
      {".map", "application/json"},
  }};
  for (const Known& known : kKnown)
    if (path.ends_with(known.extension)) return known.type;
  return "application/octet-stream";
}

}  // namespace

std::span<const Asset> web_assets() {
  static const std::vector<Asset> assets = [] {
    // A deque, since the views into its strings must stay where they are.
    static std::deque<std::string> texts;
    std::vector<Asset> all;
    for (const EmbeddedFile& file : web_files()) {
      const std::string& path = texts.emplace_back("/" + std::string(file.path));
      const std::string& etag = texts.emplace_back("\"" + std::string(file.sha256.substr(0, 16)) + "\"");
      all.push_back({path, media_type_of(path), file.bytes, etag});
    }
    return all;
  }();
  return assets;
}

std::vector<Route> static_routes(std::span<const Asset> assets) {
  std::vector<Route> routes;
  for (const Asset& asset : assets) {
    const auto serve = [asset](const Request& request, std::string_view) -> Response {
      const bool hashed = asset.path.starts_with("/assets/");
      std::vector<Header> headers = {
          {"Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache"},
          {"ETag", std::string(asset.etag)}};
      if (client_has(request, asset.etag)) return {304, std::move(headers)};
      headers.push_back({"Content-Type", std::string(asset.media_type)});
      return {200, std::move(headers), asset.bytes};
    };
    routes.push_back({"GET", asset.path, Permission::kOpen, Lane::kAtOnce, 0, serve});
    if (asset.path == "/index.html")
      routes.push_back({"GET", "/", Permission::kOpen, Lane::kAtOnce, 0, serve});
  }
  return routes;
}

}  // namespace xray
