// Reply: how a command ended, as its tagged line will say.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "imap/proto/response.h"

namespace imap {

struct Reply {
  Condition condition = Condition::kOk;
  std::string code{};  // Response code without brackets; may be empty.
  std::string text{};
};

inline Reply Ok(std::string text) {
  return {.condition = Condition::kOk, .text = std::move(text)};
}
inline Reply No(std::string_view code, std::string text) {
  return {.condition = Condition::kNo, .code = std::string(code), .text = std::move(text)};
}
inline Reply Bad(std::string text) {
  return {.condition = Condition::kBad, .text = std::move(text)};
}

// NO, with the code that tells the client what it can do (RFC 5530). Never OK: the caller calls it for errors only.
Reply ReplyTo(const base::Error& error);
// The same for APPEND and COPY, which the account's quota may deny (RFC 9208 §4.3.3).
Reply ReplyToStoring(const base::Error& error);

}  // namespace imap
