#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "auth/accounts.h"
#include "auth/password.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/store_url.h"
#include "common/clock.h"
#include "common/text.h"
#include "store/sql.h"

namespace xray {
namespace {

/// What all of these commands are told.
struct AccountOptions {
  std::string store;  ///< a URL; empty: see store_url
  std::string name;
  std::string role = "reader";
  std::string scopes = "read,diagnose";
  std::string id;
  int days = 90;
  int limit = 50;
  bool no_password = false;
};

int fail_with(const Error& error) {
  return fail(error.message, error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitSomeFailed);
}

/// Runs `act` with the accounts of the store, and tells the exit code.
template <typename Act>
int with_accounts(const AccountOptions& options, const Act& act) {
  const auto url = store_url(options.store);
  if (!url) return fail_with(url.error());
  auto database = sql::open_database(*url);
  if (!database) return fail_with(with_context(database.error(), sql::label_of(*url)));
  auto accounts = Accounts::open(std::move(*database));
  if (!accounts) return fail_with(with_context(accounts.error(), sql::label_of(*url)));
  const Result<Done> done = act(**accounts);
  return done ? kExitOk : fail_with(done.error());
}

/// Writes down what was done here, where nobody signs in.
void note(Accounts& accounts, const char* event, const std::string& object) {
  const auto noted = accounts.record({{.id = {},
                                       .at = 0,
                                       .event = event,
                                       .account = "(command line)",
                                       .address = {},
                                       .object = object,
                                       .request_id = {}}});
  if (!noted) std::cerr << "xray: the audit trail has no line of this: " << noted.error().message << '\n';
}

/// The terminal shows nothing of what is typed while this lives.
class Silence {
 public:
  explicit Silence(int terminal) : terminal_(terminal) {
    if (::tcgetattr(terminal_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
  }
  ~Silence() {
    if (changed_) ::tcsetattr(terminal_, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  int terminal_;
  termios before_{};
  bool changed_ = false;
};

/// Asked for twice on a terminal, without showing it; else the first line of standard input.
Result<std::string> read_password() {
  constexpr std::size_t kMost = 1024;
  const auto line = [] {
    std::string text;
    std::getline(std::cin, text);
    return text.substr(0, kMost);
  };
  if (::isatty(STDIN_FILENO) == 0) return line();
  const Silence silence(STDIN_FILENO);
  std::cerr << "Password: " << std::flush;
  std::string password = line();
  std::cerr << "\nAgain: " << std::flush;
  const std::string again = line();
  std::cerr << '\n';
  if (password != again) return Error{ErrorCode::kInvalidArgument, "the two passwords are not the same"};
  return password;
}

/// The hash of a password that may be chosen.
Result<std::string> new_password(const std::string& name) {
  const auto password = read_password();
  if (!password) return password.error();
  if (const auto fit = check_new_password(*password, name); !fit) return fit.error();
  return hash_password(*password);
}

std::string day(std::int64_t at) {
  return rfc3339(std::chrono::system_clock::time_point(std::chrono::seconds(at))).substr(0, 10);
}

CLI::App* add_command(CLI::App& group, const std::string& name, const std::string& what,
                      const std::shared_ptr<AccountOptions>& options) {
  CLI::App* const command = group.add_subcommand(name, what);
  command
      ->add_option("--store", options->store,
                   "Where accounts are kept, as for xray serve (default: the same)")
      ->type_name("URL");
  return command;
}

void add_name(CLI::App& command, AccountOptions& options) {
  command.add_option("NAME", options.name, "Of the account: a-z, 0-9, and . _ - @")->required();
}

void add_role(CLI::App& command, AccountOptions& options) {
  command
      .add_option(
          "--role", options.role,
          "reader sees findings; reviewer has pictures read too; admin does everything (default: reader)")
      ->check(CLI::IsMember({"reader", "reviewer", "admin"}))
      ->type_name("ROLE");
}

Result<Done> add(Accounts& accounts, const AccountOptions& options) {
  std::optional<std::string> hash;
  if (!options.no_password) {
    auto password = new_password(options.name);
    if (!password) return password.error();
    hash = std::move(*password);
  }
  const auto added = accounts.add(options.name, parse_role(options.role).value(), hash);
  if (!added) return added.error();
  note(accounts, "account_added", added->name);
  std::cout << "added " << added->name << ", " << name(added->role) << '\n';
  return Done{};
}

Result<Done> list_accounts(Accounts& accounts) {
  const auto all = accounts.list();
  if (!all) return all.error();
  for (const Account& account : *all)
    std::cout << std::left << std::setw(24) << account.name << "  " << std::setw(8) << name(account.role)
              << "  " << day(account.created_at) << (account.disabled ? "  disabled" : "")
              << (account.has_password ? "" : "  without a password") << '\n';
  return Done{};
}

Result<Done> change(Accounts& accounts, const AccountOptions& options, const char* event,
                    const std::function<Result<Done>(const Account&)>& run) {
  const auto account = accounts.find(options.name);
  if (!account) return account.error();
  const auto done = run(*account);
  if (!done) return done.error();
  note(accounts, event, account->name);
  return Done{};
}

/// Lets a command do something to the accounts; what comes of it is the program's exit code.
struct Runner {
  std::shared_ptr<AccountOptions> options;
  int& exit_code;

  template <typename Act>
  void operator()(CLI::App* command, Act act) const {
    command->callback([options = options, &exit_code = exit_code, act] {
      exit_code = with_accounts(*options, [&](Accounts& accounts) { return act(accounts, *options); });
    });
  }
};

}  // namespace

void add_user(CLI::App& app, int& exit_code) {
  CLI::App* const group = app.add_subcommand("user", "Accounts of those who sign in at xray serve");
  group->require_subcommand(1);
  group->footer(
      "A password is asked for, or read from standard input; it is never an argument, which others could "
      "see.\n"
      "What is changed works at running servers within five seconds.\n"
      "\n"
      "Examples:\n"
      "  xray user add jane --role admin\n"
      "  xray user add joe --role reviewer --store postgresql://db.example/xray < password.txt\n"
      "  xray user list\n"
      "  xray user role joe --role reader\n"
      "  xray user password joe\n"
      "  xray user disable joe");
  auto options = std::make_shared<AccountOptions>();
  const Runner run{options, exit_code};

  CLI::App* command = add_command(*group, "add", "Make an account", options);
  add_name(*command, *options);
  add_role(*command, *options);
  command->add_flag("--no-password", options->no_password, "For tokens alone: nobody signs in as it");
  run(command, add);

  command = add_command(*group, "list", "Tell all accounts", options);
  run(command, [](Accounts& accounts, const AccountOptions&) { return list_accounts(accounts); });

  command = add_command(*group, "disable", "Let nobody in with it any more, nor with its tokens", options);
  add_name(*command, *options);
  run(command, [](Accounts& accounts, const AccountOptions& wanted) {
    return change(accounts, wanted, "account_disabled",
                  [&](const Account& account) { return accounts.set_disabled(account.id, true); });
  });

  command = add_command(*group, "enable", "Let it in again", options);
  add_name(*command, *options);
  run(command, [](Accounts& accounts, const AccountOptions& wanted) {
    return change(accounts, wanted, "account_enabled",
                  [&](const Account& account) { return accounts.set_disabled(account.id, false); });
  });

  command = add_command(*group, "password", "Give it another password, and end its sessions", options);
  add_name(*command, *options);
  run(command, [](Accounts& accounts, const AccountOptions& wanted) {
    return change(accounts, wanted, "password_reset", [&](const Account& account) -> Result<Done> {
      const auto hash = new_password(account.name);
      if (!hash) return hash.error();
      return accounts.set_password(account.id, *hash);
    });
  });

  command = add_command(*group, "role", "Give it another role, and end its sessions", options);
  add_name(*command, *options);
  add_role(*command, *options);
  run(command, [](Accounts& accounts, const AccountOptions& wanted) {
    return change(accounts, wanted, "role_changed", [&](const Account& account) {
      return accounts.set_role(account.id, parse_role(wanted.role).value());
    });
  });
}

void add_token(CLI::App& app, int& exit_code) {
  CLI::App* const group = app.add_subcommand("token", "Keys for programs that ask xray serve");
  group->require_subcommand(1);
  group->footer(
      "A token does what its scopes say, and its account's role allows. It is told once, and kept as a "
      "hash.\n"
      "Programs send it as 'Authorization: Bearer TOKEN'; over gRPC as metadata of that name.\n"
      "\n"
      "Examples:\n"
      "  xray token create --user viewer --name archive --scopes read\n"
      "  xray token create --user prometheus --name scraper --scopes metrics --days 365\n"
      "  xray token list\n"
      "  xray token revoke 0198c2f0-7a3e-7c11-9d20-5b1f7a1c2d3e");
  auto options = std::make_shared<AccountOptions>();
  const Runner run{options, exit_code};

  CLI::App* command = add_command(*group, "create", "Make a token, and print it", options);
  command->add_option("--user", options->name, "Account that it acts for")->required()->type_name("NAME");
  command->add_option("--name", options->id, "What it is for, so that it is known again")
      ->required()
      ->type_name("TEXT");
  command
      ->add_option("--scopes", options->scopes,
                   "read, diagnose, metrics, admin, with commas between them (default: read,diagnose)")
      ->type_name("SCOPES");
  command->add_option("--days", options->days, "Days until it ends, at most 366 (default: 90)")
      ->type_name("N");
  run(command, [](Accounts& accounts, const AccountOptions& wanted) -> Result<Done> {
    const auto scopes = Scopes::parse(wanted.scopes);
    if (!scopes) return with_context(scopes.error(), "--scopes");
    const auto account = accounts.find(wanted.name);
    if (!account) return account.error();
    const auto made = accounts.add_token(account->id, wanted.id, *scopes, wanted.days);
    if (!made) return made.error();
    note(accounts, "token_made", made->token.id);
    std::cerr << "token " << made->token.id << " of " << account->name << ", until "
              << day(made->token.expires_at) << "; it is not shown again:\n";
    std::cout << made->secret << std::endl;
    return Done{};
  });

  command = add_command(*group, "list", "Tell all tokens, without their secrets", options);
  run(command, [](Accounts& accounts, const AccountOptions&) -> Result<Done> {
    const auto all = accounts.tokens(std::nullopt);
    if (!all) return all.error();
    for (const Token& token : *all)
      std::cout << token.id << "  " << std::left << std::setw(16) << token.account << "  " << std::setw(20)
                << token.scopes.text() << "  until " << day(token.expires_at) << "  " << printable(token.name)
                << '\n';
    return Done{};
  });

  command = add_command(*group, "revoke", "Take a token back", options);
  command->add_option("ID", options->id, "As 'xray token list' tells it")->required();
  run(command, [](Accounts& accounts, const AccountOptions& wanted) -> Result<Done> {
    const auto done = accounts.revoke_token(wanted.id, std::nullopt);
    if (done) note(accounts, "token_revoked", wanted.id);
    return done;
  });
}

void add_audit(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AccountOptions>();
  CLI::App* const command =
      add_command(app, "audit", "Tell who did what at xray serve, newest first", options);
  command->add_option("--limit", options->limit, "Lines at most, up to 1000 (default: 50)")->type_name("N");
  command->footer("Columns: time, what, who, from where, with what.\n\nExample:\n  xray audit --limit 200");
  command->callback([options, &exit_code] {
    exit_code = with_accounts(*options, [&](Accounts& accounts) -> Result<Done> {
      const auto page = accounts.audit(options->limit);
      if (!page) return page.error();
      for (const AuditEntry& entry : *page)
        std::cout
            << rfc3339(std::chrono::system_clock::time_point(std::chrono::seconds(entry.at))).substr(0, 19)
            << "Z  " << std::left << std::setw(16) << entry.event << "  " << std::setw(16)
            << (entry.account.empty() ? "-" : entry.account) << "  " << std::setw(15)
            << (entry.address.empty() ? "-" : entry.address) << "  " << entry.object << '\n';
      return Done{};
    });
  });
}

}  // namespace xray
