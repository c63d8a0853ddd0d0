#include "tune/study_store.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/clock.h"
#include "common/embedded.h"

namespace xray {

/// migrations/*.sql, in the order of their names.
std::span<const EmbeddedFile> study_migration_files();

namespace {

using Json = nlohmann::ordered_json;
using sql::Query;
using sql::Transaction;

constexpr std::int64_t kPause = 10'000;  ///< ms

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Json to_json(const Figures& figures) {
  Json json = Json::object();
  // JSON has no NaN; null says that the number does not exist.
  for (const auto& [name, value] : figures) json[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  return json;
}

Figures figures_from(const Json& json) {
  Figures figures;
  for (const auto& [name, value] : json.items())
    figures[name] = value.is_null() ? std::nan("") : value.get<double>();
  return figures;
}

/// Trial numbers of a study must not be given twice: who adds one holds this.
std::string lock_of(const std::string& study) {
  return "study " + study;
}

}  // namespace

Json to_json(const Trial& trial) {
  Json json = {{"number", trial.number},
               {"state", name(trial.state)},
               {"configuration", trial.configuration},
               {"epochs", trial.epochs},
               {"figures", to_json(trial.figures)},
               {"failures", trial.failures},
               {"message", trial.message},
               {"worker", trial.worker},
               {"from", trial.from},
               {"seconds", trial.seconds},
               {"created_at", trial.created_at},
               {"ended_at", trial.ended_at}};
  if (trial.place)
    json["place"] = {
        {"round", trial.place->round}, {"bracket", trial.place->bracket}, {"rung", trial.place->rung}};
  json["progress"] = Json::array();
  for (const auto& [step, value] : trial.progress)
    if (std::isfinite(value)) json["progress"].push_back({step, value});
  return json;
}

Result<Trial> trial_from_json(const Json& json) try {
  Trial trial;
  json.at("number").get_to(trial.number);
  const auto state = trial_state_from(json.at("state").get<std::string>());
  if (!state) return state.error();
  trial.state = *state;
  trial.configuration = json.at("configuration");
  json.at("epochs").get_to(trial.epochs);
  trial.figures = figures_from(json.at("figures"));
  json.at("failures").get_to(trial.failures);
  json.at("message").get_to(trial.message);
  json.at("worker").get_to(trial.worker);
  json.at("from").get_to(trial.from);
  json.at("seconds").get_to(trial.seconds);
  json.at("created_at").get_to(trial.created_at);
  json.at("ended_at").get_to(trial.ended_at);
  if (json.contains("place")) {
    const Json& place = json.at("place");
    trial.place = BracketPlace{place.at("round"), place.at("bracket"), place.at("rung")};
  }
  for (const Json& step : json.at("progress"))
    trial.progress[step.at(0).get<int>()] = step.at(1).get<double>();
  return trial;
} catch (const nlohmann::json::exception& error) {
  return Error{ErrorCode::kStorage, std::string("a trial's record cannot be read: ") + error.what()};
}

Result<std::unique_ptr<StudyStore>> StudyStore::open(const std::string& url, const std::string& name) {
  auto database = sql::open_database(url);
  if (!database) return database.error();
  if (auto migrated = sql::migrate(**database, "study", study_migration_files()); !migrated)
    return migrated.error();
  return std::unique_ptr<StudyStore>(new StudyStore(std::move(*database), name));
}

Result<Json> StudyStore::create(const Json& settings) {
  const auto made = sql::guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection,
          "INSERT INTO study (name, settings, created_at, seconds, ticked_at) VALUES (?, ?, ?, 0, 0)"
          " ON CONFLICT (name) DO NOTHING")
        .bind(name_)
        .bind(settings.dump())
        .bind(rfc3339(std::chrono::system_clock::now()))
        .step();
    transaction.commit();
    return Done{};
  });
  if (!made) return made.error();
  return this->settings();
}

Result<Json> StudyStore::settings() {
  return sql::guarded([&]() -> Result<Json> {
    const auto connection = database_->read();
    Query query(*connection, "SELECT settings FROM study WHERE name = ?");
    if (!query.bind(name_).step()) return Error{ErrorCode::kNotFound, "there is no study '" + name_ + "'"};
    Json json = Json::parse(query.text(0), nullptr, false);
    if (!json.is_object()) return Error{ErrorCode::kStorage, "the study's settings cannot be read"};
    return json;
  });
}

std::vector<Trial> StudyStore::read_trials(sql::Connection& connection) {
  std::vector<Trial> all;
  Query query(connection, "SELECT record FROM trial WHERE study = ? ORDER BY number");
  query.bind(name_);
  while (query.step()) {
    auto trial = trial_from_json(Json::parse(query.text(0), nullptr, false));
    if (!trial) throw sql::Failure(trial.error().message);
    all.push_back(std::move(*trial));
  }
  return all;
}

Result<std::vector<Trial>> StudyStore::trials() {
  return sql::guarded([&]() -> Result<std::vector<Trial>> { return read_trials(*database_->read()); });
}

void StudyStore::insert(sql::Connection& connection, const Trial& trial) {
  Query(connection,
        "INSERT INTO trial (study, number, state, worker, seen_at, record) VALUES (?, ?, ?, ?, ?, ?)")
      .bind(name_)
      .bind(trial.number)
      .bind(name(trial.state))
      .bind(trial.worker)
      .bind(now_ms())
      .bind(to_json(trial).dump())
      .step();
}

std::int64_t StudyStore::put(sql::Connection& connection, const Trial& trial, const std::string& of_worker) {
  Query update(
      connection,
      "UPDATE trial SET state = ?, worker = ?, seen_at = ?, record = ? WHERE study = ? AND number = ?"
      " AND worker = ?");
  update.bind(name(trial.state))
      .bind(trial.worker)
      .bind(now_ms())
      .bind(to_json(trial).dump())
      .bind(name_)
      .bind(trial.number)
      .bind(of_worker)
      .step();
  return update.changes();
}

Result<StudyStore::Claimed> StudyStore::claim(const ClaimRules& rules, const Tuner& tuner) {
  return sql::guarded([&]() -> Result<Claimed> {
    const auto connection = database_->write();
    Transaction transaction(*connection, lock_of(name_));
    const std::vector<Trial> all = read_trials(*connection);
    std::set<std::int64_t> stale;
    {
      Query query(*connection,
                  "SELECT number FROM trial WHERE study = ? AND state = 'running' AND seen_at < ?");
      query.bind(name_).bind(now_ms() - std::chrono::milliseconds(rules.stale).count());
      while (query.step()) stale.insert(query.integer(0));
    }
    const auto take = [&](Trial trial) -> Claimed {
      const std::string before = std::exchange(trial.worker, rules.worker);
      trial.state = TrialState::kRunning;
      put(*connection, trial, before);
      transaction.commit();
      return {.trial = std::move(trial)};
    };
    bool running = false;
    for (const Trial& trial : all) {
      if (trial.state != TrialState::kRunning) continue;
      if (stale.contains(trial.number) || rules.is_gone(trial.worker)) return take(trial);
      running = true;
    }
    for (const Trial& trial : all)
      if (trial.state == TrialState::kWaiting) return take(trial);
    // Failures of others may yet bring work.
    if (!rules.may_begin) return Claimed{.wait = running};

    const Proposal proposal = tuner.propose(all);
    if (std::holds_alternative<Wait>(proposal)) return Claimed{.wait = running};
    if (std::holds_alternative<Exhausted>(proposal)) return Claimed{.wait = running};
    if (const auto* promotion = std::get_if<Promotion>(&proposal)) {
      Trial trial = *std::ranges::find(all, promotion->number, &Trial::number);
      trial.epochs = promotion->epochs;
      trial.place = promotion->place;
      return take(std::move(trial));
    }
    const auto own =
        std::ranges::count_if(all, [](const Trial& t) { return t.state != TrialState::kImported; });
    if (rules.max_trials > 0 && own >= rules.max_trials) return Claimed{.wait = running};
    const auto& fresh = std::get<NewTrial>(proposal);
    Trial trial{.number = all.empty() ? 1 : all.back().number + 1,
                .configuration = fresh.configuration,
                .state = TrialState::kRunning,
                .epochs = fresh.epochs,
                .place = fresh.place};
    trial.worker = rules.worker;
    trial.created_at = rfc3339(std::chrono::system_clock::now());
    insert(*connection, trial);
    transaction.commit();
    return Claimed{.trial = std::move(trial)};
  });
}

Result<bool> StudyStore::touch(const Trial& trial) {
  return sql::guarded([&]() -> Result<bool> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    const bool mine = put(*connection, trial, trial.worker) == 1;
    transaction.commit();
    return mine;
  });
}

Result<int> StudyStore::import(std::vector<Trial> trials) {
  return sql::guarded([&]() -> Result<int> {
    const auto connection = database_->write();
    Transaction transaction(*connection, lock_of(name_));
    const std::vector<Trial> there = read_trials(*connection);
    std::int64_t number = there.empty() ? 0 : there.back().number;
    int added = 0;
    for (Trial& trial : trials) {
      if (std::ranges::find(there, trial.from, &Trial::from) != there.end()) continue;
      trial.number = ++number;
      trial.state = TrialState::kImported;
      trial.worker.clear();
      insert(*connection, trial);
      ++added;
    }
    transaction.commit();
    return added;
  });
}

Result<Done> StudyStore::add(const CurvePoint& point) {
  return sql::guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection,
          "INSERT INTO curve (study, number, execution, fold, epoch, figures) VALUES (?, ?, ?, ?, ?, ?)"
          " ON CONFLICT (study, number, execution, fold, epoch) DO UPDATE SET figures = excluded.figures")
        .bind(name_)
        .bind(point.trial)
        .bind(point.execution)
        .bind(point.fold)
        .bind(point.epoch)
        .bind(to_json(point.figures).dump())
        .step();
    transaction.commit();
    return Done{};
  });
}

Result<std::vector<CurvePoint>> StudyStore::curves() {
  return sql::guarded([&]() -> Result<std::vector<CurvePoint>> {
    const auto connection = database_->read();
    Query query(*connection,
                "SELECT number, execution, fold, epoch, figures FROM curve WHERE study = ?"
                " ORDER BY number, execution, fold, epoch");
    query.bind(name_);
    std::vector<CurvePoint> points;
    while (query.step()) {
      const Json figures = Json::parse(query.text(4), nullptr, false);
      if (!figures.is_object()) return Error{ErrorCode::kStorage, "a learning curve cannot be read"};
      points.push_back({query.integer(0), static_cast<int>(query.integer(1)),
                        static_cast<int>(query.integer(2)), static_cast<int>(query.integer(3)),
                        figures_from(figures)});
    }
    return points;
  });
}

Result<double> StudyStore::tick() {
  return sql::guarded([&]() -> Result<double> {
    const auto connection = database_->write();
    Transaction transaction(*connection, lock_of(name_));
    double seconds = 0;
    std::int64_t last = 0;
    {
      Query query(*connection, "SELECT seconds, ticked_at FROM study WHERE name = ?");
      if (!query.bind(name_).step()) return Error{ErrorCode::kNotFound, "there is no study '" + name_ + "'"};
      seconds = query.real(0);
      last = query.integer(1);
    }
    const std::int64_t now = now_ms();
    const std::int64_t since = now - last;
    if (since > 0 && since <= kPause) seconds += static_cast<double>(since) / 1000;
    Query(*connection, "UPDATE study SET seconds = ?, ticked_at = ? WHERE name = ?")
        .bind(seconds)
        .bind(now)
        .bind(name_)
        .step();
    transaction.commit();
    return seconds;
  });
}

}  // namespace xray
