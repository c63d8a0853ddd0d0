#include "cli/model_pin.h"

#include <spdlog/fmt/fmt.h>

#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/options.h"
#include "diagnose/selftest.h"

namespace xray {
namespace {

std::string to_text(const std::optional<PinnedNetwork>& network, std::size_t picture) {
  if (!network) return {};
  const PinnedFinding& pinned = network->findings[picture];
  if (pinned.verdict == Verdict::kRejected) return name(pinned.verdict);
  return fmt::format("{} {:.2f} %", name(pinned.verdict), pinned.pneumonia);
}

}  // namespace

Result<Done> pin_package(const std::string& package) {
  const auto selftest = pin_selftest(package);
  if (!selftest) return with_context(selftest.error(), package);
  if (auto written = write_selftest(package, *selftest); !written)
    return with_context(written.error(), package);
  std::cout << fmt::format("{:<56}{:<20}{}\n", "pinned for the self-test", "fp32",
                           selftest->int8 ? "int8" : "");
  for (std::size_t i = 0; i < selftest->pictures.size(); ++i)
    std::cout << fmt::format("{:<56}{:<20}{}\n", describe(selftest->pictures[i]), to_text(selftest->fp32, i),
                             to_text(selftest->int8, i));
  return Done{};
}

void add_model_pin(CLI::App& group, int& exit_code) {
  auto package = std::make_shared<std::string>();
  CLI::App* command = group.add_subcommand("pin", "Pin what the model says of generated pictures");
  command->footer(
      "Writes selftest.json into the package: generated pictures, and what its networks say of them.\n"
      "A server that is started with the package is ready only once it says the same. Pin a package\n"
      "when it is made or its card is changed ('xray model quantize' does), on a machine that you\n"
      "trust.\n"
      "\n"
      "Example:\n"
      "  xray model pin models/mine\n"
      "\n"
      "Exit code: 0 done, 1 failed, 2 wrong usage.");
  command->add_option("package", *package, "Model package")->required();
  command->callback([package, &exit_code] {
    const auto pinned = pin_package(*package);
    exit_code = !pinned ? fail(pinned.error().message) : kExitOk;
    if (pinned && !std::cout.flush()) exit_code = fail("standard output cannot be written");
  });
}

}  // namespace xray
