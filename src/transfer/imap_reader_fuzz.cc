// Responses of an IMAP server, as bytes from anywhere, cut at each place that the first byte says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "transfer/imap_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = 1 + data[0];
  transfer::ImapReader reader({.line_bytes_max = 4096, .literal_bytes_max = 4096});
  for (;;) {
    auto response = reader.Next();
    if (!response.has_value()) return 0;
    if (response->has_value()) {
      auto fetched = transfer::ParseFetch(**response);
      CHECK(!fetched.has_value() || fetched->uid != 0);
      const auto listed = transfer::ParseList(**response, "LIST");
      CHECK(!listed.has_value() || !listed->name.empty());
      continue;
    }
    if (bytes.empty()) return 0;
    reader.Add(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
}
