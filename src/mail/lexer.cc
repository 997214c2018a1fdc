#include "mail/lexer.h"

namespace mail {

void Lexer::SkipSpace() {
  while (!AtEnd()) {
    if (IsSpace(text_[position_])) {
      ++position_;
    } else if (text_[position_] == '(') {
      SkipComment();
    } else {
      return;
    }
  }
}

void Lexer::SkipComment() {
  const std::size_t start = position_ + 1;
  std::size_t depth = 0;
  while (!AtEnd()) {
    const char c = text_[position_++];
    if (c == '\\') {
      Skip();
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth == 0) {
      comment_ = text_.substr(start, position_ - 1 - start);
      return;
    }
  }
  comment_ = text_.substr(start);
}

std::string Lexer::TakeQuoted() {
  std::string content;
  Accept('"');
  while (!AtEnd()) {
    char c = text_[position_++];
    if (c == '"') break;
    if (c == '\\' && !AtEnd()) c = text_[position_++];
    if (c != '\r' && c != '\n' && c != '\0') content.push_back(c);
  }
  return content;
}

}  // namespace mail
