// posthorn trace: the life of a mail.
#pragma once

#include <cstdint>
#include <string>

#include <CLI/App.hpp>
#include <boost/json/object.hpp>

#include "app/commands_invocation.h"
#include "base/clock.h"
#include "base/result.h"

namespace app {

// Holds what the options are parsed into. Borrows root and invocation, which outlive it.
class TraceSubcommand {
 public:
  TraceSubcommand(CLI::App* root, Invocation* invocation);
  TraceSubcommand(const TraceSubcommand&) = delete;
  TraceSubcommand& operator=(const TraceSubcommand&) = delete;

 private:
  int Trace();
  base::Result<boost::json::object> Arguments() const;
  void Print(const boost::json::object& answer) const;

  Invocation* invocation_;
  std::string what_;
  std::string from_;
  std::string to_;
  std::string since_;
  std::string until_;
  std::uint32_t limit_ = 100;
};

// "2h" (so long before `now`), "2026-11-20" or "2026-11-20T08:30" in local time. Errors: kInvalid.
base::Result<base::WallTime> ParseMoment(const std::string& text, base::WallTime now);

}  // namespace app
