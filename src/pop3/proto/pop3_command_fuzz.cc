// Fuzzes what a POP3 client and a stored message can feed: lines and commands, dot-stuffing, TOP.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/line_buffer.h"
#include "pop3/proto/command.h"
#include "pop3/proto/multi_line.h"

namespace {

using namespace pop3::proto;

void ReadCommands(std::string_view bytes, std::size_t piece_size) {
  base::LineBuffer buffer;
  while (!bytes.empty()) {
    while (const auto line = buffer.TakeLine(kCommandBytesMax)) {
      CHECK(line->text.size() <= kCommandBytesMax);
      ParseCommand(line->text);
    }
    const std::span<char> space = buffer.Space();
    const std::size_t size = std::min({space.size(), piece_size, bytes.size()});
    CHECK(size > 0);
    bytes.copy(space.data(), size);
    buffer.Commit(size);
    bytes.remove_prefix(size);
  }
}

std::string Stuffed(std::string_view message, std::uint32_t top_lines, std::size_t piece_size) {
  DotStuffer stuffer;
  TopFilter top(top_lines);
  std::string out;
  for (; !message.empty(); message.remove_prefix(std::min(piece_size, message.size()))) {
    stuffer.Add(top.Pass(message.substr(0, piece_size)), out);
  }
  stuffer.Finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece_size = data[0] % 32u + 1;
  const std::uint32_t top_lines = data[1] % 8u;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  ReadCommands(bytes, piece_size);
  const std::string response = Stuffed(bytes, top_lines, piece_size);
  CHECK(response == Stuffed(bytes, top_lines, bytes.size() + 1));
  // A client ends at the first lone dot: it must be ours.
  CHECK(response == ".\r\n" || response.find("\r\n.\r\n") == response.size() - 5);
  CHECK(response == ".\r\n" || !response.starts_with(".\r\n"));
  return 0;
}
