#include "app/sendmail.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "app/address_sources.h"
#include "app/commands_pages.h"
#include "app/commands_text.h"
#include "app/config.h"
#include "app/local_mail.h"
#include "app/local_smtp.h"
#include "app/sendmail_options.h"
#include "base/clock.h"
#include "base/random.h"

namespace app {

namespace json = boost::json;

namespace {

constexpr std::size_t kMailBytesMax = 1u << 30;

int Fail(const Invocation& invocation, int exit_code, std::string_view sentence) {
  *invocation.terminal().err << "sendmail: " << Printable(sentence) << '\n';
  return exit_code;
}

// A user of the machine may be kept from reading the configuration; then the usual address is the best guess.
NodeConfig ReadableConfig(const Invocation& invocation, std::optional<base::Error>* unreadable) {
  auto config = LoadConfig(invocation.ConfigPath());
  if (config) return *std::move(config);
  if (config.error().code() == base::Errc::kInvalid) *unreadable = config.error();
  NodeConfig usual;
  usual.smtp_listen = {"127.0.0.1:25"};
  return usual;
}

LocalWriter WriterOf(const NodeConfig& config) {
  const base::WallTime now = base::SystemClock().WallNow();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  LocalWriter writer{.login = fmt::format("uid-{}", ::getuid()),
                     .full_name = "",
                     .user_id = ::getuid(),
                     .domain = "",
                     .hostname = config.HostName(),
                     .now = now,
                     .unique = ""};
  if (const passwd* const user = ::getpwuid(::getuid())) {
    writer.login = user->pw_name;
    const std::string_view gecos = user->pw_gecos != nullptr ? user->pw_gecos : "";
    writer.full_name = gecos.substr(0, gecos.find(','));
  }
  writer.domain = config.domains.empty() ? writer.hostname : config.domains.front();
  writer.zone = std::chrono::minutes(local.tm_gmtoff / 60);
  writer.unique = base::RandomHex(12);
  return writer;
}

// Nothing: the mail is too large or cannot be read.
std::optional<std::string> ReadMail(std::istream& in) {
  std::string text;
  char buffer[64u << 10];
  while (in.read(buffer, sizeof buffer), in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMailBytesMax) return std::nullopt;
  }
  return in.bad() ? std::nullopt : std::optional(std::move(text));
}

int Submit(const Invocation& invocation, const SendmailOptions& options, const NodeConfig& config) {
  const auto text = ReadMail(*invocation.terminal().in);
  if (!text) return Fail(invocation, kExIoErr, "the mail cannot be read from standard input, or has more than 1 GiB");
  const auto mail = MakeLocalMail(*text, options, WriterOf(config));
  if (!mail) {
    const bool nobody = mail.error().code() == base::Errc::kNotFound;
    return Fail(invocation, nobody ? kExUsage : kExDataErr, mail.error().message());
  }
  const auto address = LocalSmtpAddress(config);
  if (!address) return Fail(invocation, kExConfig, address.error().message());
  LocalSmtp node;
  if (const auto refused = node.Connect(*address)) return Fail(invocation, refused->exit_code, refused->sentence);
  const auto refused = node.Submit(*mail, options);
  return refused ? Fail(invocation, refused->exit_code, refused->sentence) : kExitOk;
}

int SpeakSmtp(const Invocation& invocation, const NodeConfig& config) {
  const auto address = LocalSmtpAddress(config);
  if (!address) return Fail(invocation, kExConfig, address.error().message());
  LocalSmtp node;
  auto refused = node.Connect(*address);
  if (!refused) refused = node.Relay(STDIN_FILENO, STDOUT_FILENO);
  return refused ? Fail(invocation, refused->exit_code, refused->sentence) : kExitOk;
}

// "2026-11-23T00:46:48Z" as "Mon Nov 23 00:46:48", in local time.
std::string ArrivalTime(const std::string& rfc3339) {
  std::tm parts{};
  if (::strptime(rfc3339.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return rfc3339;
  const std::time_t seconds = ::timegm(&parts);
  ::localtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%a %b %e %H:%M:%S", &parts);
  return text;
}

// One mail as Postfix's mailq shows it: '*' is being delivered, '!' is held.
void PrintMail(std::ostream& out, const json::object& mail) {
  std::string id = TextOf(mail, "id");
  if (NumberOf(mail, "claimed") > 0) {
    id += '*';
  } else if (NumberOf(mail, "held") > 0) {
    id += '!';
  }
  const std::string sender = TextOf(mail, "sender");
  out << fmt::format("{:<17} {:>8} {:<19} {}\n", id, NumberOf(mail, "bytes"), ArrivalTime(TextOf(mail, "queued_at")),
                     sender.empty() ? "MAILER-DAEMON" : Printable(sender));
}

void PrintRecipients(std::ostream& out, const json::object& mail) {
  const json::value* const recipients = mail.if_contains("recipients");
  if (recipients == nullptr || !recipients->is_array()) return;
  std::string answer_before;
  for (const json::value& row : recipients->get_array()) {
    if (!row.is_object() || TextOf(row.get_object(), "state") == "delivered") continue;
    const std::string answer = TextOf(row.get_object(), "last_answer");
    if (!answer.empty() && answer != answer_before) out << fmt::format("{:>47}\n", "(" + Printable(answer) + ")");
    answer_before = answer;
    out << std::string(47, ' ') << Printable(TextOf(row.get_object(), "address")) << '\n';
  }
  out << '\n';
}

int PrintQueue(const Invocation& invocation) {
  auto node = invocation.ConnectToNode();
  if (!node) {
    const int code = node.error().code() == base::Errc::kDenied ? kExNoPerm : kExTempFail;
    return Fail(invocation, code, node.error().message());
  }
  std::ostream& out = invocation.out();
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;
  const auto listed =
      ForEachRow(&*node, {.command = "queue.list", .rows = "mails", .page_size = 200}, [&](const json::object& mail) {
        if (mails == 0) out << "-Queue ID-        --Size-- ----Arrival Time---- -Sender/Recipient-------\n";
        PrintMail(out, mail);
        mails += 1;
        bytes += NumberOf(mail, "bytes");
        const auto shown = node->Call("queue.show", {{"id", TextOf(mail, "id")}});
        if (shown) PrintRecipients(out, *shown);  // Else it is delivered by now.
      });
  if (!listed) return Fail(invocation, kExUnavailable, listed.error().message());
  if (mails == 0) {
    out << "Mail queue is empty\n";
  } else {
    out << fmt::format("-- {} Kbytes in {} Request{}.\n", (bytes + 1023) / 1024, mails, mails == 1 ? "" : "s");
  }
  return kExitOk;
}

// The node reads the alias files as they are, so there is no database to make: what is wrong with them is told.
int CheckAliases(const Invocation& invocation) {
  const auto config = LoadConfig(invocation.ConfigPath());
  if (!config) return Fail(invocation, kExConfig, config.error().message());
  int exit_code = kExitOk;
  for (const routing::Problem& problem : routing::AddressBook::Check(AddressSources(*config))) {
    exit_code = Fail(invocation, kExConfig, problem.ToString());
  }
  return exit_code;
}

int Run(Invocation* invocation, const std::vector<std::string>& arguments) {
  const auto options = SendmailOptions::Parse(arguments);
  if (!options) return Fail(*invocation, kExUsage, options.error().message());
  if (!options->config.empty()) invocation->SetConfigPath(options->config);
  using Mode = SendmailOptions::Mode;
  if (options->mode == Mode::kPrintQueue) return PrintQueue(*invocation);
  if (options->mode == Mode::kNewAliases) return CheckAliases(*invocation);
  std::optional<base::Error> unreadable;
  const NodeConfig config = ReadableConfig(*invocation, &unreadable);
  if (unreadable) return Fail(*invocation, kExConfig, unreadable->message());
  return options->mode == Mode::kSpeakSmtp ? SpeakSmtp(*invocation, config) : Submit(*invocation, *options, config);
}

}  // namespace

void AddSendmail(CLI::App* root, Invocation* invocation) {
  CLI::App* const command =
      root->add_subcommand("sendmail", "Take a mail from standard input, as every Unix program writes it to sendmail");
  command->prefix_command();
  command->fallthrough(false);
  command->set_help_flag("--help", "Print this help message and exit");
  command->footer(
      "Arguments are recipients and the options of sendmail:\n"
      "  -t            recipients are also those of To, Cc and Bcc\n"
      "  -i, -oi       a line with a dot alone does not end the mail\n"
      "  -f, -r ADDR   sender of the envelope; <> for none\n"
      "  -F NAME       full name for a From field that is added\n"
      "  -N LIST       report never, or on success,failure,delay\n"
      "  -R full|hdrs  what a report brings back\n"
      "  -C FILE       configuration file\n"
      "  -bm -bs -bp   take a mail (default); speak SMTP; print the queue (mailq)\n"
      "  -bi, -I       check the configuration and its alias files (newaliases)\n"
      "Other options of sendmail are taken and ignored. Linked as sendmail, mailq or newaliases, posthorn is that "
      "program. A mail is taken for all its recipients or for none.\n"
      "Exit codes (sysexits.h): 0 taken, 64 wrong usage, 65 bad mail, 67 unknown recipient, 69 refused, 74 cannot "
      "read, "
      "75 try again later, 77 not permitted, 78 bad configuration.\n"
      "Example:\n  printf 'Subject: hello\\n\\nFirst mail.\\n' | posthorn sendmail -i alice@example.test");
  invocation->SetAction(command, [command, invocation] { return Run(invocation, command->remaining()); });
}

std::optional<int> RunByName(std::string_view program, std::vector<std::string> arguments, Terminal terminal) {
  const std::string name = std::filesystem::path(program).filename();
  if (name != "sendmail" && name != "mailq" && name != "newaliases") return std::nullopt;
  Invocation invocation(terminal);
  if (name == "mailq") arguments.insert(arguments.begin(), "-bp");
  if (name == "newaliases") arguments.insert(arguments.begin(), "-bi");
  return Run(&invocation, arguments);
}

}  // namespace app
