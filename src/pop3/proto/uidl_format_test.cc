#include "pop3/proto/uidl_format.h"

#include <gtest/gtest.h>

namespace pop3::proto {
namespace {

TEST(UidlFormat, MakesTheIdsThatDovecotMakes) {
  struct {
    const char* format;
    const char* id;
  } const rows[] = {
      {"%08Xu%08Xv", "0000000a4b3c2d1e"},
      {"%u", "10"},
      {"UID%u-%v", "UID10-1262234910"},
      {"%v.%u", "1262234910.10"},
      {"%Xv%Xu", "4b3c2d1ea"},
      {"100%%-%04u", "100%-0010"},
  };
  for (const auto& row : rows) {
    const auto format = UidlFormat::Parse(row.format);
    ASSERT_TRUE(format.has_value()) << row.format << ": " << format.error().message();
    EXPECT_EQ(format->Format(0x4b3c2d1e, 10), row.id) << row.format;
  }
  EXPECT_EQ(UidlFormat().Format(0x4b3c2d1e, 10), "0000000a4b3c2d1e");
}

TEST(UidlFormat, KnowsTheIdsThatItMakes) {
  const struct {
    const char* format;
    const char* id;
    bool makes;
  } rows[] = {
      {"%08Xu%08Xv", "0000000a4b3c2d1e", true},
      {"%08Xu%08Xv", "0000000a4b3c2d1f", false},
      {"%08Xu%08Xv", "4b3c2d1e4b3c2d1e", true},
      {"%08Xu%08Xv", "xxxxxxxx4b3c2d1e", false},
      {"%08Xu%08Xv", "0000000A4b3c2d1e", false},
      {"UID%u-%v", "UID4294967295-1262234910", true},
      {"UID%u-%v", "UID4294967296-1262234910", false},
      {"UID%u-%v", "UID-1262234910", false},
      {"%v%u", "126223491012", true},
      {"%u", "12", true},
      {"%u", "012", false},
      {"%u", "", false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(UidlFormat::Parse(row.format)->Makes(0x4b3c2d1e, row.id), row.makes) << row.format << ' ' << row.id;
  }
  EXPECT_FALSE(UidlFormat::Parse("%u")->has_uid_validity());
  EXPECT_TRUE(UidlFormat().has_uid_validity());
}

TEST(UidlFormat, RefusesWhatMakesNoUniqueIds) {
  for (const char* text : {"", "%v", "id", "%u%", "%u%f", "%999u", "%u %v", "%20u", "%u\x7f", "%71Xu", "%08X",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%u"}) {
    EXPECT_FALSE(UidlFormat::Parse(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace pop3::proto
