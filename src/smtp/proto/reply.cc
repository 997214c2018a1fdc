#include "smtp/proto/reply.h"

#include <fmt/format.h>

namespace smtp {
namespace {

void AppendLine(std::string& out, int code, char separator, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "{:03}{}", code, separator);
  const std::size_t begin = out.size();
  out.append(text.substr(0, 500));  // RFC 5321 §4.5.3.1.5: a reply line has at most 512 bytes.
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (static_cast<unsigned char>(out[i]) < ' ' || out[i] == 0x7f) out[i] = ' ';
  }
  out.append("\r\n");
}

}  // namespace

void AppendReply(std::string& out, int code, std::string_view text) {
  AppendLine(out, code, ' ', text);
}

void AppendReply(std::string& out, int code, const std::vector<std::string>& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) AppendLine(out, code, i + 1 < lines.size() ? '-' : ' ', lines[i]);
}

}  // namespace smtp
