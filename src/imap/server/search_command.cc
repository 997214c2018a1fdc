#include "imap/server/search_command.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "imap/proto/search_evaluation.h"
#include "imap/server/message_batches.h"
#include "imap/server/message_reader.h"
#include "imap/server/message_search.h"

namespace imap {
namespace {

using base::Result;

constexpr std::uint32_t kNumbersPerStep = 1024;

// Whether the view alone decides: no flag, date, size or text is asked for.
bool NeedsIndex(const SearchKey& key) {
  using Kind = SearchKey::Kind;
  switch (key.kind) {
    case Kind::kSequence:
    case Kind::kUid:
    case Kind::kRecent:
      return false;
    case Kind::kAnd:
    case Kind::kOr:
    case Kind::kNot:
      return std::ranges::any_of(key.children, NeedsIndex);
    default:
      return true;
  }
}

// One message against the key, asking the store for what the key asks for.
async::Task<Result<bool>> MatchesMessage(Conversation* c, const SearchKey* key, const MessageSearch* search,
                                         MessageFacts facts) {
  MessageReader reader(c->store(), &c->turn, c->selected->id, facts.uid, facts.size_bytes);
  HeaderFacts header;
  std::vector<bool> found;
  for (;;) {
    const Match match = Matches(*key, facts);
    if (match == Match::kNeedsHeader) {
      ASSIGN_OR_CO_RETURN(header, co_await search->Header(&reader));
      facts.header = &header;
    } else if (match == Match::kNeedsContent) {
      ASSIGN_OR_CO_RETURN(found, co_await search->Content(&reader));
      facts.texts_found = &found;
    } else {
      co_return match == Match::kYes;
    }
  }
}

MessageFacts ViewFacts(const MailboxView& view, std::uint32_t number, const FlagSet* flags) {
  const std::uint32_t uid = view.uid(number);
  return {.sequence = number, .uid = uid, .flags = flags, .recent = view.IsRecent(uid)};
}

// The messages that match, by sequence number, and the greatest MODSEQ of them.
struct Found {
  std::vector<std::uint32_t> numbers;
  std::uint64_t modseq = 0;
};

async::Task<Result<Found>> FindMatches(Conversation* c, const SearchKey* key) {
  const MailboxView& view = c->selected->view;
  std::vector<std::uint32_t> all(view.size());
  std::iota(all.begin(), all.end(), 1);
  Found found;
  if (!NeedsIndex(*key)) {
    const FlagSet no_flags;
    for (const std::uint32_t number : all) {
      if (Matches(*key, ViewFacts(view, number, &no_flags)) == Match::kYes) found.numbers.push_back(number);
      if (number % kNumbersPerStep == 0 && c->turn.IsOver()) co_await c->turn.Pass();
    }
    co_return found;
  }
  const MessageSearch search(*key, &c->turn);
  MessageBatches batches(c, std::move(all), 512);
  while (!batches.done() && !c->out.failed()) {
    ASSIGN_OR_CO_RETURN(const std::vector<store::Message> messages, co_await batches.Next());
    for (const store::Message& message : messages) {
      const auto number = view.SequenceOf(message.uid);
      if (!number.has_value()) continue;
      const FlagSet flags = ToFlagSet(message.flags);
      MessageFacts facts = ViewFacts(view, *number, &flags);
      facts.internal_date = std::chrono::floor<std::chrono::seconds>(message.internal_date);
      facts.size_bytes = message.size_bytes;
      facts.modseq = message.modseq;
      auto matches = co_await MatchesMessage(c, key, &search, facts);
      const bool expunged = !matches.has_value() && matches.error().code() == base::Errc::kNotFound;
      if (!matches.has_value() && !expunged) co_return std::move(matches).error();
      if (!expunged && *matches) {
        found.numbers.push_back(*number);
        found.modseq = std::max(found.modseq, message.modseq);
      }
      if (c->turn.IsOver()) co_await c->turn.Pass();
    }
  }
  co_return found;
}

}  // namespace

async::Task<Reply> RunSearch(Conversation* c, Search search) {
  if (search.charset == SearchCharset::kUnknown) {
    co_return No(kCodeBadCharset, "this charset is not known; UTF-8 is");
  }
  ResolveSets(search.key, c->selected->view.size(), c->selected->view.last_uid());
  const bool tell_modseq = AsksModseq(search.key);
  if (tell_modseq) EnableCondstore(c);
  auto found = co_await FindMatches(c, &search.key);
  if (!found.has_value()) co_return ReplyTo(found.error());
  if (search.uid) {
    for (std::uint32_t& number : found->numbers) number = c->selected->view.uid(number);
  }
  c->out.Add("* SEARCH");
  for (std::size_t i = 0; i < found->numbers.size(); ++i) {
    fmt::format_to(std::back_inserter(c->out.buffer()), " {}", found->numbers[i]);
    if (i % kNumbersPerStep != 0) continue;
    co_await c->out.FlushIfLarge();
    if (c->turn.IsOver()) co_await c->turn.Pass();
  }
  // RFC 7162 §3.1.5: only with results.
  if (tell_modseq && !found->numbers.empty()) c->out.Add(fmt::format(" (MODSEQ {})", found->modseq));
  c->out.Add("\r\n");
  co_return Ok("SEARCH completed");
}

}  // namespace imap
