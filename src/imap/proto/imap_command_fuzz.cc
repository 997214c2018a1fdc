// Fuzz target: the framing and the grammar of commands on hostile bytes, and what is made of them again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "imap/proto/command.h"
#include "imap/proto/command_reader.h"
#include "imap/proto/mailbox_name.h"
#include "imap/proto/mailbox_pattern.h"
#include "imap/proto/response.h"
#include "imap/proto/search_evaluation.h"

namespace imap {
namespace {

constexpr ReaderLimits kLimits{
    .line_bytes_max = 2000, .literal_bytes_max = 500, .command_bytes_max = 4000, .discard_bytes_max = 5000};

void Use(const Command& command) {
  if (const auto* search = std::get_if<Search>(&command)) {
    SearchKey key = search->key;
    ResolveSets(key, 10, 1000);
    const FlagSet flags;
    CHECK(ContentTexts(key).size() <= ParseLimits().search_keys_max);
    // Without a header or content a search is decided or asks for one of them, never anything else.
    const Match match = Matches(key, MessageFacts{.sequence = 3, .uid = 5, .flags = &flags});
    CHECK(match == Match::kYes || match == Match::kNo || match == Match::kNeedsHeader || match == Match::kNeedsContent);
  } else if (const auto* fetch = std::get_if<Fetch>(&command)) {
    for (const FetchItem& item : fetch->items) {
      if (const auto* section = std::get_if<FetchSection>(&item)) CHECK(!SectionLabel(*section).empty());
    }
  } else if (const auto* list = std::get_if<List>(&command)) {
    for (const std::string& pattern : list->patterns) MatchesPattern(pattern, "INBOX/a/b");
  } else if (const auto* select = std::get_if<Select>(&command)) {
    const auto again = DecodeMailboxName(EncodeMailboxName(select->mailbox));
    CHECK(again.has_value() ? *again == select->mailbox : select->mailbox.size() > kMailboxNameBytesMax / 2);
  }
}

class Session {
 public:
  explicit Session(bool accept) : accept_(accept) {}

  void Feed(std::string_view input) {
    while (true) {
      const ReadEvent event = reader_.Next(input);
      if (std::holds_alternative<NeedBytes>(event)) break;
      if (const auto* command = std::get_if<CommandReady>(&event)) {
        CHECK(command->text.size() <= kLimits.command_bytes_max + 1);
        Use(ParseCommand(command->text).command);
      } else if (const auto* append = std::get_if<AppendBegins>(&event)) {
        Use(ParseAppendHead(append->head).command);
        accept_ ? reader_.AcceptAppend() : reader_.RefuseAppend();
      }
    }
    CHECK(input.empty());
  }

 private:
  CommandReader reader_{kLimits};
  bool accept_;
};

}  // namespace
}  // namespace imap

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  imap::Session session((data[0] & 1) != 0);
  const std::size_t piece = (data[0] >> 1) + std::size_t{1};
  for (input.remove_prefix(1); !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    session.Feed(input.substr(0, piece));
  }
  return 0;
}
