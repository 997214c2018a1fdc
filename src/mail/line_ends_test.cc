#include "mail/line_ends.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

std::string Normalize(std::string_view text, std::size_t cut) {
  LineEndNormalizer normalizer;
  std::string out;
  normalizer.Append(text.substr(0, cut), out);
  normalizer.Append(text.substr(cut), out);
  normalizer.Finish(out);
  return out;
}

TEST(LineEndNormalizer, MakesEveryLineEndCrlfHoweverTheBytesArrive) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"", ""},
      {"a", "a\r\n"},
      {"a\r\n", "a\r\n"},
      {"a\r\nb", "a\r\nb\r\n"},
      {"\n", "\r\n"},
      {"\r", "\r\n"},
      {"\n\n", "\r\n\r\n"},
      {"\r\r", "\r\n\r\n"},
      {"\r\n\r", "\r\n\r\n"},
      {"a\nb\rc\r\nd\r\r\n\n\re\r", "a\r\nb\r\nc\r\nd\r\n\r\n\r\n\r\ne\r\n"},
  };
  for (const auto& [text, expected] : rows) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) EXPECT_EQ(Normalize(text, cut), expected) << text << cut;
  }
}

}  // namespace
}  // namespace mail
