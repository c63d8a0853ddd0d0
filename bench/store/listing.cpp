// How long a page of findings takes as their number grows: store_listing URL ROWS...
//
// URL names an empty database, which is filled up to each number of rows in turn; of each kind of page a
// table tells the 50th and the 95th percentile.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "store/finding_codec.h"
#include "store/sql.h"
#include "store/store.h"
#include "store/uuid.h"

namespace {

using namespace xray;  // NOLINT(google-build-using-namespace): a program of one file

constexpr int kPages = 1'000;
/// A finding every half a minute, from 2026 on.
constexpr Moment kFirst{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)};
constexpr std::chrono::seconds kBetween{30};

std::string finding_json() {
  Finding finding{.verdict = Verdict::kPneumonia, .normal = 3, .pneumonia = 97, .model = "bench 1"};
  finding.width = finding.height = 1024;
  finding.heat = {16, 16, std::vector<float>(256, 0.1234F)};
  return encode_finding(finding);
}

/// Rows `begin` to `end`: a third is normal, one of 1,000 rejected, one of 100 uncertain. Without
/// pictures, which lists never touch.
void fill(sql::Database& database, std::int64_t begin, std::int64_t end) {
  const bool sqlite = database.dialect() == sql::Dialect::kSqlite;
  const std::string milliseconds = std::to_string(kFirst.time_since_epoch().count()) + " + n * 30000";
  const auto hex = [&](int digits, const std::string& value) {
    const std::string width = std::to_string(digits);
    return sqlite ? "printf('%0" + width + "x', " + value + ")"
                  : "lpad(to_hex(" + value + "), " + width + ", '0')";
  };
  const std::string id =
      hex(8, "ms >> 16") + " || '-' || " + hex(4, "ms & 65535") + " || '-7000-8000-' || " + hex(12, "n");
  const std::string numbers =
      sqlite ? "WITH RECURSIVE r (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM r WHERE n + 1 < ?)"
             : "WITH r (n) AS (SELECT generate_series(?::BIGINT, ?::BIGINT - 1))";
  const auto connection = database.write();
  connection->take_time();
  sql::Transaction transaction(*connection);
  sql::Query insert(
      *connection,
      numbers + ", s AS (SELECT n, " + milliseconds +
          " AS ms, CASE WHEN n % 1000 = 7 THEN 'rejected' WHEN n % 100 = 3 THEN 'uncertain'"
          " WHEN n % 3 = 0 THEN 'normal' ELSE 'pneumonia' END AS v FROM r)"
          " INSERT INTO finding (id, created_at, file_name, verdict, normal, pneumonia, model, finding)"
          " SELECT " +
          id +
          ", '2026-01-01T00:00:00.000Z', 'film.jpeg', v, CASE WHEN v <> 'rejected' THEN 3 END,"
          " CASE WHEN v <> 'rejected' THEN 97 END, 'bench 1', ? FROM s");
  insert.bind(begin).bind(end).bind(finding_json()).step();
  transaction.commit();
  connection->execute(sqlite ? "PRAGMA wal_checkpoint(TRUNCATE)" : "ANALYZE finding");
}

struct Kind {
  const char* name;
  std::function<FindingQuery(std::int64_t row, std::int64_t rows)> query;
};

Moment time_of(std::int64_t row) {
  return kFirst + row * kBetween;
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"newest", [](auto, auto) { return FindingQuery{}; }},
      {"anywhere", [](auto row, auto) { return FindingQuery{.before = first_uuid7(time_of(row))}; }},
      {"a third of all (normal)",
       [](auto row, auto) {
         return FindingQuery{.before = first_uuid7(time_of(row)), .verdict = Verdict::kNormal};
       }},
      {"one of 100 (uncertain)", [](auto, auto) { return FindingQuery{.verdict = Verdict::kUncertain}; }},
      {"a day",
       [](auto row, auto) {
         return FindingQuery{.from = time_of(row), .to = time_of(row) + std::chrono::days(1)};
       }},
  };
  return all;
}

/// In milliseconds, sorted.
std::vector<double> measure(Store& store, const Kind& kind, std::int64_t rows) {
  std::mt19937_64 random(1);
  std::vector<double> times;
  for (int page = 0; page < kPages + 50; ++page) {
    const auto row = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(rows));
    const auto begin = std::chrono::steady_clock::now();
    if (!store.list(kind.query(row, rows)).ok()) throw std::runtime_error("the store refused");
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
    // The first ones make connections and prepare statements.
    if (page >= 50) times.push_back(spent.count());
  }
  std::ranges::sort(times);
  return times;
}

int run(const char* url, std::span<char*> sizes) {
  auto opened = sql::open_database(url);
  if (!opened) return std::fprintf(stderr, "%s\n", opened.error().message.c_str()), 1;
  const std::shared_ptr<sql::Database> database = std::move(*opened);
  auto store = open_store(database);
  if (!store) return std::fprintf(stderr, "%s\n", store.error().message.c_str()), 1;
  if (!(*store)->list({}).value().findings.empty())
    return std::fputs("the database is not empty\n", stderr), 1;
  std::printf("| rows | page of 50 | p50 ms | p95 ms |\n| ---: | --- | ---: | ---: |\n");
  std::int64_t rows = 0;
  for (const char* text : sizes) {
    std::int64_t size = 0;
    std::from_chars(text, text + std::strlen(text), size);
    if (size <= rows) return std::fputs("numbers of rows grow\n", stderr), 2;
    fill(*database, rows, size);
    rows = size;
    for (const Kind& kind : kinds()) {
      const std::vector<double> times = measure(**store, kind, rows);
      std::printf("| %lld | %s | %.2f | %.2f |\n", static_cast<long long>(rows), kind.name, times[kPages / 2],
                  times[kPages * 95 / 100]);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fputs("usage: store_listing URL ROWS...\n", stderr), 2;
  try {
    return run(argv[1], std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
