#include "imap/proto/command_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/check.h"
#include "imap/proto/flags.h"
#include "imap/proto/lexer.h"

namespace imap {
namespace {

constexpr std::size_t kTagBytesMax = 256;
constexpr std::size_t kMarkBytesMax = 32;  // "{", 20 digits, "+}" and a CR fit.

}  // namespace

std::string TagOf(std::string_view command) {
  const std::string_view tag = command.substr(0, command.find(' '));
  const bool readable = !tag.empty() && tag.size() <= kTagBytesMax && std::ranges::all_of(tag, IsTagChar);
  return readable ? std::string(tag) : "*";
}

ReadEvent CommandReader::Next(std::string_view& input) {
  while (!input.empty() || (state_ == State::kAppendData && remaining_ == 0) ||
         (state_ == State::kLiteral && remaining_ == 0)) {
    ReadEvent event = NeedBytes{};
    switch (state_) {
      case State::kLine:
        event = ReadLine(input);
        break;
      case State::kLiteral:
        event = ReadLiteral(input);
        break;
      case State::kAppendData:
      case State::kAppendTail:
        event = PassAppend(input);
        break;
      case State::kDiscardLine:
        event = DiscardLine(input);
        break;
      case State::kDiscardLiteral:
        event = DiscardLiteral(input);
        break;
      case State::kAppendDecision:
        CHECK(state_ != State::kAppendDecision);
        break;
      case State::kClosed:
        input = {};
        break;
    }
    if (!std::holds_alternative<NeedBytes>(event)) return event;
  }
  return NeedBytes{};
}

void CommandReader::AcceptAppend() {
  CHECK(state_ == State::kAppendDecision);
  state_ = State::kAppendData;
  text_.clear();
  drop_append_ = false;
  append_announced_ = true;
  append_tail_empty_ = true;
}

void CommandReader::RefuseAppend() {
  CHECK(state_ == State::kAppendDecision);
  if (append_synchronising_) {
    Reset();
    return;
  }
  state_ = State::kAppendData;
  text_.clear();
  drop_append_ = true;
  append_announced_ = false;
}

ReadEvent CommandReader::ReadLine(std::string_view& input) {
  const std::size_t newline = input.find('\n');
  const bool ends = newline != std::string_view::npos;
  const std::string_view piece = input.substr(0, ends ? newline : input.size());
  const std::size_t line_bytes = text_.size() - literal_total_bytes_ + piece.size();
  // The CR that may stand before the LF is not counted against the client.
  if (line_bytes > limits_.line_bytes_max + 1 || text_.size() + piece.size() > limits_.command_bytes_max + 1) {
    text_.append(piece.substr(0, kTagBytesMax + 1));  // The tag may stand in this very piece.
    StartDiscard(fmt::format("a command line may have at most {} bytes", limits_.line_bytes_max));
    return NeedBytes{};
  }
  text_.append(piece);
  input.remove_prefix(piece.size() + (ends ? 1 : 0));
  if (!ends) return NeedBytes{};
  if (text_.size() > line_start_ && text_.back() == '\r') text_.pop_back();
  return EndOfLine();
}

ReadEvent CommandReader::EndOfLine() {
  if (expect_line_) {
    LineReady line{std::move(text_)};
    Reset();
    return line;
  }
  LiteralMark mark;
  if (FindLiteralMark(std::string_view(text_).substr(line_start_), &mark)) return BeginLiteral(mark);
  if (text_.empty()) return NeedBytes{};  // An empty line between commands is harmless.
  CommandReady command{std::move(text_)};
  Reset();
  return command;
}

ReadEvent CommandReader::BeginLiteral(const LiteralMark& mark) {
  refused_tag_ = TagOf(text_);
  if (mark.overflow) {
    if (!mark.synchronising) return Close("the literal is too large to be skipped");
    refused_text_ = "the size of the literal is no sensible number";
    return FinishRefused();
  }
  text_.resize(text_.size() - mark.mark_bytes);
  if (IsAppendMessage()) {
    state_ = State::kAppendDecision;
    remaining_ = mark.size;
    append_synchronising_ = mark.synchronising;
    return AppendBegins{text_, mark.size, mark.synchronising};
  }
  const std::string marker = fmt::format("{{{}}}\r\n", mark.size);
  if (mark.size > limits_.literal_bytes_max || text_.size() + marker.size() + mark.size > limits_.command_bytes_max) {
    std::string text = fmt::format("a literal may have at most {} bytes and a command {} bytes",
                                   limits_.literal_bytes_max, limits_.command_bytes_max);
    if (mark.synchronising) {
      refused_text_ = std::move(text);
      return FinishRefused();
    }
    StartDiscard(std::move(text));
    remaining_ = mark.size;
    state_ = State::kDiscardLiteral;
    return NeedBytes{};
  }
  text_.append(marker);
  literal_total_bytes_ += marker.size() + mark.size;
  remaining_ = mark.size;
  state_ = State::kLiteral;
  if (mark.synchronising) return SendContinuation{};
  return NeedBytes{};
}

ReadEvent CommandReader::ReadLiteral(std::string_view& input) {
  const std::size_t size = std::min<std::uint64_t>(remaining_, input.size());
  text_.append(input.substr(0, size));
  input.remove_prefix(size);
  remaining_ -= size;
  if (remaining_ == 0) {
    state_ = State::kLine;
    line_start_ = text_.size();
  }
  return NeedBytes{};
}

ReadEvent CommandReader::PassAppend(std::string_view& input) {
  if (state_ == State::kAppendData) {
    const std::size_t size = std::min<std::uint64_t>(remaining_, input.size());
    const std::string_view bytes = input.substr(0, size);
    input.remove_prefix(size);
    remaining_ -= size;
    if (remaining_ == 0) state_ = State::kAppendTail;
    if (!drop_append_) {
      if (!bytes.empty()) return AppendBytes{bytes};
    } else if (!SpendDiscard(size)) {
      return Close("the refused message is too large to be skipped");
    }
    return NeedBytes{};
  }
  return PassAppendTail(input);
}

// After the message the command has to end. If it goes on, it is followed through its literals to its end.
ReadEvent CommandReader::PassAppendTail(std::string_view& input) {
  const std::size_t newline = input.find('\n');
  const bool ends = newline != std::string_view::npos;
  const std::string_view tail = input.substr(0, ends ? newline : input.size());
  input.remove_prefix(tail.size() + (ends ? 1 : 0));
  if (!SpendDiscard(tail.size())) return Close("the command is too long to be skipped");
  if (std::ranges::any_of(tail, [](char c) { return c != '\r' && c != ' '; })) append_tail_empty_ = false;
  KeepEndOfLine(tail);
  if (!ends) return NeedBytes{};
  if (text_.ends_with('\r')) text_.pop_back();
  LiteralMark mark;
  if (FindLiteralMark(text_, &mark) && !mark.synchronising) {
    if (mark.overflow) return Close("the literal is too large to be skipped");
    remaining_ = mark.size;
    state_ = State::kAppendData;
    drop_append_ = true;
    text_.clear();
    return NeedBytes{};
  }
  const bool announced = append_announced_;
  const AppendEnds end{append_tail_empty_};
  Reset();
  if (announced) return end;
  return NeedBytes{};
}

void CommandReader::StartDiscard(std::string text) {
  const bool has_tag = !expect_line_ && text_.find(' ') != std::string::npos;
  refused_tag_ = has_tag ? TagOf(text_) : "*";
  refused_text_ = std::move(text);
  // The end of the line may already hold half of a literal's mark.
  text_.erase(0, std::max(line_start_, text_.size() - std::min(text_.size(), kMarkBytesMax)));
  state_ = State::kDiscardLine;
}

ReadEvent CommandReader::DiscardLine(std::string_view& input) {
  const std::size_t newline = input.find('\n');
  const bool ends = newline != std::string_view::npos;
  const std::string_view piece = input.substr(0, ends ? newline : input.size());
  KeepEndOfLine(piece);
  input.remove_prefix(piece.size() + (ends ? 1 : 0));
  if (!SpendDiscard(piece.size())) return Close("the command is too long to be skipped");
  if (!ends) return NeedBytes{};
  if (text_.ends_with('\r')) text_.pop_back();
  return EndOfDiscardedLine();
}

// text_ is the end of a line that is skipped: as much as a literal's mark needs.
void CommandReader::KeepEndOfLine(std::string_view piece) {
  text_.append(piece.substr(piece.size() - std::min(piece.size(), kMarkBytesMax)));
  if (text_.size() > kMarkBytesMax) text_.erase(0, text_.size() - kMarkBytesMax);
}

ReadEvent CommandReader::EndOfDiscardedLine() {
  LiteralMark mark;
  if (expect_line_ || !FindLiteralMark(text_, &mark)) return FinishRefused();
  // A client that waits for "+ " takes the BAD for it and starts its next command.
  if (mark.synchronising) return FinishRefused();
  if (mark.overflow) return Close("the literal is too large to be skipped");
  text_.clear();
  remaining_ = mark.size;
  state_ = mark.size == 0 ? State::kDiscardLine : State::kDiscardLiteral;
  return NeedBytes{};
}

ReadEvent CommandReader::DiscardLiteral(std::string_view& input) {
  const std::size_t size = std::min<std::uint64_t>(remaining_, input.size());
  input.remove_prefix(size);
  remaining_ -= size;
  if (!SpendDiscard(size)) return Close("the literal is too large to be skipped");
  if (remaining_ == 0) state_ = State::kDiscardLine;
  return NeedBytes{};
}

bool CommandReader::SpendDiscard(std::size_t bytes) {
  discarded_ += bytes;
  return discarded_ <= limits_.discard_bytes_max;
}

ReadEvent CommandReader::Close(std::string text) {
  Refused refused{refused_tag_.empty() ? "*" : refused_tag_, std::move(text), true};
  Reset();
  state_ = State::kClosed;
  return refused;
}

ReadEvent CommandReader::FinishRefused() {
  Refused refused{std::move(refused_tag_), std::move(refused_text_), false};
  Reset();
  return refused;
}

// "{5}" or "{5+}" at the end of the line.
bool CommandReader::FindLiteralMark(std::string_view line, LiteralMark* mark) {
  if (!line.ends_with('}')) return false;
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return false;
  mark->mark_bytes = line.size() - open;
  std::string_view digits = line.substr(open + 1, mark->mark_bytes - 2);
  mark->synchronising = !digits.ends_with('+');
  if (!mark->synchronising) digits.remove_suffix(1);
  const bool all_digits = std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  if (digits.empty() || !all_digits) return false;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), mark->size);
  mark->overflow = ec != std::errc();
  return true;
}

// text_ ends before a literal: it is the message of an APPEND unless it stands where the mailbox name stands.
bool CommandReader::IsAppendMessage() const {
  const std::string_view text = text_;
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  constexpr std::string_view kAppend = "APPEND ";
  const std::string_view rest = text.substr(space + 1);
  return rest.size() > kAppend.size() && EqualsIgnoreCase(rest.substr(0, kAppend.size()), kAppend);
}

void CommandReader::Reset() {
  state_ = State::kLine;
  expect_line_ = false;
  drop_append_ = false;
  append_announced_ = false;
  append_tail_empty_ = true;
  text_.clear();
  literal_total_bytes_ = 0;
  line_start_ = 0;
  remaining_ = 0;
  discarded_ = 0;
  refused_tag_.clear();
  refused_text_.clear();
}

}  // namespace imap
