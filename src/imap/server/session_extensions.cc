// The small commands of extensions: UNSELECT (RFC 3691), NAMESPACE (RFC 2342), ID (RFC 2971), ENABLE (RFC 5161).
#include <algorithm>
#include <array>

#include "base/log.h"
#include "imap/proto/flags.h"
#include "imap/server/session.h"

namespace imap {
namespace {

constexpr std::size_t kLoggedIdBytes = 64;  // Of a field; what a client says of itself may be anything.

}  // namespace

async::Task<Reply> Session::Do(Unselect) {
  conversation_.selected.reset();
  co_return Ok("UNSELECT completed");
}

// One personal namespace, whose names need no prefix.
async::Task<Reply> Session::Do(Namespace) {
  conversation_.out.Add("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
  co_return Ok("NAMESPACE completed");
}

// Said once a session in the log, so that nobody fills it. The version is the administrator's business.
async::Task<Reply> Session::Do(ClientId id) {
  conversation_.out.Add("* ID (\"name\" \"Posthorn\")\r\n");
  const auto field = [&id](std::string_view name) {
    const auto found =
        std::ranges::find_if(id.fields, [name](const auto& f) { return EqualsIgnoreCase(f.first, name); });
    return found == id.fields.end() ? std::string() : found->second.substr(0, kLoggedIdBytes);
  };
  if (!id.fields.empty() && !client_named_) {
    client_named_ = true;
    base::LogInfo("imap_client", {{"account", conversation_.address},
                                  {"client", connection_->peer().ip},
                                  {"name", field("name")},
                                  {"version", field("version")},
                                  {"os", field("os")}});
  }
  co_return Ok("ID completed");
}

// What cannot be enabled is left out of the answer (RFC 5161 §3.1).
async::Task<Reply> Session::Do(Enable enable) {
  const bool condstore = std::ranges::find(enable.capabilities, "CONDSTORE") != enable.capabilities.end();
  conversation_.out.Add(condstore ? "* ENABLED CONDSTORE\r\n" : "* ENABLED\r\n");
  if (condstore) EnableCondstore(&conversation_);
  co_return Ok("ENABLE completed");
}

}  // namespace imap
