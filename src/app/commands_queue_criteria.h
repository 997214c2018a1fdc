// QueueCriteria: the options that say which mails of the queue are meant.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/App.hpp>
#include <boost/json/object.hpp>

namespace app {

// "90", "90s", "5m", "5min", "2h", "3d", "1w": at least a second. Nothing: it is no duration.
std::optional<std::chrono::seconds> ParseDuration(std::string_view text);

// What the options of one command are parsed into: several commands share one, since one of them runs.
class QueueCriteria {
 public:
  QueueCriteria() = default;
  QueueCriteria(const QueueCriteria&) = delete;
  QueueCriteria& operator=(const QueueCriteria&) = delete;

  // Adds --sender and the others. This outlives `command`.
  void AddTo(CLI::App* command);
  bool IsEmpty() const { return ToArguments().empty(); }
  // As the control socket wants them: docs/cli.md.
  boost::json::object ToArguments() const;

 private:
  std::string sender_;
  std::string recipient_;
  std::string destination_;
  std::string state_;
  std::string class_;
  std::string older_than_;
  std::string newer_than_;
};

}  // namespace app
