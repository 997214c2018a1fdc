#include "mail/header_watch.h"

#include <cstddef>

#include "mail/ascii.h"

namespace mail {
namespace {

constexpr std::string_view kReceived = "received";
constexpr std::string_view kMessageId = "message-id";  // The longer one.

}  // namespace

void HeaderWatch::Add(std::string_view bytes) {
  while (!bytes.empty() && state_ != State::kBody) {
    if (state_ == State::kRest) {
      const std::size_t newline = bytes.find('\n');
      if (newline == std::string_view::npos) return;
      state_ = State::kLineStart;
      bytes.remove_prefix(newline + 1);
      continue;
    }
    TakeNameByte(bytes.front());
    bytes.remove_prefix(1);
  }
}

void HeaderWatch::TakeNameByte(char c) {
  switch (state_) {
    case State::kLineStart:
      BeginLine(c);
      break;
    case State::kName:
    case State::kBlankBeforeColon:
      ContinueName(c);
      break;
    case State::kEmptyLine:
      state_ = c == '\n' ? State::kBody : State::kRest;
      break;
    case State::kRest:
    case State::kBody:
      break;
  }
}

void HeaderWatch::BeginLine(char c) {
  if (c == '\n') {
    state_ = State::kBody;
  } else if (c == '\r') {
    state_ = State::kEmptyLine;
  } else if (IsBlank(c) || c == ':') {  // A continuation line, or a field without a name.
    state_ = State::kRest;
  } else {
    name_.assign(1, LowerAscii(c));
    state_ = State::kName;
  }
}

void HeaderWatch::ContinueName(char c) {
  if (c == '\n') {
    state_ = State::kLineStart;
  } else if (c == ':') {
    EndName();
    state_ = State::kRest;
  } else if (IsBlank(c)) {
    state_ = State::kBlankBeforeColon;
  } else if (state_ == State::kName && name_.size() < kMessageId.size()) {
    name_.push_back(LowerAscii(c));
  } else {
    state_ = State::kRest;
  }
}

void HeaderWatch::EndName() {
  if (name_ == kReceived) received_count_ += 1;
  if (name_ == kMessageId) has_message_id_ = true;
}

}  // namespace mail
