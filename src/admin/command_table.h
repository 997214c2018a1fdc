// CommandTable: the control protocol without its socket: a request line in, an answer line out. docs/cli.md, "The
// control socket".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/arguments.h"
#include "admin/request_body.h"
#include "async/asio.h"
#include "base/result.h"

namespace admin {

enum class Effect : std::uint8_t {
  kReads,
  kChanges,  // Each call is logged with the caller's user id and what it named.
};

using Handler = std::function<async::Task<base::Result<boost::json::object>>(Arguments)>;
// Of a command with a body: reads it, or leaves the rest to be skipped.
using BodyHandler = std::function<async::Task<base::Result<boost::json::object>>(Arguments, RequestBody*)>;

// The argument that says how many bytes follow the line. Known of every command: what follows a request that is refused
// must not be taken for the next one, since others wrote it.
inline constexpr std::string_view kBodyBytesArgument = "body_bytes";
inline constexpr std::uint64_t kRequestBodyBytesMax = 4ull << 30;

struct Command {
  Effect effect = Effect::kReads;
  std::vector<std::string_view> arguments;  // All it knows; others are refused, so that a misspelt one is not ignored.
  Handler handler;                          // One of the two.
  BodyHandler body_handler;
  // What it is about, for the log; without it the argument "address" or "id". Never a password.
  std::function<std::string(const Arguments&)> target;
};

// A request is one JSON object: {"command":"user.add","address":"a@example.test",...}. The answer is one too:
// {"ok":true,"result":{...}} or {"ok":false,"code":"not_found","error":"a sentence that says what to do"}.
//
// Thread: one shard, the node's. Add() before the first Answer(). Outlives the tasks that called Answer().
class CommandTable {
 public:
  void Add(std::string_view name, Command command);

  // Any bytes may be in `line`. Never fails; the answer has no line end. `body` is what follows the line; null: nothing
  // can.
  async::Task<std::string> Answer(std::string line, Caller caller, RequestBody* body = nullptr) const;

  // The answer that says no, for what never gets to be a request.
  static std::string Refusal(const base::Error& error);

 private:
  async::Task<base::Result<boost::json::object>> Execute(std::string line, Caller caller, RequestBody* body) const;

  std::map<std::string, Command, std::less<>> commands_;
};

}  // namespace admin
