#include "imap/server/search_command.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "imap/proto/search_evaluation.h"
#include "imap/server/message_batches.h"
#include "imap/server/message_reader.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/text.h"

namespace imap {
namespace {

using base::Result;

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

HeaderFacts FactsOf(std::string_view header) {
  HeaderFacts facts;
  facts.contains = [header](std::string_view field, std::string_view text) {
    const std::vector<std::string_view> bodies = mail::FindHeaders(header, field);
    return std::ranges::any_of(bodies, [text](std::string_view body) {
      return text.empty() || mail::ContainsText(mail::DecodeHeaderText(body), text);
    });
  };
  if (const auto date_field = mail::FindHeader(header, "Date")) {
    if (const auto date = mail::ParseDate(*date_field)) facts.sent_on = std::chrono::sys_days(date->LocalDay());
  }
  return facts;
}

// Looks for all texts of a search in one message.
class ContentSearch {
 public:
  explicit ContentSearch(const std::vector<ContentText>& texts) : texts_(texts) {
    for (const ContentText& text : texts) searches_.emplace_back(text.text);
  }

  // Fills `found` for the message.
  async::Task<Result<>> Run(MessageReader* reader, std::vector<bool>* found) const;

 private:
  void LookIntoHeader(std::string_view header, bool of_message, std::vector<bool>& found) const;
  void LookIntoText(std::string_view text, std::vector<bool>& found) const;

  const std::vector<ContentText>& texts_;
  std::vector<mail::TextSearch> searches_;
};

void CollectParts(const mail::MimePart& part, bool is_root, std::vector<std::pair<const mail::MimePart*, bool>>& out) {
  out.emplace_back(&part, is_root);
  for (const mail::MimePart& child : part.children) CollectParts(child, false, out);
}

async::Task<Result<>> ContentSearch::Run(MessageReader* reader, std::vector<bool>* found) const {
  found->assign(texts_.size(), false);
  ASSIGN_OR_CO_RETURN(const mail::MimePart* root, co_await reader->Structure());
  std::vector<std::pair<const mail::MimePart*, bool>> parts;
  CollectParts(*root, true, parts);
  for (const auto& [part, is_root] : parts) {
    if (std::ranges::all_of(*found, std::identity())) break;
    ASSIGN_OR_CO_RETURN(const std::string header, co_await reader->Bytes(part->header));
    LookIntoHeader(header, is_root, *found);
    if (part->type != "text" || !part->children.empty()) continue;
    // The part alone stands for the message it is decoded from: no more of it is read.
    const std::uint64_t size = std::min<std::uint64_t>(part->body.size, mail::TextLimits().part_bytes_max);
    ASSIGN_OR_CO_RETURN(const std::string body, co_await reader->Bytes({.offset = part->body.offset, .size = size}));
    mail::MimePart alone = *part;
    alone.header = {};
    alone.body = {.offset = 0, .size = body.size()};
    LookIntoText(mail::DecodePartText(body, alone), *found);
  }
  co_return Result<>();
}

// The header of the message is searched for TEXT only; those of its parts and of enclosed messages belong to its body.
void ContentSearch::LookIntoHeader(std::string_view header, bool of_message, std::vector<bool>& found) const {
  mail::HeaderReader fields(header);
  while (const auto field = fields.Next()) {
    const std::string text = std::string(field->name) + ": " + mail::DecodeHeaderText(field->body);
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (of_message && !texts_[i].in_header) continue;
      if (!found[i] && searches_[i].Matches(text)) found[i] = true;
    }
  }
}

void ContentSearch::LookIntoText(std::string_view text, std::vector<bool>& found) const {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (!found[i] && searches_[i].Matches(text)) found[i] = true;
  }
}

// One message against the key, asking the store for what the key asks for.
async::Task<Result<bool>> MatchesMessage(Conversation* c, const SearchKey* key, const ContentSearch* content,
                                         MessageFacts facts) {
  Match match = Matches(*key, facts);
  if (match == Match::kYes || match == Match::kNo) co_return match == Match::kYes;
  MessageReader reader(c->store(), c->selected->id, facts.uid, facts.size_bytes);
  std::string header;
  HeaderFacts header_facts;
  if (match == Match::kNeedsHeader) {
    ASSIGN_OR_CO_RETURN(header, co_await reader.Header());
    header_facts = FactsOf(header);
    facts.header = &header_facts;
    match = Matches(*key, facts);
  }
  std::vector<bool> found;
  if (match == Match::kNeedsContent) {
    CO_RETURN_IF_ERROR(co_await content->Run(&reader, &found));
    facts.texts_found = &found;
    match = Matches(*key, facts);
  }
  // Content that was searched without the header having been asked for: a key behind it may want it now.
  if (match == Match::kNeedsHeader) {
    ASSIGN_OR_CO_RETURN(header, co_await reader.Header());
    header_facts = FactsOf(header);
    facts.header = &header_facts;
    match = Matches(*key, facts);
  }
  co_return match == Match::kYes;
}

MessageFacts ViewFacts(const MailboxView& view, std::uint32_t number, const FlagSet* flags) {
  const std::uint32_t uid = view.uid(number);
  return {.sequence = number, .uid = uid, .flags = flags, .recent = view.IsRecent(uid)};
}

// The messages that match, by sequence number.
async::Task<Result<std::vector<std::uint32_t>>> FindMatches(Conversation* c, const SearchKey* key) {
  const MailboxView& view = c->selected->view;
  std::vector<std::uint32_t> all(view.size());
  std::iota(all.begin(), all.end(), 1);
  std::vector<std::uint32_t> matching;
  if (!NeedsIndex(*key)) {
    const FlagSet no_flags;
    std::ranges::copy_if(all, std::back_inserter(matching), [&](std::uint32_t number) {
      return Matches(*key, ViewFacts(view, number, &no_flags)) == Match::kYes;
    });
    co_return matching;
  }
  const std::vector<ContentText> texts = ContentTexts(*key);
  const ContentSearch content(texts);
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
      auto matches = co_await MatchesMessage(c, key, &content, facts);
      const bool expunged = !matches.has_value() && matches.error().code() == base::Errc::kNotFound;
      if (!matches.has_value() && !expunged) co_return std::move(matches).error();
      if (!expunged && *matches) matching.push_back(*number);
    }
  }
  co_return matching;
}

}  // namespace

async::Task<Reply> RunSearch(Conversation* c, Search search) {
  if (search.charset == SearchCharset::kUnknown) {
    co_return No(kCodeBadCharset, "texts are searched in US-ASCII and UTF-8");
  }
  ResolveSets(search.key, c->selected->view.size(), c->selected->view.last_uid());
  auto matching = co_await FindMatches(c, &search.key);
  if (!matching.has_value()) co_return ReplyTo(matching.error());
  if (search.uid) {
    for (std::uint32_t& number : *matching) number = c->selected->view.uid(number);
  }
  c->out.Add(SearchLine(*matching));
  co_return Ok("SEARCH completed");
}

}  // namespace imap
