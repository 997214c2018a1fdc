#include "imap/proto/search_evaluation.h"

#include <gtest/gtest.h>

#include "imap/proto/command.h"

namespace imap {
namespace {

using namespace std::chrono_literals;

SearchKey Key(const std::string& text) {
  const TaggedCommand parsed = ParseCommand("a SEARCH " + text);
  const auto* search = std::get_if<Search>(&parsed.command);
  EXPECT_NE(search, nullptr) << text;
  if (search == nullptr) return {};
  SearchKey key = search->key;
  ResolveSets(key, 10, 500);
  return key;
}

// A message seen on 17-Jul-1996, sent the day before by smith about "Lunch today".
struct Sample {
  FlagSet flags{.system = kSeen | kFlagged, .keywords = {"Work"}};
  HeaderFacts header{.found = {true, false}, .sent_on = std::chrono::sys_days(1996y / 7 / 16)};
  std::vector<bool> found = {true, false};
  MessageFacts facts{.sequence = 10,
                     .uid = 400,
                     .flags = &flags,
                     .recent = false,
                     .internal_date = std::chrono::sys_days(1996y / 7 / 17) + 23h,
                     .size_bytes = 1000,
                     .modseq = 50};
};

TEST(SearchEvaluation, DecidesFromWhatTheIndexKnows) {
  const struct {
    std::string key;
    bool expected;
  } kRows[] = {
      {"ALL", true},
      {"SEEN", true},
      {"UNSEEN", false},
      {"DELETED", false},
      {"FLAGGED SEEN", true},
      {"FLAGGED DELETED", false},
      {"KEYWORD work", true},
      {"UNKEYWORD Work", false},
      {"KEYWORD other", false},
      {"NEW", false},
      {"OLD", true},
      {"RECENT", false},
      {"10", true},
      {"*", true},
      {"1:9", false},
      {"UID 400", true},
      {"UID 500:*", false},
      {"UID 350:*", true},
      {"ON 17-Jul-1996", true},
      {"BEFORE 17-Jul-1996", false},
      {"SINCE 17-Jul-1996", true},
      {"SINCE 18-Jul-1996", false},
      {"LARGER 999", true},
      {"LARGER 1000", false},
      {"SMALLER 1000", false},
      {"SMALLER 1001", true},
      {"MODSEQ 50", true},
      {"MODSEQ 51", false},
      {"OR DELETED SEEN", true},
      {"OR DELETED DRAFT", false},
      {"NOT (SEEN DELETED)", true},
      {"BODY \"\"", true},
      // The cheap half decides, wherever it stands.
      {"BODY x UNSEEN", false},
      {"OR BODY x SEEN", true},
      {"FROM y DELETED", false},
      {"OR SENTON 1-Jan-2000 SEEN", true},
  };
  for (const auto& row : kRows) {
    const Sample sample;
    EXPECT_EQ(Matches(Key(row.key), sample.facts), row.expected ? Match::kYes : Match::kNo) << row.key;
  }
}

TEST(SearchEvaluation, AsksForTheHeaderBeforeTheContent) {
  Sample sample;
  EXPECT_EQ(Matches(Key("FROM smith"), sample.facts), Match::kNeedsHeader);
  EXPECT_EQ(Matches(Key("BODY x FROM smith"), sample.facts), Match::kNeedsHeader);
  EXPECT_EQ(Matches(Key("NOT BODY x"), sample.facts), Match::kNeedsContent);
  sample.facts.header = &sample.header;
  EXPECT_EQ(Matches(Key("FROM smith"), sample.facts), Match::kYes);
  EXPECT_EQ(Matches(Key("BODY x FROM smith"), sample.facts), Match::kNeedsContent);
  EXPECT_EQ(Matches(Key("BODY x FROM smith SUBJECT none"), sample.facts), Match::kNo);
}

TEST(SearchEvaluation, DecidesFromHeaderAndContent) {
  Sample sample;
  sample.facts.header = &sample.header;
  sample.facts.texts_found = &sample.found;
  const struct {
    std::string key;
    bool expected;
  } kRows[] = {
      {"FROM smith", true},
      {"FROM smith SUBJECT none", false},
      {"OR FROM smith SUBJECT none", true},
      {"HEADER Subject \"\" NOT HEADER X-None \"\"", true},
      {"SENTON 16-Jul-1996", true},
      {"SENTBEFORE 16-Jul-1996", false},
      {"SENTSINCE 16-Jul-1996", true},
      {"BODY a", true},
      {"BODY a TEXT b", false},
      {"OR BODY a TEXT b", true},
      {"BODY a NOT TEXT b", true},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(Matches(Key(row.key), sample.facts), row.expected ? Match::kYes : Match::kNo) << row.key;
  }
  sample.header.sent_on.reset();
  EXPECT_EQ(Matches(Key("SENTSINCE 1-Jan-1970"), sample.facts), Match::kNo);
}

TEST(SearchEvaluation, KnowsWhetherModseqsAreAskedFor) {
  EXPECT_FALSE(AsksModseq(Key("OR SEEN (BODY x)")));
  EXPECT_TRUE(AsksModseq(Key("OR SEEN (NOT MODSEQ 5)")));
}

TEST(SearchEvaluation, CollectsTheTextsByIndex) {
  const SearchKey key = Key("OR BODY a (NOT TEXT b) SUBJECT c BODY d");
  const std::vector<ContentText> texts = ContentTexts(key);
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].text, "a");
  EXPECT_FALSE(texts[0].in_header);
  EXPECT_EQ(texts[1].text, "b");
  EXPECT_TRUE(texts[1].in_header);
  EXPECT_EQ(texts[2].text, "d");
}

TEST(SearchEvaluation, CollectsTheHeaderTextsByIndex) {
  const SearchKey key = Key("OR FROM a (NOT BODY b) HEADER X-Y \"\"");
  const std::vector<HeaderText> headers = HeaderTexts(key);
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[0].field, "FROM");
  EXPECT_EQ(headers[0].text, "a");
  EXPECT_EQ(headers[1].field, "X-Y");
  EXPECT_EQ(headers[1].text, "");
}

}  // namespace
}  // namespace imap
