#include "serve/http/findings_api.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "common/clock.h"
#include "common/embedded.h"
#include "diagnose/comparison.h"
#include "image/encode.h"
#include "preprocess/preprocess.h"
#include "serve/http/problem.h"
#include "serve/http/upload.h"
#include "store/uuid.h"

namespace xray {

/// openapi.json.
std::span<const EmbeddedFile> openapi_files();

namespace {

using nlohmann::ordered_json;

/// What a form adds to the picture: boundaries, heads, other fields.
constexpr std::uint64_t kFormOverhead = 64U << 10U;
/// Two ids and what JSON adds to them.
constexpr std::uint64_t kComparisonBytes = 1U << 10U;
constexpr int kPage = 50;
/// A day's quota fills up again hour by hour.
constexpr std::chrono::hours kQuotaWait{1};
/// Longer side of a heat map that was not asked for in another size: a smooth
/// field of a few cells gains nothing beyond, and a picture may have 100 megapixels.
constexpr int kHeatmapSide = 1024;
constexpr int kMaxSide = 16'384;

std::string path_of(std::string_view id) {
  return "/api/v1/findings/" + std::string(id);
}

ordered_json to_json(const StoredFinding& stored) {
  ordered_json json = {{"id", stored.id}, {"created_at", stored.created_at}, {"file", stored.file_name}};
  json.update(to_json(stored.finding));
  const std::string self = path_of(stored.id);
  json["links"] = {{"self", self}, {"image", self + "/image"}, {"heatmap", self + "/heatmap"}};
  return json;
}

/// The number in the query under `name`, from 1 to `most`; `fallback` where it is not given.
Result<int> query_number(const Request& request, std::string_view name, int most, int fallback) {
  const std::optional<std::string> text = query_value(request.query, name);
  if (!text) return fallback;
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end || value < 1 || value > most)
    return Error{ErrorCode::kInvalidArgument,
                 std::string(name) + " is a number from 1 to " + std::to_string(most)};
  return value;
}

/// The point in time in the query under `name`; of a day its end, where `end`.
Result<std::optional<Moment>> query_time(const Request& request, std::string_view name, bool end) {
  const std::optional<std::string> text = query_value(request.query, name);
  if (!text) return std::optional<Moment>();
  const auto read = parse_time(*text);
  if (!read)
    return Error{ErrorCode::kInvalidArgument,
                 std::string(name) + " is a day (2026-01-31) or a time (2026-01-31T12:00:00Z)"};
  return std::optional<Moment>(read->time + std::chrono::days(read->is_day && end ? 1 : 0));
}

/// What GET /api/v1/findings is asked for. kInvalidArgument.
Result<FindingQuery> finding_query(const Request& request) {
  const Result<int> limit = query_number(request, "limit", 200, kPage);
  if (!limit) return limit.error();
  FindingQuery query{.limit = *limit, .before = query_value(request.query, "before")};
  if (query.before && !is_uuid(*query.before))
    return Error{ErrorCode::kInvalidArgument, "before is the id of a finding"};
  if (const auto verdict = query_value(request.query, "verdict")) {
    query.verdict = verdict_from(*verdict);
    if (!query.verdict)
      return Error{ErrorCode::kInvalidArgument, "verdict is normal, pneumonia, uncertain or rejected"};
  }
  const auto from = query_time(request, "from", /*end=*/false);
  if (!from) return from.error();
  const auto to = query_time(request, "to", /*end=*/true);
  if (!to) return to.error();
  query.from = *from;
  query.to = *to;
  return query;
}

/// Width and height.
struct Size {
  int width = 0;
  int height = 0;
};

/// `size` made smaller, its shape kept, until the longer side is at most `side`.
Size fit(Size size, int side) {
  const double scale = std::min(1.0, double(side) / std::max({size.width, size.height, 1}));
  const auto shrink = [&](int length) { return std::max(1, static_cast<int>(std::lround(length * scale))); };
  return {shrink(size.width), shrink(size.height)};
}

/// A finding's pictures never change. Where people sign in, whoever uses the browser next must not see them.
/// `name` is of our own making, never that of an upload.
Response png_response(const Request& request, Bytes png, const std::string& name, const std::string& etag) {
  const char* const keep = request.caller ? "no-store" : "private, max-age=86400, immutable";
  return {200,
          {{"Content-Type", "image/png"},
           {"Content-Disposition", "inline; filename=\"" + name + ".png\""},
           {"Cache-Control", keep},
           {"ETag", etag}},
          std::move(png)};
}

/// The store is there, but its disk has no room (RFC 4918, section 11.5).
Response write_problem(const Error& error) {
  return error.code == ErrorCode::kIo ? problem(507, error) : problem(error);
}

}  // namespace

Result<Examined> examine_upload(const Request& request, const DecodeLimits& limits,
                                const Diagnose& diagnose) {
  Result<Upload> upload = read_upload(request);
  if (!upload) return upload.error();
  if (upload->picture.size() > limits.max_bytes)
    return Error{ErrorCode::kTooLarge,
                 "the picture is larger than the limit of " + std::to_string(limits.max_bytes) + " bytes"};
  Result<Finding> finding = diagnose(upload->picture);
  if (!finding) return finding.error();
  return Examined{std::move(*upload), std::move(*finding)};
}

Result<Finding> examine_file(std::span<const std::byte> file, const DecodeLimits& limits,
                             const Diagnose& diagnose) {
  const std::string_view boundary = "no-picture-holds-this-line";
  std::string form = "--" + std::string(boundary) +
                     "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"selftest\"\r\n\r\n";
  form.append(reinterpret_cast<const char*>(file.data()), file.size());
  form += "\r\n--" + std::string(boundary) + "--\r\n";
  Request request;
  request.method = "POST";
  request.headers = {{"Content-Type", "multipart/form-data; boundary=" + std::string(boundary)}};
  request.body = std::as_bytes(std::span(form));
  Result<Examined> examined = examine_upload(request, limits, diagnose);
  if (!examined) return examined.error();
  return std::move(examined->finding);
}

FindingsApi::FindingsApi(Diagnose diagnose, Store& store, const DecodeLimits& limits, Explain explain,
                         FindingRights* rights)
    : diagnose_(std::move(diagnose)),
      store_(store),
      limits_(limits),
      explain_(std::move(explain)),
      rights_(rights) {}

std::vector<Route> FindingsApi::routes() {
  using Id = std::string_view;
  const auto answer = [](Response response) {
    return [response = std::move(response)](const Request&, Id) { return response; };
  };
  return {
      {"POST", "/api/v1/findings", Permission::kDiagnose, Lane::kDiagnosis, limits_.max_bytes + kFormOverhead,
       [this](const Request& request, Id) { return create(request); }},
      {"GET", "/api/v1/findings", Permission::kRead, Lane::kLookup, 0,
       [this](const Request& request, Id) { return list(request); }},
      {"GET", "/api/v1/findings/{id}", Permission::kRead, Lane::kLookup, 0,
       [this](const Request& request, Id id) { return show(request, id); }},
      {"DELETE", "/api/v1/findings/{id}", Permission::kDiagnose, Lane::kLookup, 0,
       [this](const Request& request, Id id) { return remove(request, id); }},
      {"GET", "/api/v1/findings/{id}/image", Permission::kRead, Lane::kLookup, 0,
       [this](const Request& request, Id id) { return image(request, id); }},
      {"GET", "/api/v1/findings/{id}/heatmap", Permission::kRead, Lane::kLookup, 0,
       [this](const Request& request, Id id) { return heatmap(request, id); }},
      {"POST", "/api/v1/comparisons", Permission::kDiagnose, Lane::kLookup, kComparisonBytes,
       [this](const Request& request, Id) { return compare(request); }},
      {"GET", "/api/v1/openapi.json", Permission::kOpen, Lane::kAtOnce, 0,
       answer({200, {{"Content-Type", "application/json"}}, std::string(openapi_document())})},
  };
}

Outcome FindingsApi::create(const Request& request) {
  if (const Result<Done> may = rights_ == nullptr ? Done{} : rights_->may_make(request); !may)
    return may.error().code == ErrorCode::kOverQuota ? over_quota(may.error().message, kQuotaWait)
                                                     : problem(may.error());
  Result<Examined> examined = examine_upload(request, limits_, diagnose_);
  if (!examined) return problem(examined.error());
  return [this, &request, examined = std::move(*examined)] { return keep(request, examined); };
}

Response FindingsApi::keep(const Request& request, const Examined& examined) {
  const auto& [upload, finding] = examined;
  const Result<StoredFinding> stored = store_.put(finding, upload.file_name, upload.picture);
  if (!stored) return write_problem(stored.error());
  if (rights_ != nullptr) {
    // A finding that would be nobody's is not kept.
    if (const auto made = rights_->made(request, stored->id, upload.picture.size()); !made) {
      std::ignore = store_.remove(stored->id);
      return write_problem(made.error());
    }
  }
  Response response = json_response(201, to_json(*stored));
  response.headers.push_back({"Location", path_of(stored->id)});
  return response;
}

Response FindingsApi::list(const Request& request) {
  const Result<FindingQuery> query = finding_query(request);
  if (!query) return problem(query.error());
  const Result<FindingPage> listed = store_.list(*query);
  if (!listed) return problem(listed.error());
  const FindingPage& page = *listed;
  ordered_json json = {{"findings", ordered_json::array()}, {"next_before", nullptr}};
  for (const StoredFinding& stored : page.findings) json["findings"].push_back(to_json(stored));
  if (page.next_before) json["next_before"] = *page.next_before;
  return json_response(200, json);
}

void FindingsApi::viewed(const Request& request, std::string_view id) {
  if (rights_ != nullptr) rights_->viewed(request, std::string(id));
}

Response FindingsApi::show(const Request& request, std::string_view id) {
  const Result<StoredFinding> stored = store_.get(std::string(id));
  if (stored) viewed(request, id);
  return stored ? json_response(200, to_json(*stored)) : problem(stored.error());
}

Response FindingsApi::image(const Request& request, std::string_view id) {
  const Result<int> side = query_number(request, "max", kMaxSide, 0);
  if (!side) return problem(side.error());
  const Result<StoredFinding> stored = store_.get(std::string(id));
  if (!stored) return problem(stored.error());
  viewed(request, id);
  const std::string etag = "\"" + stored->id + "-image-" + std::to_string(*side) + "\"";
  if (client_has(request, etag)) return {304, {{"ETag", etag}}};

  const Result<Bytes> bytes = store_.picture(stored->id);
  if (!bytes) return problem(bytes.error());
  const Size full{stored->finding.width, stored->finding.height};
  const Size size = *side == 0 ? full : fit(full, *side);
  const DecodeSize needed = *side == 0 ? DecodeSize{} : DecodeSize{size.width, size.height};
  Result<Image> picture = decode_image(*bytes, limits_, needed);
  if (!picture)
    return problem({ErrorCode::kStorage, "a kept picture cannot be read: " + picture.error().message});
  if (*side != 0 && (picture->width() > size.width || picture->height() > size.height))
    picture = to_image(resize(*picture, size.width, size.height));
  Result<Bytes> png = encode_png(*picture);
  return png ? png_response(request, std::move(*png), stored->id, etag) : problem(png.error());
}

Result<HeatMap> FindingsApi::heat_of(const StoredFinding& stored) {
  /// The page asks for heat and contour, and for both again when it is opened anew.
  constexpr std::size_t kRemembered = 64;
  if (!stored.finding.heat.empty()) return stored.finding.heat;
  if (!explain_ || stored.finding.is_rejected())
    return Error{ErrorCode::kNotFound, "the model of this finding draws no heat maps"};
  const auto remembered = [&]() -> std::optional<HeatMap> {
    const std::scoped_lock lock(explained_mutex_);
    const auto found =
        std::ranges::find(explained_, stored.id, [](const auto& entry) { return entry.first; });
    if (found == explained_.end()) return {};
    return found->second;
  };
  if (auto known = remembered()) return *known;
  // As much work as 49 findings, for which uploads do not wait: never more than one thread of it.
  const std::scoped_lock one_at_a_time(explaining_);
  if (auto known = remembered()) return *known;
  const Result<Bytes> picture = store_.picture(stored.id);
  if (!picture) return picture.error();
  auto heat = explain_(stored.finding.model, *picture);
  if (!heat) return heat;
  const std::scoped_lock lock(explained_mutex_);
  explained_.emplace_back(stored.id, *heat);
  if (explained_.size() > kRemembered) explained_.pop_front();
  return heat;
}

Response FindingsApi::heatmap(const Request& request, std::string_view id) {
  const Result<int> side = query_number(request, "max", kHeatmapSide, kHeatmapSide);
  if (!side) return problem(side.error());
  const Result<StoredFinding> stored = store_.get(std::string(id));
  if (!stored) return problem(stored.error());
  const std::string layer = query_value(request.query, "layer").value_or("heat");
  if (layer != "heat" && layer != "contour")
    return problem({ErrorCode::kInvalidArgument, "layer is 'heat' or 'contour'"});
  const std::string etag = "\"" + stored->id + "-" + layer + "map-" + std::to_string(*side) + "\"";
  if (client_has(request, etag)) return {304, {{"ETag", etag}}};
  const Result<HeatMap> heat = heat_of(*stored);
  if (!heat) return problem(heat.error());
  const Size size = fit({stored->finding.width, stored->finding.height}, *side);
  const auto render = layer == "heat" ? render_heatmap : render_contour;
  Result<Bytes> png = render(*heat, size.width, size.height);
  return png ? png_response(request, std::move(*png), stored->id + "-" + layer, etag) : problem(png.error());
}

Response FindingsApi::compare(const Request& request) {
  const auto ids = ids_to_compare({reinterpret_cast<const char*>(request.body.data()), request.body.size()});
  if (!ids) return problem(ids.error());
  constexpr std::array kWhich = {"before", "after"};
  std::vector<StoredFinding> films;
  ordered_json json;
  for (std::size_t i = 0; i < kWhich.size(); ++i) {
    Result<StoredFinding> stored = store_.get((*ids)[i]);
    if (!stored) return problem(with_context(stored.error(), kWhich[i]));
    json[kWhich[i]] = {{"id", stored->id}, {"file", stored->file_name}, {"created_at", stored->created_at}};
    films.push_back(std::move(*stored));
  }
  const Result<Comparison> comparison = xray::compare(films[0].finding, films[1].finding);
  if (!comparison) return problem(comparison.error());
  json.update(to_json(*comparison));
  return json_response(200, json);
}

Response FindingsApi::remove(const Request& request, std::string_view id) {
  const std::string which(id);
  if (rights_ != nullptr) {
    if (const auto there = store_.get(which); !there) return problem(there.error());
    if (const auto may = rights_->may_remove(request, which); !may) return problem(may.error());
  }
  const Result<Done> removed = store_.remove(which);
  if (!removed) return write_problem(removed.error());
  if (rights_ != nullptr) rights_->removed(request, which);
  return Response{204};
}

Result<std::array<std::string, 2>> ids_to_compare(std::string_view body) {
  const auto asked = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
  const auto id = [&](const char* which) {
    const bool given = asked.is_object() && asked.contains(which) && asked[which].is_string();
    return given ? asked[which].get<std::string>() : std::string();
  };
  std::array<std::string, 2> ids = {id("before"), id("after")};
  if (is_uuid(ids[0]) && is_uuid(ids[1])) return ids;
  return Error{ErrorCode::kInvalidArgument,
               R"(the body is JSON: {"before": "<id of a finding>", "after": "<id of a finding>"})"};
}

std::string_view openapi_document() {
  return openapi_files().front().text();
}

}  // namespace xray
