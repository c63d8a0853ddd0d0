#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/predict_row.h"
#include "common/descriptor.h"
#include "common/result.h"

namespace xray {

/// A set of names with how often each is in it, 24 bytes a name.
class NameTally {
 public:
  void add(std::string_view name);
  /// Takes one away; false where there is none (any more).
  bool take(std::string_view name);
  std::size_t size() const { return names_.size(); }  ///< as often as add() was called

 private:
  /// 128 bits of SHA-256: nobody finds two names alike.
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  static Key key_of(std::string_view name);

  /// Sorted by key once take() was called; of equal keys the first holds how many are left.
  struct Counted {
    Key key;
    std::uint64_t left = 1;
  };
  std::vector<Counted> names_;
  bool sorted_ = true;
};

/// What a file of results holds before a run goes on with it.
struct EarlierResults {
  NameTally files;
  std::size_t failed = 0;  ///< how many of them could not be read
  std::vector<std::string> heatmaps;
};

struct ResumeOptions {
  RowFormat format = RowFormat::kJson;
  std::string model;          ///< the one that goes on
  bool mix_models = false;    ///< else findings of another one are an error
  bool retry_failed = false;  ///< lines of files that could not be read are taken out
};

/// Where lines go, each in one piece: a line is in the file as a whole or not at all, even
/// where the process is killed or the disk is full. Not thread-safe.
class ResultFile {
 public:
  static Result<ResultFile> standard_output();

  /// A new file, an empty one, or what is none (a pipe, a device). kInvalidArgument where
  /// there is something in it; kBusy where another run writes it; kIo.
  static Result<ResultFile> create(const std::filesystem::path& path);

  /// A file to go on with, or a new one. A last line without its end is cut off.
  /// kInvalidArgument where the file is not of this format or of another model; kBusy, kIo.
  static Result<std::pair<ResultFile, EarlierResults>> resume(const std::filesystem::path& path,
                                                              const ResumeOptions& options);

  bool is_empty() const { return size_ == 0; }

  /// kIo; kCancelled where the reader of a pipe has gone.
  Result<Done> append(std::string_view line);

  /// Has the system write everything to the disk. kIo.
  Result<Done> finish() const;

 private:
  ResultFile(Descriptor file, bool regular, std::uint64_t size)
      : file_(std::move(file)), regular_(regular), size_(size) {}

  Descriptor file_;
  bool regular_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace xray
