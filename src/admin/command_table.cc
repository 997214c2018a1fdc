#include "admin/command_table.h"

#include <algorithm>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/mailbox_json.h"
#include "base/check.h"
#include "base/log.h"

namespace admin {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::LogField;
using base::Result;

namespace {

constexpr std::size_t kNestingMax = 4;

struct Request {
  std::string command;
  json::object arguments;
};

Result<Request> ParseRequest(std::string_view line) {
  json::parse_options syntax;
  syntax.max_depth = kNestingMax;
  json::error_code code;
  json::value value = json::parse(line, code, {}, syntax);
  if (code) return Error(Errc::kInvalid, "send one JSON object a line: " + code.message());
  json::object* const members = value.if_object();
  if (members == nullptr) return Error(Errc::kInvalid, "send one JSON object a line, such as {\"command\":\"status\"}");
  const auto name = members->find("command");
  if (name == members->end() || !name->value().is_string()) {
    return Error(Errc::kInvalid, "the member \"command\" is missing; give it as a text, such as \"status\"");
  }
  Request request{.command = std::string(name->value().get_string()), .arguments = {}};
  members->erase(name);
  request.arguments = std::move(*members);
  return request;
}

Result<> CheckNames(const Command& command, const json::object& arguments) {
  for (const auto& member : arguments) {
    if (std::ranges::find(command.arguments, std::string_view(member.key())) == command.arguments.end()) {
      return Error(Errc::kInvalid,
                   fmt::format("this command has no argument \"{}\"", std::string_view(JsonText(member.key()))));
    }
  }
  return {};
}

// What a command is about, for the log: never a password.
std::string TargetOf(const json::object& arguments) {
  for (const std::string_view name : {"address", "id"}) {
    const json::value* const value = arguments.if_contains(name);
    if (value != nullptr && value->is_string()) return std::string(value->get_string());
  }
  return "";
}

void LogChange(std::string_view command, std::string_view target, const Caller& caller,
               const Result<json::object>& result) {
  const LogField name("command", command);
  const LogField what("target", target);
  const LogField user("uid", caller.user_id);
  const LogField process("pid", caller.process_id);
  if (result) {
    base::LogInfo("admin_command", {name, what, user, process, LogField("result", "ok")});
  } else {
    base::LogInfo("admin_command", {name, what, user, process, LogField("result", ToString(result.error().code())),
                                    LogField("error", result.error().message())});
  }
}

}  // namespace

void CommandTable::Add(std::string_view name, Command command) {
  CHECK(commands_.emplace(name, std::move(command)).second);
}

async::Task<std::string> CommandTable::Answer(std::string line, Caller caller, RequestBody* body) const {
  auto result = co_await Execute(std::move(line), caller, body);
  if (!result) co_return Refusal(result.error());
  json::object answer;
  answer["ok"] = true;
  answer["result"] = *std::move(result);
  co_return json::serialize(answer);
}

std::string CommandTable::Refusal(const Error& error) {
  json::object answer;
  answer["ok"] = false;
  answer["code"] = JsonText(ToString(error.code()));
  answer["error"] = JsonText(error.message());
  return json::serialize(answer);
}

async::Task<Result<json::object>> CommandTable::Execute(std::string line, Caller caller, RequestBody* body) const {
  ASSIGN_OR_CO_RETURN(Request request, ParseRequest(line));
  ASSIGN_OR_CO_RETURN(const std::uint64_t body_bytes,
                      NumberIn(request.arguments, kBodyBytesArgument, kRequestBodyBytesMax));
  if (body_bytes > 0 && body == nullptr) co_return Error(Errc::kInvalid, "no body can follow a request here");
  if (body_bytes > 0) body->Expect(body_bytes);
  const auto found = commands_.find(request.command);
  if (found == commands_.end()) {
    co_return Error(Errc::kInvalid, "there is no such command; this node may be of another version than the program");
  }
  const Command& command = found->second;
  CO_RETURN_IF_ERROR(CheckNames(command, request.arguments));
  Arguments arguments(std::move(request.arguments), caller);
  const std::string target = command.target ? command.target(arguments) : TargetOf(arguments.members());
  if (command.body_handler && body == nullptr) co_return Error(Errc::kInvalid, "this command needs a body");
  auto answer =
      command.body_handler ? command.body_handler(std::move(arguments), body) : command.handler(std::move(arguments));
  auto result = co_await std::move(answer);
  if (command.effect == Effect::kChanges) LogChange(found->first, target, caller, result);
  co_return result;
}

}  // namespace admin
