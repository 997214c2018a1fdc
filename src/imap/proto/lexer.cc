#include "imap/proto/lexer.h"

#include <algorithm>
#include <charconv>

#include "imap/proto/flags.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsAStringChar(char c) {
  return IsAtomChar(c) || c == ']';
}
bool IsListChar(char c) {
  return IsAStringChar(c) || c == '%' || c == '*';
}
bool IsSetChar(char c) {
  return IsDigit(c) || c == ':' || c == ',' || c == '*';
}

Error Bad(std::string text) {
  return Error(Errc::kInvalid, std::move(text));
}

}  // namespace

// atom-specials: "(" ")" "{" SP CTL "%" "*" DQUOTE "\" "]", and all that is not ASCII.
bool IsAtomChar(char c) {
  if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return false;
  return std::string_view("(){%*\"\\]").find(c) == std::string_view::npos;
}

bool IsTagChar(char c) {
  return IsAStringChar(c) && c != '+';
}

bool Lexer::Take(char c) {
  if (Peek() != c || rest_.empty()) return false;
  rest_.remove_prefix(1);
  return true;
}

bool Lexer::TakeText(std::string_view word) {
  if (rest_.size() < word.size() || !EqualsIgnoreCase(rest_.substr(0, word.size()), word)) return false;
  rest_.remove_prefix(word.size());
  return true;
}

Result<> Lexer::Space() {
  if (!Take(' ')) return Bad(AtEnd() ? "the command ends too early" : "a single space is missing");
  return {};
}

Result<> Lexer::Expect(char c) {
  if (!Take(c)) return Bad(std::string("expected '") + c + "'");
  return {};
}

Result<> Lexer::End() {
  while (Take(' ')) continue;
  if (!AtEnd()) return Bad("the command goes on after its last argument");
  return {};
}

std::string_view Lexer::TakeWhile(bool (*wanted)(char)) {
  const auto end = std::ranges::find_if_not(rest_, wanted);
  const std::string_view run = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
  rest_.remove_prefix(run.size());
  return run;
}

Result<std::string> Lexer::Tag() {
  const std::string_view tag = TakeWhile(IsTagChar);
  if (tag.empty()) return Bad("a command begins with a tag");
  return std::string(tag);
}

Result<std::string_view> Lexer::Atom() {
  const std::string_view atom = TakeWhile(IsAtomChar);
  if (atom.empty()) return Bad("a word is missing");
  return atom;
}

Result<std::string> Lexer::Word() {
  ASSIGN_OR_RETURN(const std::string_view atom, Atom());
  std::string word(atom);
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return word;
}

Result<std::uint32_t> Lexer::Number() {
  const std::string_view digits = TakeWhile(IsDigit);
  std::uint32_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || ec != std::errc()) return Bad("a number from 0 to 4294967295 is missing");
  return number;
}

Result<std::uint32_t> Lexer::NonZeroNumber() {
  ASSIGN_OR_RETURN(const std::uint32_t number, Number());
  if (number == 0) return Bad("the number must not be 0");
  return number;
}

Result<std::uint64_t> Lexer::ModSequence() {
  const std::string_view digits = TakeWhile(IsDigit);
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || ec != std::errc() || number > INT64_MAX) {
    return Bad("a mod-sequence from 0 to 9223372036854775807 is missing");
  }
  return number;
}

Result<std::string> Lexer::String() {
  if (Peek() == '"') return Quoted();
  if (Peek() == '{') return Literal();
  return Bad("a quoted string or a literal is missing");
}

Result<std::string> Lexer::AString() {
  if (Peek() == '"' || Peek() == '{') return String();
  const std::string_view text = TakeWhile(IsAStringChar);
  if (text.empty()) return Bad("a string is missing");
  return std::string(text);
}

Result<std::string> Lexer::ListPattern() {
  if (Peek() == '"' || Peek() == '{') return String();
  const std::string_view text = TakeWhile(IsListChar);
  if (text.empty()) return Bad("a mailbox pattern is missing");
  return std::string(text);
}

Result<std::string_view> Lexer::SetText() {
  const std::string_view text = TakeWhile(IsSetChar);
  if (text.empty()) return Bad("a message set is missing");
  return text;
}

// Bytes past ASCII are let through: clients put UTF-8 between quotes, and where it matters it is checked later.
Result<std::string> Lexer::Quoted() {
  rest_.remove_prefix(1);
  std::string text;
  while (!AtEnd()) {
    char c = Peek();
    rest_.remove_prefix(1);
    if (c == '"') return text;
    if (c == '\\') {
      c = Peek();
      if (c != '"' && c != '\\') return Bad("in a quoted string a backslash stands before '\"' or '\\' only");
      rest_.remove_prefix(1);
    } else if (c == '\r' || c == '\n' || c == '\0') {
      return Bad("a quoted string must not have CR, LF or NUL; send a literal");
    }
    text.push_back(c);
  }
  return Bad("the closing quote is missing");
}

Result<std::string> Lexer::Literal() {
  rest_.remove_prefix(1);
  ASSIGN_OR_RETURN(const std::uint32_t size, Number());
  if (!TakeText("}\r\n") || rest_.size() < size) return Bad("the literal is malformed");
  std::string text(rest_.substr(0, size));
  rest_.remove_prefix(size);
  if (text.find('\0') != std::string::npos) return Bad("a literal must not have NUL");
  return text;
}

}  // namespace imap
