// Lexer: a cursor over a structured field body (RFC 5322 §3.2): white space, comments, quoted strings.
//
// Tolerant of hostile bytes: a comment or quoted string that does not end, ends with the text. Linear, never recursive.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mail/ascii.h"

namespace mail {

// Borrows the text, which must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  bool AtEnd() const { return position_ == text_.size(); }
  // The next byte; NUL at the end (and for a NUL byte: check AtEnd() where it matters).
  char Peek() const { return AtEnd() ? '\0' : text_[position_]; }
  void Skip() {
    if (!AtEnd()) ++position_;
  }
  bool Accept(char c) {
    if (AtEnd() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  // Skips white space, line breaks and comments. The content of the last comment skipped can be asked for.
  void SkipSpace();

  // The content of the last comment, without its outer parentheses, as written; cleared by asking.
  std::string_view TakeComment() {
    const std::string_view comment = comment_;
    comment_ = {};
    return comment;
  }

  template <class Predicate>
  std::string_view TakeWhile(Predicate predicate) {
    const std::size_t start = position_;
    while (!AtEnd() && predicate(text_[position_])) ++position_;
    return text_.substr(start, position_ - start);
  }

  // At '"': reads the quoted string. Backslashes are undone; line breaks and NUL bytes vanish.
  std::string TakeQuoted();

  std::size_t position() const { return position_; }

 private:
  void SkipComment();

  std::string_view text_;
  std::size_t position_ = 0;
  std::string_view comment_;
};

}  // namespace mail
