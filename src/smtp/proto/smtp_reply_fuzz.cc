// Fuzz target: whatever a server says is a bounded reply of one clean line, or it is refused.
#include <cstdint>

#include "base/check.h"
#include "base/line_buffer.h"
#include "mail/charset.h"
#include "smtp/proto/capabilities.h"
#include "smtp/proto/client_command.h"
#include "smtp/proto/reply_parser.h"

namespace {

void CheckReply(const smtp::ServerReply& reply) {
  CHECK(reply.code >= 200 && reply.code < 600);
  CHECK(!reply.lines.empty() && reply.lines.size() <= smtp::kReplyLinesMax);
  CHECK(reply.status.empty() || reply.status.front() == static_cast<char>('0' + reply.code / 100));
  const std::string text = reply.Text();
  CHECK(text.size() <= smtp::kReplyTextBytesMax);
  CHECK(mail::IsValidUtf8(text));
  for (const char c : text) CHECK(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  (void)smtp::ReadCapabilities(reply.lines);
  for (const std::string& line : reply.lines) {
    CHECK(smtp::IsFitForPath(smtp::ReadServerName(line)));
    for (const char c : smtp::ToXtext(line)) CHECK(c >= '!' && c <= '~' && c != '=');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  base::LineBuffer buffer;
  smtp::ReplyParser parser;
  for (;;) {
    const auto line = buffer.TakeLine(smtp::kReplyLineBytesMax);
    if (line) {
      const auto state = parser.AddLine(line->text);
      if (line->is_too_long || state == smtp::ReplyParser::State::kMalformed) return 0;
      if (state == smtp::ReplyParser::State::kDone) CheckReply(parser.Take());
      continue;
    }
    if (rest.empty()) return 0;
    const std::span<char> space = buffer.Space();
    const std::size_t taken = rest.copy(space.data(), space.size());
    rest.remove_prefix(taken);
    buffer.Commit(taken);
  }
}
