#include "transfer/imap_reader.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "imap/proto/date_time.h"

namespace transfer {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kTokensMax = 1'000'000;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), Lower);
  return out;
}

template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The size that a line's end announces, "{123}" or "{123+}"; empty: none.
std::optional<std::uint64_t> LiteralAt(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t open = line.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(open + 1, line.size() - open - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  return ParseNumber<std::uint64_t>(digits);
}

// The position behind the token that begins at `open`.
std::size_t EndOfList(const ImapResponse& response, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t at = open; at < response.tokens.size(); ++at) {
    if (response.tokens[at].kind == ImapToken::Kind::kOpen) depth += 1;
    if (response.tokens[at].kind == ImapToken::Kind::kClose && depth > 0) depth -= 1;
    if (depth == 0) return at + 1;
  }
  return response.tokens.size();
}

std::vector<std::string> FlagsBetween(const ImapResponse& response, std::size_t open, std::size_t end) {
  std::vector<std::string> flags;
  for (std::size_t at = open + 1; at + 1 < end; ++at) {
    const ImapToken& token = response.tokens[at];
    if (token.kind != ImapToken::Kind::kAtom || LowerCase(token.text) == "\\recent") continue;
    std::string flag = token.text;
    // As they are written here, however they were written there.
    for (const char* known : {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}) {
      if (LowerCase(flag) == LowerCase(known)) flag = known;
    }
    if (std::ranges::find(flags, flag) == flags.end()) flags.push_back(std::move(flag));
  }
  return flags;
}

// One item of a FETCH response and its value.
void TakeItem(ImapResponse& response, std::size_t at, std::size_t value, std::size_t end, ImapFetched* fetched) {
  const std::string name = LowerCase(response.tokens[at].text);
  std::string& text = response.tokens[value].text;
  if (name == "uid") {
    fetched->uid = ParseNumber<std::uint32_t>(text).value_or(0);
  } else if (name == "rfc822.size") {
    fetched->size_bytes = ParseNumber<std::uint64_t>(text).value_or(0);
  } else if (name == "flags") {
    fetched->flags = FlagsBetween(response, value, end);
  } else if (name == "internaldate") {
    const auto date = imap::ParseDateTime(text);
    if (date.has_value()) fetched->date_us = std::chrono::microseconds(date->time_since_epoch()).count();
  } else if (name == "body[]" && response.tokens[value].kind == ImapToken::Kind::kString) {
    fetched->body = std::move(text);
  }
}

}  // namespace

bool ImapResponse::IsAtom(std::size_t at, std::string_view text) const {
  return at < tokens.size() && tokens[at].kind == ImapToken::Kind::kAtom &&
         LowerCase(tokens[at].text) == LowerCase(text);
}

Result<std::optional<ImapResponse>> ImapReader::Next() {
  for (;;) {
    ASSIGN_OR_RETURN(const bool is_taken, TakePart());
    if (!is_taken) return std::optional<ImapResponse>();
    if (in_literal_) continue;
    line_bytes_ = 0;
    response_bytes_ = 0;
    ImapResponse whole = std::exchange(response_, {});
    if (!whole.tokens.empty() && whole.tokens.front().kind == ImapToken::Kind::kAtom) {
      whole.tag = std::move(whole.tokens.front().text);
      whole.tokens.erase(whole.tokens.begin());
    }
    return std::optional(std::move(whole));
  }
}

// A literal, or a line up to its end or to the literal that it announces. False: more bytes are needed.
Result<bool> ImapReader::TakePart() {
  if (in_literal_) {
    if (buffer_.size() < literal_bytes_) return false;
    response_.tokens.push_back({ImapToken::Kind::kString, buffer_.substr(0, literal_bytes_)});
    buffer_.erase(0, literal_bytes_);
    in_literal_ = false;
    scanned_ = 0;
    // The line goes on behind it.
    return TakePart();
  }
  const std::size_t end = buffer_.find("\r\n", scanned_);
  if (line_bytes_ + std::min(end, buffer_.size()) > options_.line_bytes_max) {
    return Error(Errc::kInvalid, "the server sent a response that is too long");
  }
  if (end == std::string::npos) {
    scanned_ = buffer_.size() - (buffer_.ends_with('\r') ? 1 : 0);
    return false;
  }
  std::string_view line(buffer_.data(), end);
  line_bytes_ += line.size();
  if (const auto size = LiteralAt(line); size.has_value()) {
    // All literals of a response together.
    response_bytes_ += *size;
    if (*size > options_.literal_bytes_max || response_bytes_ > options_.literal_bytes_max) {
      return Error(Errc::kInvalid, fmt::format("the server sent {} bytes at once, more than can be imported", *size));
    }
    literal_bytes_ = *size;
    in_literal_ = true;
    line = line.substr(0, line.rfind('{'));
  }
  RETURN_IF_ERROR(Tokenize(line));
  response_.line += line;
  buffer_.erase(0, end + 2);
  scanned_ = 0;
  return true;
}

Result<> ImapReader::Tokenize(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size()) {
    if (response_.tokens.size() >= kTokensMax)
      return Error(Errc::kInvalid, "the server sent a response that is too long");
    const char c = line[at];
    ImapToken token;
    if (c == ' ') {
      at += 1;
      continue;
    }
    if (c == '(' || c == ')') {
      token.kind = c == '(' ? ImapToken::Kind::kOpen : ImapToken::Kind::kClose;
      at += 1;
    } else if (c == '"') {
      token.kind = ImapToken::Kind::kString;
      for (at += 1; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) at += 1;
        token.text.push_back(line[at]);
      }
      at += 1;  // A quote that is missing is that of a text for people.
    } else {
      const std::size_t end = std::min(line.find_first_of(" ()\"", at), line.size());
      token.text = line.substr(at, end - at);
      at = end;
    }
    response_.tokens.push_back(std::move(token));
  }
  return {};
}

std::optional<ImapFetched> ParseFetch(ImapResponse& response) {
  if (response.tag != "*" || !response.IsAtom(1, "FETCH") || response.tokens.size() < 4 ||
      response.tokens[2].kind != ImapToken::Kind::kOpen) {
    return std::nullopt;
  }
  ImapFetched fetched;
  std::size_t at = 3;
  while (at + 1 < response.tokens.size() && response.tokens[at].kind == ImapToken::Kind::kAtom) {
    const std::size_t end = EndOfList(response, at + 1);
    TakeItem(response, at, at + 1, end, &fetched);
    at = end;
  }
  if (fetched.uid == 0) return std::nullopt;
  return fetched;
}

std::optional<ImapListed> ParseList(const ImapResponse& response, std::string_view command) {
  if (response.tag != "*" || !response.IsAtom(0, command) || response.tokens.size() < 2) return std::nullopt;
  const std::size_t end = EndOfList(response, 1);
  if (response.tokens[1].kind != ImapToken::Kind::kOpen || end + 1 >= response.tokens.size()) return std::nullopt;
  ImapListed listed;
  for (const std::string& attribute : FlagsBetween(response, 1, end)) listed.attributes.push_back(LowerCase(attribute));
  const ImapToken& separator = response.tokens[end];
  if (separator.kind == ImapToken::Kind::kString && separator.text.size() == 1) listed.separator = separator.text[0];
  const ImapToken& name = response.tokens[end + 1];
  if (name.kind == ImapToken::Kind::kString || name.kind == ImapToken::Kind::kAtom) listed.name = name.text;
  if (listed.name.empty()) return std::nullopt;
  return listed;
}

std::optional<std::string> QuoteImap(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == '\0' || (c & 0x80) != 0) return std::nullopt;
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace transfer
