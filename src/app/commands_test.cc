#include "app/commands.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/control_server.h"
#include "app/commands_testing.h"
#include "app/commands_text.h"
#include "app/mffs_dump.h"
#include "app/version.h"
#include "async/shard.h"
#include "async/testing.h"
#include "routing/testing.h"

namespace app {
namespace {

namespace json = boost::json;
using admin::Arguments;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;
using testing::HasSubstr;

// The node's side of the socket: what the real commands answer, without the parts behind them.
Task<Result<json::object>> AddUser(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string address, arguments.Text("address", 100));
  ASSIGN_OR_CO_RETURN(const std::string password, arguments.Text("password", 100));
  if (password != "secret word") co_return Error(Errc::kInvalid, "the password came as " + password);
  json::object answer;
  answer["address"] = address;
  co_return answer;
}

// Three accounts, two a page.
Task<Result<json::object>> ListUsers(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::string after, arguments.OptionalText("after", 100));
  json::object answer;
  if (after.empty()) {
    answer["accounts"] = {{{"address", "a@example.test"}, {"mails", 1}, {"bytes", 917}, {"scram", true}},
                          {{"address", "bob@example.test"}, {"mails", 12'000}, {"bytes", 5'000'000}}};
    answer["next"] = "bob@example.test";
  } else {
    answer["accounts"] =
        json::array{json::object{{"address", "\xc3\xa9ric\x1b@example.test"}, {"mails", 0}, {"bytes", 0}}};
  }
  co_return answer;
}

Task<Result<json::object>> Named(Arguments arguments) {
  json::object answer = arguments.members();
  co_return answer;
}

Task<Result<json::object>> Status(Arguments) {
  co_return json::parse(R"({"hostname":"mx","version":"9.9","uptime_seconds":300,"sessions":{"imap":3,"smtp":0},
    "volume":{"capacity_bytes":1073741824,"live_bytes":536870912,"segments":16,"free_segments":8,"read_only":true,
              "read_only_reason":"write failed"},
    "recovery":{"corruption_count":1,"corruptions":["segment 3 is damaged"]},"log":{},"queue":{"mails":4}})")
      .as_object();
}

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    char name[] = "/tmp/posthorn-commands-XXXXXX";
    folder_ = ::mkdtemp(name);
    path_ = folder_ + "/control.sock";
    using admin::Effect;
    table_.Add("user.add", {.effect = Effect::kReads, .arguments = {"address", "password"}, .handler = AddUser});
    table_.Add("user.list", {.effect = Effect::kReads, .arguments = {"after", "limit"}, .handler = ListUsers});
    table_.Add("user.remove", {.effect = Effect::kReads, .arguments = {"address"}, .handler = Named});
    table_.Add("status", {.effect = Effect::kReads, .arguments = {}, .handler = Status});
    shard_.emplace("commands test");
    server_.emplace(shard_->executor(), *admin::ControlSocket::Open(path_), &table_, admin::ControlServerOptions{});
    server_->Start();
    shard_->Start();
    ::setenv("POSTHORN_SOCKET", path_.c_str(), 1);
  }
  ~CommandsTest() override {
    ::unsetenv("POSTHORN_SOCKET");
    asio::io_context context;
    async::RunTask(context, shard_->Run(server_->Stop()));
    shard_->Join();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::string path_;
  admin::CommandTable table_;
  std::optional<async::Shard> shard_;
  std::optional<admin::ControlServer> server_;
};

TEST_F(CommandsTest, AddsAnAccountWithThePasswordOfStandardInput) {
  const Ran ran = RunPosthorn({"user", "add", "ann@example.test", "--password-stdin"}, "secret word\nnot this\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "added ann@example.test\n");
  EXPECT_EQ(ran.err, "");
  const Ran as_json = RunPosthorn({"user", "add", "ann@example.test", "--password-stdin", "--json"}, "secret word");
  EXPECT_EQ(as_json.out, "{\"address\":\"ann@example.test\"}\n");
}

TEST_F(CommandsTest, ListsAllPagesAsAnAlignedTable) {
  const Ran ran = RunPosthorn({"user", "list"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "ADDRESS             MAILS     SIZE  SCRAM\n"
            "a@example.test          1    917 B  yes\n"
            "bob@example.test    12000  4.8 MiB  no\n"
            "\xc3\xa9ric?@example.test      0      0 B  no\n");
  const Ran as_json = RunPosthorn({"--json", "user", "list"});
  EXPECT_EQ(std::count(as_json.out.begin(), as_json.out.end(), '\n'), 3);
  EXPECT_THAT(as_json.out,
              testing::StartsWith("{\"address\":\"a@example.test\",\"mails\":1,\"bytes\":917,\"scram\":true}\n"));
}

TEST_F(CommandsTest, ShowsTheStatusWithItsAlarms) {
  const Ran ran = RunPosthorn({"status"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("node      mx, version 9.9, up for 5 min\n"));
  EXPECT_THAT(ran.out, HasSubstr("sessions  imap 3, smtp 0\n"));
  EXPECT_THAT(
      ran.out,
      HasSubstr("volume    512.0 MiB of 1.0 GiB used (50.0 %), 8 of 16 segments free; READ-ONLY: write failed\n"));
  EXPECT_THAT(ran.out, HasSubstr("segment 3 is damaged\n"));
  const json::value as_json = json::parse(RunPosthorn({"status", "--json"}).out);
  EXPECT_EQ(as_json.at("queue").at("mails").as_int64(), 4);
}

TEST_F(CommandsTest, FindsTheSocketByOptionConfigurationOrEnvironment) {
  const std::string config = folder_ + "/posthorn.toml";
  std::ofstream(config) << "data_folder = \"" << folder_ << "\"\n";
  EXPECT_EQ(RunPosthorn({"status", "--socket", path_.c_str()}).exit_code, 0);
  EXPECT_EQ(RunPosthorn({"status"}).exit_code, 0) << "by $POSTHORN_SOCKET";
  ::setenv("POSTHORN_SOCKET", "/nowhere", 1);
  EXPECT_EQ(RunPosthorn({"status"}).exit_code, 75);
  EXPECT_EQ(RunPosthorn({"--config", config.c_str(), "status"}).exit_code, 0);
  EXPECT_EQ(RunPosthorn({"status", "--config", config.c_str()}).exit_code, 0);
  EXPECT_EQ(RunPosthorn({"status", "--config", config.c_str(), "--socket", "/nowhere"}).exit_code, 75);
  const Ran missing = RunPosthorn({"status", "--config", (folder_ + "/missing.toml").c_str()});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("missing.toml"));
}

TEST_F(CommandsTest, SaysThatNoNodeRunsAndHowToStartIt) {
  const std::string socket = folder_ + "/none.sock";
  const Ran ran = RunPosthorn({"user", "list", "--socket", socket.c_str()});
  EXPECT_EQ(ran.exit_code, 75);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("no node listens on " + socket));
  EXPECT_THAT(ran.err, HasSubstr("posthorn serve"));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
}

TEST(CommandLine, WrongUsageIsCodeTwoAndPointsToHelp) {
  const std::vector<std::vector<const char*>> rows = {{},
                                                      {"fly"},
                                                      {"user"},
                                                      {"user", "add"},
                                                      {"user", "add", "a@example.test", "--password", "x"},
                                                      {"queue", "show"},
                                                      {"queue", "show", "1", "2"},
                                                      {"status", "--nothing"}};
  for (const auto& row : rows) {
    const Ran ran = RunPosthorn(row);
    EXPECT_EQ(ran.exit_code, 2) << testing::PrintToString(row);
    EXPECT_THAT(ran.err, HasSubstr("--help")) << testing::PrintToString(row);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(CommandLine, EveryCommandHasHelpWithAnExample) {
  const std::vector<std::vector<const char*>> rows = {{"--help"},
                                                      {"serve", "--help"},
                                                      {"user", "--help"},
                                                      {"user", "add", "--help"},
                                                      {"user", "passwd", "--help"},
                                                      {"user", "remove", "--help"},
                                                      {"user", "list", "--help"},
                                                      {"queue", "--help"},
                                                      {"queue", "list", "--help"},
                                                      {"queue", "show", "--help"},
                                                      {"queue", "cat", "--help"},
                                                      {"queue", "flush", "--help"},
                                                      {"queue", "hold", "--help"},
                                                      {"queue", "release", "--help"},
                                                      {"queue", "requeue", "--help"},
                                                      {"queue", "remove", "--help"},
                                                      {"status", "--help"},
                                                      {"version", "--help"},
                                                      {"mffs", "--help"},
                                                      {"mffs", "format", "--help"},
                                                      {"mffs", "info", "--help"}};
  for (const auto& row : rows) {
    const Ran ran = RunPosthorn(row);
    EXPECT_EQ(ran.exit_code, 0) << testing::PrintToString(row);
    EXPECT_THAT(ran.out, HasSubstr("Example")) << testing::PrintToString(row);
    EXPECT_THAT(ran.out, HasSubstr("\n  posthorn ")) << testing::PrintToString(row);
  }
}

TEST(CommandLine, PrintsTheVersion) {
  EXPECT_THAT(RunPosthorn({"version"}).out,
              testing::StartsWith("posthorn " + std::string(Build().version) + "\ncompiler: "));
  EXPECT_EQ(json::parse(RunPosthorn({"version", "--json"}).out).at("version").as_string(),
            std::string(Build().version));
}

TEST(CommandLine, FormatsAVolumeOnceAndTellsOfIt) {
  char name[] = "/var/tmp/posthorn-format-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/volume.mffs";
  const Ran made = RunPosthorn({"mffs", "format", path.c_str(), "--size", "64MiB", "--segment-size", "1MiB"});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("formatted " + path));
  EXPECT_EQ(std::filesystem::file_size(path), 64u << 20);
  const Ran again = RunPosthorn({"mffs", "format", path.c_str()});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_EQ(again.err, "posthorn: " + path + " exists; give --force to destroy what is on it\n");
  EXPECT_EQ(RunPosthorn({"mffs", "format", path.c_str(), "--segment-size", "1MiB", "--force"}).exit_code, 0);
  const Ran info = RunPosthorn({"mffs", "info", path.c_str(), "--json"});
  EXPECT_EQ(info.exit_code, 0) << info.err;
  const json::value facts = json::parse(info.out);
  EXPECT_EQ(facts.at("device_bytes").to_number<std::uint64_t>(), 64u << 20);
  EXPECT_EQ(facts.at("volume").at("free_segments").to_number<std::uint64_t>(),
            facts.at("volume").at("segments").to_number<std::uint64_t>());
  EXPECT_EQ(facts.at("space").at("total").at("free_bytes").to_number<std::uint64_t>(), 62u << 20);
  EXPECT_EQ(facts.at("space").at("segments").as_array().size(), 62u);
  const std::string svg = folder + "/map.svg";
  EXPECT_THAT(RunPosthorn({"mffs", "info", path.c_str(), "--svg", svg.c_str()}).out,
              AllOf(HasSubstr("segments free"), HasSubstr("       0  " + std::string(62, '.') + "\n")));
  EXPECT_GT(std::filesystem::file_size(svg), 1000u);
  const Ran over = RunPosthorn({"mffs", "info", path.c_str(), "--svg", path.c_str()});
  EXPECT_EQ(over.exit_code, 1);
  EXPECT_THAT(over.err, HasSubstr("the volume itself"));
  EXPECT_EQ(std::filesystem::file_size(path), 64u << 20);
  EXPECT_EQ(RunPosthorn({"mffs", "format", path.c_str(), "--size", "much", "--force"}).exit_code, 2);
  EXPECT_EQ(RunPosthorn({"mffs", "info", (folder + "/none").c_str()}).exit_code, 1);
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, DumpsAVolume) {
  char name[] = "/var/tmp/posthorn-dump-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/volume.mffs";
  EXPECT_EQ(RunPosthorn({"mffs", "format", path.c_str(), "--size", "64MiB", "--segment-size", "1MiB"}).exit_code, 0);
  EXPECT_THAT(RunPosthorn({"mffs", "dump", path.c_str()}).out, HasSubstr("superblock 3 at 66584576: sequence 1"));
  const Ran segment = RunPosthorn({"mffs", "dump", path.c_str(), "--segment", "3", "--json"});
  EXPECT_EQ(segment.exit_code, 0) << segment.err;
  EXPECT_EQ(json::parse(segment.out).at("segment").at("generation").to_number<int>(), 0);
  struct Row {
    std::vector<const char*> arguments;
    int exit_code;
    std::string error;
  };
  const Row rows[] = {{{"--segment", "62"}, 2, "segments 0 to 61"},
                      {{"--lsn", "7"}, 1, "no block of LSN 7"},
                      {{"--mail", "80000000-1"}, 1, "no record of mail 80000000-1"},
                      {{"--mail", "../x"}, 2, "--mail takes an id"},
                      {{"--mail", "80000000-1", "--lsn", "1"}, 2, "excludes"}};
  for (const Row& row : rows) {
    std::vector<const char*> arguments{"mffs", "dump", path.c_str()};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Ran ran = RunPosthorn(arguments);
    EXPECT_EQ(ran.exit_code, row.exit_code) << row.error;
    EXPECT_THAT(ran.err, HasSubstr(row.error));
  }
  EXPECT_EQ(RunPosthorn({"mffs", "dump", (folder + "/none").c_str()}).exit_code, 2);
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, HexLinesShowWhatIsPrintableAndHowMuchIsMissing) {
  EXPECT_EQ(HexLines(std::string_view("ab\x1b[31m\0\x7f\xc3\xa4 0123456", 19), 40, "  "),
            "  0000  61 62 1b 5b 33 31 6d 00 7f c3 a4 20 30 31 32 33  ab.[31m.... 0123\n"
            "  0010  34 35 36                                         456\n"
            "  ...   21 bytes more\n");
  EXPECT_EQ(HexLines("", 0, "  "), "");
}

TEST(CommandLine, AVolumeThatCannotBeMadeLeavesNoFile) {
  char name[] = "/var/tmp/posthorn-format-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string path = folder + "/volume.mffs";
  const Ran ran = RunPosthorn({"mffs", "format", path.c_str(), "--size", "8MiB", "--segment-size", "4MiB"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("segments"));
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST(CommandLine, ChecksAConfigurationAndItsTables) {
  const routing::TableFolder folder;
  const std::string aliases = folder.Write("aliases", "# remark\nroot: alice\nx: |/bin/sh\na: b\nb: a\n");
  const std::string config =
      folder.Write("posthorn.toml", "[mail]\ndomains = [\"example.test\"]\nalias_files = [\"" + aliases +
                                        "\"]\ndomain_aliases = [\"x.test\"]\n[smtp]\nlisten = [\"here\"]\n");
  const Ran ran = RunPosthorn({"config", "check", "--config", config.c_str()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("smtp.listen: \"here\" is no address to listen on"));
  EXPECT_THAT(ran.out, HasSubstr("mail.domain_aliases: \"x.test\" has no '='"));
  EXPECT_THAT(ran.out, HasSubstr(aliases + ":3: \"|/bin/sh\" is a command"));
  const Ran as_json = RunPosthorn({"config", "check", "--json", "--config", config.c_str()});
  EXPECT_THAT(as_json.out, HasSubstr("\"where\":\"" + aliases + "\",\"line\":3,"));

  folder.Write("posthorn.toml", "[mail]\ncolour = 1\nrecipients_max = 5\n[tls]\nkey = \"k\"\n");
  const Ran bad_keys = RunPosthorn({"config", "check", "--config", config.c_str()});
  EXPECT_EQ(bad_keys.exit_code, 1);
  EXPECT_THAT(bad_keys.out, HasSubstr(config + ":2: configuration key mail.colour: there is no such key"));
  EXPECT_THAT(bad_keys.out, HasSubstr(config + ":3: configuration key mail.recipients_max: must be at least 100"));
  EXPECT_THAT(bad_keys.out, HasSubstr(config + ":5: configuration key tls.key: "));

  folder.Write("posthorn.toml", "[tls]\ncertificate = \"/nonexistent\"\nkey = \"/nonexistent\"\n");
  EXPECT_THAT(RunPosthorn({"config", "check", "--config", config.c_str()}).out, HasSubstr("tls.certificate: "));

  folder.Write(
      "posthorn.toml",
      "[deliver]\nroutes = [\"* smtp:relay.test\"]\n[[next_hop]]\nhop = \"smtp:relay.test\"\ntls = \"always\"\n");
  EXPECT_THAT(RunPosthorn({"config", "check", "--config", config.c_str()}).out,
              HasSubstr("configuration key next_hop: \"smtp:relay.test\": tls = \"always\" is not one of never"));

  folder.Write("posthorn.toml", "[mail]\ndomains = [\"example.test\"]\n");
  const Ran well = RunPosthorn({"config", "check", "--config", config.c_str()});
  EXPECT_EQ(well.exit_code, 0);
  EXPECT_EQ(well.out, config + ": all is well\n");
  EXPECT_EQ(RunPosthorn({"config", "check", "--config", "/nonexistent"}).exit_code, 1);
}

TEST(CommandLine, TellsEntriesThatLeadInCircles) {
  const routing::TableFolder folder;
  const std::string aliases = folder.Write("aliases", "a: b\nb: a\n");
  const std::string config =
      folder.Write("posthorn.toml", "[mail]\ndomains = [\"example.test\"]\nalias_files = [\"" + aliases + "\"]\n");
  const Ran ran = RunPosthorn({"config", "check", "--config", config.c_str()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr(aliases + ":1: a@example.test: a@example.test leads back to itself"));
}

TEST(CommandLine, ResolvesAnAddress) {
  const routing::TableFolder folder;
  const std::string aliases =
      folder.Write("aliases", "staff: alice, bob@remote.test\nowner-staff: carol\nring: ring2\nring2: ring\n");
  const std::string virtuals = folder.Write("virtual", "@example.test  catcher\n");
  const std::string config =
      folder.Write("posthorn.toml", "[mail]\ndomains = [\"example.test\"]\nalias_files = [\"" + aliases +
                                        "\"]\nvirtual_files = [\"" + virtuals + "\"]\n");
  struct Row {
    const char* address;
    int exit_code;
    std::string out;
  };
  for (const Row& row : {
           Row{"staff@example.test", 0,
               "alice@example.test: the account alice@example.test, if there is one\nbob@remote.test: sent on\n"
               "bounces go to owner-staff@example.test\n"},
           Row{"dave+x@example.test", 0,
               "dave+x@example.test: the account dave@example.test, if there is one\n"
               "catcher@example.test: the catch-all, if there is no account\n"},
           Row{"ring@example.test", 1, "ring@example.test leads back to itself through ring2@example.test\n"},
           Row{"x@remote.test", 0,
               "the domain is not ours: mail is sent on for clients that have logged in or are in "
               "mail.trusted_networks\nx@remote.test: sent on\n"},
       }) {
    const Ran ran = RunPosthorn({"config", "resolve", row.address, "--config", config.c_str()});
    EXPECT_EQ(ran.exit_code, row.exit_code) << row.address;
    EXPECT_EQ(ran.out, row.out);
  }
  const Ran as_json = RunPosthorn({"config", "resolve", "staff@example.test", "--json", "--config", config.c_str()});
  EXPECT_EQ(as_json.out,
            "{\"outcome\":\"resolved\",\"destinations\":[{\"address\":\"alice@example.test\",\"account\":"
            "\"alice@example.test\"},{\"address\":\"bob@remote.test\"}],\"missing\":[],"
            "\"owner\":\"owner-staff@example.test\"}\n");
  EXPECT_EQ(RunPosthorn({"config", "resolve", "no address", "--config", config.c_str()}).exit_code, 1);
}

TEST(CommandText, SizesAndDurationsAreReadable) {
  EXPECT_EQ(ReadableBytes(0), "0 B");
  EXPECT_EQ(ReadableBytes(1023), "1023 B");
  EXPECT_EQ(ReadableBytes(1024), "1.0 KiB");
  EXPECT_EQ(ReadableBytes((1u << 20) - 1), "1.0 MiB");
  EXPECT_EQ(ReadableBytes(~std::uint64_t{0}), "16.0 EiB");
  using std::chrono::seconds;
  EXPECT_EQ(ReadableDuration(seconds(-5)), "0 s");
  EXPECT_EQ(ReadableDuration(seconds(119)), "119 s");
  EXPECT_EQ(ReadableDuration(seconds(120)), "2 min");
  EXPECT_EQ(ReadableDuration(seconds(5 * 3600)), "5 h");
  EXPECT_EQ(ReadableDuration(seconds(86'400 * 40)), "40 d");
}

TEST(CommandText, NothingFromOutsideControlsTheTerminal) {
  EXPECT_EQ(Printable("a\x1b[2Jb\r\n\x7f"), "a?[2Jb???");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2J \xc2\xa0 \xc3\xa9"),
            "?2J \xc2\xa0 \xc3\xa9");
}

}  // namespace
}  // namespace app
