#include "mail/address_list.h"

#include "mail/ascii.h"
#include "mail/header.h"
#include "mail/lexer.h"

namespace mail {
namespace {

bool IsListSpecial(char c) {
  return c != '\0' && std::string_view(",;:<>@").contains(c);
}
bool IsWordByte(char c) {
  return !IsListSpecial(c) && !IsSpace(c) && c != '(' && c != '"';
}

// Reads words up to the special that tells what they were: a phrase, a local part, the name of a group.
class ListParser {
 public:
  ListParser(std::string_view body, std::size_t addresses_max) : lexer_(body), addresses_max_(addresses_max) {}

  std::vector<ListedAddress> Run();

 private:
  struct Word {
    std::string text;
    bool is_apart = false;  // White space or a comment stood before it.
  };

  void ReadElement();
  void ReadWords();
  // At '@', after the words of a local part, which may have a phrase before it.
  void ReadAddrSpec(ListedAddress& address);
  // After '<'.
  void ReadAngleAddress(ListedAddress& address);
  std::string ReadHost();
  // Skips what cannot belong to an address any more, up to the next ',' or ';'.
  void SkipRubbish();

  std::string JoinPhrase(std::size_t count) const;
  // Where in words_ the local part begins.
  std::size_t LocalPartStart() const;
  std::string JoinLocalPart(std::size_t start) const;
  void Push(ListedAddress address);

  Lexer lexer_;
  std::size_t addresses_max_;
  std::vector<Word> words_;
  bool is_in_group_ = false;
  std::vector<ListedAddress> list_;
};

std::optional<std::string> NoneIfEmpty(std::string text) {
  if (text.empty()) return std::nullopt;
  return text;
}

std::string WithoutNul(std::string_view text) {
  std::string clean(text);
  std::erase(clean, '\0');
  return clean;
}

std::string CommentText(std::string_view comment);

}  // namespace

std::vector<ListedAddress> ParseAddressList(std::string_view body, std::size_t addresses_max) {
  return ListParser(body, addresses_max).Run();
}

namespace {

std::vector<ListedAddress> ListParser::Run() {
  while (!lexer_.AtEnd() && list_.size() < addresses_max_) {
    ReadElement();
    SkipRubbish();
    if (lexer_.Accept(';') && is_in_group_) {
      list_.emplace_back();
      is_in_group_ = false;
    } else {
      lexer_.Accept(',');
    }
  }
  if (is_in_group_) list_.emplace_back();
  return std::move(list_);
}

void ListParser::ReadElement() {
  lexer_.TakeComment();
  ReadWords();
  if (lexer_.Peek() == ':' && !is_in_group_ && !words_.empty()) {
    lexer_.Skip();
    list_.push_back({.mailbox = JoinPhrase(words_.size())});
    is_in_group_ = true;
    if (list_.size() >= addresses_max_) return;
    lexer_.TakeComment();
    ReadWords();
  }
  ListedAddress address;
  const char special = lexer_.Peek();
  if (special == '@') {
    ReadAddrSpec(address);
  } else if (special == '<') {
    address.name = NoneIfEmpty(JoinPhrase(words_.size()));
    lexer_.Skip();
    ReadAngleAddress(address);
  } else if (!words_.empty()) {
    address.mailbox = JoinPhrase(words_.size());
  } else {
    return;
  }
  lexer_.SkipSpace();
  if (!address.name) address.name = NoneIfEmpty(CommentText(lexer_.TakeComment()));
  Push(std::move(address));
}

void ListParser::ReadWords() {
  words_.clear();
  for (;;) {
    const std::size_t before = lexer_.position();
    lexer_.SkipSpace();
    const bool is_apart = lexer_.position() != before;
    if (lexer_.AtEnd() || IsListSpecial(lexer_.Peek())) return;
    std::string text = lexer_.Peek() == '"' ? lexer_.TakeQuoted() : WithoutNul(lexer_.TakeWhile(IsWordByte));
    words_.push_back({.text = std::move(text), .is_apart = is_apart});
  }
}

void ListParser::ReadAddrSpec(ListedAddress& address) {
  const std::size_t start = LocalPartStart();
  address.name = NoneIfEmpty(JoinPhrase(start));
  address.mailbox = JoinLocalPart(start);
  lexer_.Skip();
  address.host = ReadHost();
  lexer_.SkipSpace();
  if (lexer_.Peek() != '<') return;
  // "bob@example.test <bob@example.test>": an address for a display name, unquoted. Wrong and common.
  address = {.name = *address.mailbox + "@" + *address.host};
  lexer_.Skip();
  ReadAngleAddress(address);
}

void ListParser::ReadAngleAddress(ListedAddress& address) {
  lexer_.SkipSpace();
  if (lexer_.Peek() == '@') {
    const std::string_view route = lexer_.TakeWhile([](char c) { return c != ':' && c != '>'; });
    address.adl = NoneIfEmpty(Unfold(route));
    lexer_.Accept(':');
  }
  ReadWords();
  address.mailbox = JoinLocalPart(0);
  if (lexer_.Accept('@')) address.host = ReadHost();
  // A '>' that is missing must not swallow the next address.
  lexer_.TakeWhile([](char c) { return c != '>' && c != ','; });
  lexer_.Accept('>');
}

std::string ListParser::ReadHost() {
  std::string host;
  lexer_.SkipSpace();
  if (lexer_.Peek() == '[') {
    host = WithoutNul(lexer_.TakeWhile([](char c) { return c != ']' && c != '>' && c != ',' && !IsSpace(c); }));
    if (lexer_.Accept(']')) host.push_back(']');
    return host;
  }
  for (;;) {
    const std::string_view word = lexer_.TakeWhile(IsWordByte);
    host.append(WithoutNul(word));
    lexer_.SkipSpace();
    // Obsolete syntax allows white space around the dots of a domain.
    if (word.empty() || (lexer_.Peek() != '.' && !host.ends_with('.'))) return host;
  }
}

void ListParser::SkipRubbish() {
  for (;;) {
    lexer_.SkipSpace();
    if (lexer_.AtEnd() || lexer_.Peek() == ',' || lexer_.Peek() == ';') return;
    if (lexer_.Peek() == '"') {
      lexer_.TakeQuoted();
    } else {
      lexer_.Skip();
    }
  }
}

std::string ListParser::JoinPhrase(std::size_t count) const {
  std::string phrase;
  for (std::size_t i = 0; i < count; ++i) {
    if (!phrase.empty() && words_[i].is_apart) phrase.push_back(' ');
    phrase.append(words_[i].text);
  }
  return phrase;
}

std::size_t ListParser::LocalPartStart() const {
  if (words_.empty()) return 0;
  std::size_t start = words_.size() - 1;
  while (start > 0 &&
         (!words_[start].is_apart || words_[start].text.starts_with('.') || words_[start - 1].text.ends_with('.'))) {
    --start;
  }
  return start;
}

std::string ListParser::JoinLocalPart(std::size_t start) const {
  std::string local;
  for (std::size_t i = start; i < words_.size(); ++i) local.append(words_[i].text);
  return local;
}

void ListParser::Push(ListedAddress address) {
  if (!address.mailbox || address.mailbox->empty()) address.mailbox = kMissingMailbox;
  // Without a host it would be read as the start of a group.
  if (!address.host || address.host->empty()) address.host = kMissingHost;
  list_.push_back(std::move(address));
}

std::string CommentText(std::string_view comment) {
  std::string text;
  for (std::size_t at = 0; at < comment.size(); ++at) {
    if (comment[at] == '\\' && at + 1 < comment.size()) ++at;
    text.push_back(comment[at]);
  }
  return Unfold(text);
}

}  // namespace
}  // namespace mail
