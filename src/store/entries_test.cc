#include "store/entries.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/flags.h"
#include "store/mail_store.h"
#include "store/rows.h"

namespace store {
namespace {

DeliverEntry SomeDelivery() {
  DeliverEntry entry;
  entry.date_us = 123;
  entry.ids_kept_hours = 48;
  entry.targets.push_back(
      {.account = 5, .delivery_id = mail::DeliveryId::Queued(1, 2, 3), .prefix = "Return-Path: <>\r\n"});
  entry.targets.push_back({.account = 6, .delivery_id = mail::DeliveryId::Queued(1, 2, 4), .prefix = ""});
  entry.settled.push_back({.queue_partition = 1u << 31, .mark = {.below = 77, .except = {0, 3, 76}}});
  return entry;
}

// Decodes, encodes again and compares; every cut of it must be refused.
template <class Entry>
void ExpectRoundTrip(const char* label, const Entry& entry) {
  const std::string text = EncodeEntry(entry);
  Entry decoded;
  ASSERT_TRUE(DecodeEntry(text, decoded)) << label;
  EXPECT_EQ(EncodeEntry(decoded), text) << label;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(DecodeEntry(std::string_view(text).substr(0, size), decoded)) << label << " cut at " << size;
  }
  EXPECT_FALSE(DecodeEntry(text + "x", decoded)) << label << " with more behind";
  std::string other_version = text;
  other_version[0] = 2;
  EXPECT_FALSE(DecodeEntry(other_version, decoded)) << label;
}

TEST(Entries, AreReadBackAsWritten) {
  ExpectRoundTrip("create account", CreateAccountEntry{.address = "a@x", .password_hash = "$y$"});
  ExpectRoundTrip("set password", SetPasswordEntry{.address = "a@x", .password_hash = "$y$"});
  ExpectRoundTrip("credentials", CredentialsEntry{.change = CredentialsChange::kAddKeys,
                                                  .address = "a@x",
                                                  .password_hash = "$y$",
                                                  .scram_keys = "SCRAM-SHA-256$1:a$b:c"});
  ExpectRoundTrip("remove account", RemoveAccountEntry{.address = "a@x"});
  ExpectRoundTrip("deliver", SomeDelivery());
  ExpectRoundTrip("create mailbox", CreateMailboxEntry{.account = 1, .name = "a/b", .names_max = 9});
  ExpectRoundTrip("delete mailbox", DeleteMailboxEntry{.account = 1, .name = "a/b"});
  ExpectRoundTrip("rename mailbox",
                  RenameMailboxEntry{.account = 1, .from = "a", .to = "b", .names_max = 9, .name_bytes_max = 99});
  ExpectRoundTrip("subscribe", SubscribeEntry{.account = 1, .name = "a", .subscribed = true, .names_max = 9});
  ExpectRoundTrip(
      "special mailboxes",
      SpecialMailboxesEntry{
          .account = 1, .names_max = 9, .items = {{SpecialUse::kSent, "Sent"}, {SpecialUse::kTrash, "Trash"}}});
  ExpectRoundTrip("append", AppendEntry{.mailbox = 3, .flags = {.system = 1, .keywords = {"a", "b"}}, .date_us = -5});
  ExpectRoundTrip(
      "store flags",
      StoreFlagsEntry{.mailbox = 3, .change = 2, .flags = {.system = 1, .keywords = {"a"}}, .uids = {1, 2, 9}});
  ExpectRoundTrip("store flags if unchanged",
                  StoreFlagsIfEntry{
                      .change = {.mailbox = 3, .change = 2, .flags = {.system = 1, .keywords = {"a"}}, .uids = {1, 9}},
                      .unchanged_since = 1ull << 62});
  ExpectRoundTrip("copy", CopyEntry{.from = 3, .to = 4, .move = true, .uids = {4000000000u, 4294967295u}});
  ExpectRoundTrip("expunge", ExpungeEntry{.mailbox = 3, .only_deleted = true, .uids = {5}});
  ExpectRoundTrip("purge", PurgeEntry{.mailbox = 3});
  ExpectRoundTrip("import", ImportEntry{.mailbox = 3,
                                        .uid = 501,
                                        .flags = {.system = 1, .keywords = {"a", "b"}},
                                        .date_us = -5,
                                        .origin = "0123456789abcdef",
                                        .uidl = "0000000a4b3c2d1e"});
  ExpectRoundTrip("set UIDs", SetUidsEntry{.mailbox = 3, .uid_validity = 1'700'000'000, .uid_next = 502});
  ExpectRoundTrip(
      "import flags",
      ImportFlagsEntry{.mailbox = 3,
                       .messages = {{.origin = "0123456789abcdef", .flags = {.system = 1, .keywords = {"a"}}},
                                    {.origin = "fedcba9876543210", .flags = {}}}});
}

TEST(Entries, ImportsOfWhatCannotBeAreRefused) {
  ImportEntry import{.mailbox = 3, .uid = 1, .flags = {}, .date_us = 0, .origin = "0123456789abcdef", .uidl = "x"};
  ImportEntry decoded;
  ASSERT_TRUE(DecodeEntry(EncodeEntry(import), decoded));
  const std::string long_uidl(kUidlBytesMax + 1, 'u');
  import.uidl = long_uidl;
  EXPECT_FALSE(DecodeEntry(EncodeEntry(import), decoded)) << "a UIDL that POP3 cannot say";
  import.uidl = "";
  import.origin = "0123456789abcde";
  EXPECT_FALSE(DecodeEntry(EncodeEntry(import), decoded)) << "an origin that is too short";
  import.origin = "0123456789abcdef";
  import.uid = UINT32_MAX;
  EXPECT_FALSE(DecodeEntry(EncodeEntry(import), decoded)) << "a UID after which there is none";
  SetUidsEntry uids{.mailbox = 3, .uid_validity = kImportedUidValidityMax + 1, .uid_next = 0};
  EXPECT_FALSE(DecodeEntry(EncodeEntry(uids), uids)) << "a UIDVALIDITY that leaves none for others";
}

TEST(Entries, FlagsOfImportsNameEachOriginOnce) {
  ImportFlagsEntry decoded;
  const struct {
    const char* label;
    std::vector<std::string_view> origins;
    bool is_taken;
  } rows[] = {
      {"none", {}, true},
      {"ascending", {"0123456789abcdef", "1123456789abcdef"}, true},
      {"one twice", {"0123456789abcdef", "0123456789abcdef"}, false},
      {"descending", {"1123456789abcdef", "0123456789abcdef"}, false},
      {"too short", {"0123456789abcde"}, false},
  };
  for (const auto& row : rows) {
    ImportFlagsEntry entry{.mailbox = 3, .messages = {}};
    for (const std::string_view origin : row.origins) entry.messages.push_back({.origin = origin, .flags = {}});
    EXPECT_EQ(DecodeEntry(EncodeEntry(entry), decoded), row.is_taken) << row.label;
  }
}

TEST(Entries, DamagedOnesAreRefusedOrHarmless) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    base::Random random(seed);
    std::string text = random.OneIn(2)
                           ? EncodeEntry(SomeDelivery())
                           : EncodeEntry(CopyEntry{.from = 3, .to = 4, .move = false, .uids = {1, 5, 6, 7, 100}});
    for (std::uint64_t i = 0, flips = 1 + random.Below(4); i < flips; ++i) {
      text[random.Below(text.size())] = static_cast<char>(random.Next());
    }
    DeliverEntry deliver;
    if (DecodeEntry(text, deliver)) EXPECT_LE(deliver.targets.size(), text.size());
    CopyEntry copy;
    if (DecodeEntry(text, copy)) EXPECT_LE(copy.uids.size(), kUidsPerEntryMax);
  }
}

TEST(Uids, AreRangesOnTheWay) {
  struct {
    const char* label;
    std::vector<std::uint32_t> uids;
    std::size_t bytes;
  } rows[] = {
      {"none", {}, 1},
      {"one", {7}, 3},
      {"a run", {1, 2, 3, 4, 5}, 3},
      {"two runs", {1, 2, 9, 10}, 5},
      {"from zero", {0, 1}, 3},
      {"the greatest", {4294967294u, 4294967295u}, 7},
  };
  for (const auto& row : rows) {
    std::string text;
    base::Encoder out(text);
    EncodeUids(row.uids, out);
    EXPECT_EQ(text.size(), row.bytes) << row.label;
    base::Decoder in(text);
    std::vector<std::uint32_t> uids;
    EXPECT_TRUE(DecodeUids(in, 5, uids)) << row.label;
    EXPECT_EQ(uids, row.uids) << row.label;
  }
}

TEST(Uids, HostileRangesAreRefused) {
  struct {
    const char* label;
    std::vector<std::uint64_t> numbers;
  } rows[] = {
      {"more than asked for", {1, 0, 5}},
      {"huge run", {1, 0, std::uint64_t{1} << 60}},
      {"beyond 32 bits", {1, std::uint64_t{1} << 32, 0}},
      {"wrapping", {2, 4294967295u, 0, 0, 0}},
      {"more in two", {2, 1, 2, 1, 2}},
      {"ranges missing", {9, 1, 0}},
  };
  for (const auto& row : rows) {
    std::string text;
    base::Encoder out(text);
    for (const std::uint64_t number : row.numbers) out.Varint(number);
    base::Decoder in(text);
    std::vector<std::uint32_t> uids;
    EXPECT_FALSE(DecodeUids(in, 5, uids)) << row.label;
  }
}

TEST(Watermark, HostileOnesAreRefused) {
  struct {
    const char* label;
    std::vector<std::uint64_t> numbers;
    bool good;
  } rows[] = {
      {"nothing settled", {0, 0}, true},
      {"no exceptions", {5, 0}, true},
      {"the first and the last", {5, 2, 0, 4}, true},
      {"the mark itself", {5, 1, 5}, false},
      {"beyond the mark", {5, 2, 3, 2}, false},
      {"one twice", {5, 2, 3, 0}, false},
      {"wrapping", {5, 2, 3, ~std::uint64_t{0} - 1}, false},
      {"exceptions of nothing", {0, 1, 0}, false},
      {"exceptions missing", {5, 2, 1}, false},
      {"more than may be", {~std::uint64_t{0}, Watermark::kExceptMax + 1}, false},
  };
  for (const auto& row : rows) {
    std::string text;
    base::Encoder out(text);
    for (const std::uint64_t number : row.numbers) out.Varint(number);
    base::Decoder in(text);
    Watermark mark;
    ASSERT_EQ(mark.DecodeFrom(in), row.good) << row.label;
    if (!row.good) continue;
    std::string again;
    base::Encoder out_again(again);
    mark.EncodeTo(out_again);
    EXPECT_EQ(again, text) << row.label;
  }
}

TEST(Flags, AreNormalized) {
  struct {
    const char* label;
    Flags flags;
    std::optional<std::vector<std::string>> keywords;
  } rows[] = {
      {"none", {}, std::vector<std::string>{}},
      {"sorted without case", {.system = 1, .keywords = {"b", "A", "c"}}, std::vector<std::string>{"A", "b", "c"}},
      {"none twice", {.system = 0, .keywords = {"$Junk", "$junk"}}, std::vector<std::string>{"$Junk"}},
      {"unknown system bit", {.system = 32, .keywords = {}}, std::nullopt},
      {"empty keyword", {.system = 0, .keywords = {""}}, std::nullopt},
      {"no atom", {.system = 0, .keywords = {"a b"}}, std::nullopt},
      {"a system flag as keyword", {.system = 0, .keywords = {"\\Seen"}}, std::nullopt},
      {"8 bit", {.system = 0, .keywords = {"\xc3\xbc"}}, std::nullopt},
      {"too long", {.system = 0, .keywords = {std::string(129, 'k')}}, std::nullopt},
      {"as long as may be",
       {.system = 0, .keywords = {std::string(128, 'k')}},
       std::vector<std::string>{std::string(128, 'k')}},
  };
  for (const auto& row : rows) {
    const auto flags = NormalizeFlags(row.flags);
    EXPECT_EQ(flags.has_value(), row.keywords.has_value()) << row.label;
    if (flags.has_value()) EXPECT_EQ(flags->keywords, *row.keywords) << row.label;
  }
}

}  // namespace
}  // namespace store
