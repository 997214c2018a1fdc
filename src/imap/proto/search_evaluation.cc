#include "imap/proto/search_evaluation.h"

#include <algorithm>

namespace imap {
namespace {

using Kind = SearchKey::Kind;

Match YesIf(bool matches) {
  return matches ? Match::kYes : Match::kNo;
}

Match Negate(Match match) {
  switch (match) {
    case Match::kYes:
      return Match::kNo;
    case Match::kNo:
      return Match::kYes;
    case Match::kNeedsHeader:
    case Match::kNeedsContent:
      break;
  }
  return match;
}

// AND with `decider` kNo, OR with `decider` kYes: one child that is the decider decides; else the cheapest question
// that is open is passed up.
Match Combine(const std::vector<SearchKey>& children, const MessageFacts& message, Match decider) {
  Match open = Negate(decider);
  for (const SearchKey& child : children) {
    const Match match = Matches(child, message);
    if (match == decider) return decider;
    if (match == Match::kNeedsHeader || (match == Match::kNeedsContent && open != Match::kNeedsHeader)) open = match;
  }
  return open;
}

Match MatchesSent(const SearchKey& key, const MessageFacts& message) {
  if (message.header == nullptr) return Match::kNeedsHeader;
  if (!message.header->sent_on.has_value()) return Match::kNo;
  const std::chrono::sys_days sent = *message.header->sent_on;
  if (key.kind == Kind::kSentBefore) return YesIf(sent < key.date);
  if (key.kind == Kind::kSentSince) return YesIf(sent >= key.date);
  return YesIf(sent == key.date);
}

Match MatchesHeader(const SearchKey& key, const MessageFacts& message) {
  if (message.header == nullptr) return Match::kNeedsHeader;
  return YesIf(message.header->found.at(key.text_index));
}

Match MatchesContent(const SearchKey& key, const MessageFacts& message) {
  if (key.text.empty()) return Match::kYes;
  if (message.texts_found == nullptr) return Match::kNeedsContent;
  return YesIf(message.texts_found->at(key.text_index));
}

void CollectTexts(const SearchKey& key, std::vector<ContentText>& texts) {
  if (key.kind == Kind::kBody || key.kind == Kind::kText) {
    texts.resize(std::max(texts.size(), key.text_index + 1));
    texts[key.text_index] = {key.text, key.kind == Kind::kText};
  }
  for (const SearchKey& child : key.children) CollectTexts(child, texts);
}

void CollectHeaders(const SearchKey& key, std::vector<HeaderText>& headers) {
  if (key.kind == Kind::kHeader) {
    headers.resize(std::max(headers.size(), key.text_index + 1));
    headers[key.text_index] = {key.field, key.text};
  }
  for (const SearchKey& child : key.children) CollectHeaders(child, headers);
}

}  // namespace

void ResolveSets(SearchKey& key, std::uint32_t last_sequence, std::uint32_t last_uid) {
  if (key.kind == Kind::kSequence) key.ranges = key.set.Resolve(last_sequence);
  if (key.kind == Kind::kUid) key.ranges = key.set.Resolve(last_uid);
  for (SearchKey& child : key.children) ResolveSets(child, last_sequence, last_uid);
}

Match Matches(const SearchKey& key, const MessageFacts& message) {
  const std::chrono::sys_days day = std::chrono::floor<std::chrono::days>(message.internal_date);
  switch (key.kind) {
    case Kind::kAnd:
      return Combine(key.children, message, Match::kNo);
    case Kind::kOr:
      return Combine(key.children, message, Match::kYes);
    case Kind::kNot:
      return Negate(Matches(key.children.front(), message));
    case Kind::kSequence:
      return YesIf(Contains(key.ranges, message.sequence));
    case Kind::kUid:
      return YesIf(Contains(key.ranges, message.uid));
    case Kind::kFlag:
      return YesIf((message.flags->system & key.flag) != 0);
    case Kind::kKeyword:
      return YesIf(message.flags->HasKeyword(key.text));
    case Kind::kRecent:
      return YesIf(message.recent);
    case Kind::kBefore:
      return YesIf(day < key.date);
    case Kind::kOn:
      return YesIf(day == key.date);
    case Kind::kSince:
      return YesIf(day >= key.date);
    case Kind::kSentBefore:
    case Kind::kSentOn:
    case Kind::kSentSince:
      return MatchesSent(key, message);
    case Kind::kLarger:
      return YesIf(message.size_bytes > key.number);
    case Kind::kSmaller:
      return YesIf(message.size_bytes < key.number);
    case Kind::kModseq:
      return YesIf(message.modseq >= key.modseq);
    case Kind::kHeader:
      return MatchesHeader(key, message);
    case Kind::kBody:
    case Kind::kText:
      return MatchesContent(key, message);
  }
  return Match::kNo;
}

bool AsksModseq(const SearchKey& key) {
  return key.kind == Kind::kModseq || std::ranges::any_of(key.children, AsksModseq);
}

std::vector<ContentText> ContentTexts(const SearchKey& key) {
  std::vector<ContentText> texts;
  CollectTexts(key, texts);
  return texts;
}

std::vector<HeaderText> HeaderTexts(const SearchKey& key) {
  std::vector<HeaderText> headers;
  CollectHeaders(key, headers);
  return headers;
}

}  // namespace imap
