#include "mail/mime.h"

#include <algorithm>
#include <string_view>

#include "mail/ascii.h"
#include "mail/content_fields.h"

namespace mail {
namespace {

// One pass over the lines of a message, with the boundaries of all open multiparts at hand. Each line is looked at
// once, and only lines that begin with "--" are compared with the boundaries: linear, at most depth_max comparisons a
// line, and those compare bytes only when the sizes are equal.
class Scanner {
 public:
  Scanner(std::string_view message, const MimeLimits& limits) : message_(message), limits_(limits) {}

  void ScanEntity(MimePart& part, std::uint32_t depth, DefaultType default_type);

 private:
  static constexpr std::size_t kEnd = static_cast<std::size_t>(-1);

  // What ended an entity: a delimiter line of an open multipart, or the end of the message.
  struct Stop {
    std::size_t level = kEnd;  // Index into boundaries_.
    bool is_closing = false;   // "--boundary--".
    std::size_t position = 0;  // Where the delimiter line begins.
    std::uint64_t lines = 0;   // Line breaks before it.
  };

  // Takes the next line with its line break. False: there is none, and stop_ says why.
  bool TakeLine(std::string_view& line);
  void SkipLines() {
    std::string_view line;
    while (TakeLine(line)) {
    }
  }
  bool MatchDelimiter(std::string_view line);

  // Returns whether a body follows; else stop_ says what came instead.
  bool ScanHeader(MimePart& part);
  void ScanMultipart(MimePart& part, std::string boundary, std::uint32_t depth);
  void ScanEnclosed(MimePart& part, std::uint32_t depth);
  void FinishBody(MimePart& part, std::uint64_t lines_before) const;

  // The end of what stop_ ended, not before `floor`: the line break before a delimiter belongs to it (RFC 2046 §5.1.1).
  std::size_t EndBeforeStop(std::size_t floor) const;
  std::string_view PeekLine() const {
    const std::size_t newline = message_.find('\n', position_);
    return message_.substr(position_, newline == std::string_view::npos ? newline : newline + 1 - position_);
  }

  std::string_view message_;
  const MimeLimits& limits_;
  std::size_t position_ = 0;  // Where the next line begins.
  std::uint64_t lines_ = 0;   // Line breaks before position_.
  std::uint32_t parts_ = 1;
  std::vector<std::string> boundaries_;  // Outermost first.
  Stop stop_;
};

std::string FindBoundary(const MimePart& part);
bool IsEncoded(const MimePart& part);

}  // namespace

MimePart ScanMime(std::string_view message, const MimeLimits& limits) {
  MimePart root;
  Scanner(message, limits).ScanEntity(root, 0, DefaultType::kTextPlain);
  return root;
}

namespace {

void Scanner::ScanEntity(MimePart& part, std::uint32_t depth, DefaultType default_type) {
  const bool has_body = ScanHeader(part);
  ReadContentFields(message_.substr(part.header.offset, part.header.size), default_type, limits_, part);
  part.body.offset = part.header.offset + part.header.size;
  const std::uint64_t lines_before = lines_;
  const bool is_message = part.type == "message" && (part.subtype == "rfc822" || part.subtype == "global");
  const bool may_descend = depth < limits_.depth_max && parts_ < limits_.parts_max;
  if (part.IsMultipart()) {
    std::string boundary = has_body && may_descend ? FindBoundary(part) : std::string();
    if (!boundary.empty()) {
      ScanMultipart(part, std::move(boundary), depth);
    } else if (has_body) {
      SkipLines();
    }
    if (part.children.empty()) {
      part.type = "text";
      part.subtype = "plain";
      part.parameters.clear();
    }
  } else if (is_message && has_body && may_descend && !IsEncoded(part)) {
    ScanEnclosed(part, depth);
  } else {
    // A message that is not looked into must not claim an envelope in BODYSTRUCTURE.
    if (is_message) {
      part.type = "application";
      part.subtype = "octet-stream";
    }
    if (has_body) SkipLines();
  }
  if (has_body) FinishBody(part, lines_before);
}

bool Scanner::ScanHeader(MimePart& part) {
  const std::size_t start = position_;
  part.header.offset = start;
  for (;;) {
    const std::size_t size = position_ - start;
    part.header.size = size;
    if (size + PeekLine().size() > limits_.header_bytes_max) return true;
    std::string_view line;
    if (!TakeLine(line)) {
      part.header.size = EndBeforeStop(start) - start;
      return false;
    }
    if (line == "\r\n" || line == "\n") {
      part.header.size = position_ - start;
      return true;
    }
  }
}

void Scanner::ScanMultipart(MimePart& part, std::string boundary, std::uint32_t depth) {
  const std::size_t level = boundaries_.size();
  boundaries_.push_back(std::move(boundary));
  const DefaultType default_type = part.subtype == "digest" ? DefaultType::kMessage : DefaultType::kTextPlain;
  SkipLines();  // The preamble.
  while (stop_.level == level && !stop_.is_closing) {
    ++parts_;
    ScanEntity(part.children.emplace_back(), depth + 1, default_type);
  }
  boundaries_.pop_back();
  if (stop_.level == level) SkipLines();  // The epilogue.
}

void Scanner::ScanEnclosed(MimePart& part, std::uint32_t depth) {
  ++parts_;
  ScanEntity(part.children.emplace_back(), depth + 1, DefaultType::kTextPlain);
}

void Scanner::FinishBody(MimePart& part, std::uint64_t lines_before) const {
  const std::size_t start = part.body.offset;
  // An empty part right before the delimiter of an outer multipart lies after the line break that belongs to it.
  const Range last = part.children.empty() ? part.header : part.children.back().body;
  const std::size_t end = EndBeforeStop(last.offset + last.size);
  part.body.size = end - start;
  part.body_lines = stop_.lines - lines_before;
  if (end < stop_.position) part.body_lines -= 1;
  if (end > start && message_[end - 1] != '\n') part.body_lines += 1;
}

std::size_t Scanner::EndBeforeStop(std::size_t floor) const {
  std::size_t end = stop_.position;
  if (stop_.level == kEnd) return end;
  if (end > floor && message_[end - 1] == '\n') {
    --end;
    if (end > floor && message_[end - 1] == '\r') --end;
  }
  return end;
}

bool Scanner::TakeLine(std::string_view& line) {
  line = PeekLine();
  if (line.empty()) {
    stop_ = {.level = kEnd, .is_closing = false, .position = position_, .lines = lines_};
    return false;
  }
  // Past parts_max no delimiter is one any more, so that the rest is one part's body.
  const bool is_delimiter = line.starts_with("--") && parts_ < limits_.parts_max && MatchDelimiter(line);
  position_ += line.size();
  if (line.ends_with('\n')) ++lines_;
  return !is_delimiter;
}

// RFC 2046 §5.1.1, with white space after the boundary as transport padding. Other bytes after it make it another
// boundary: nested multiparts whose boundaries begin alike are common, rubbish after a boundary is not.
bool Scanner::MatchDelimiter(std::string_view line) {
  std::string_view text = line.substr(2);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  for (std::size_t level = boundaries_.size(); level-- > 0;) {
    const std::string_view boundary = boundaries_[level];
    const bool is_closing = text.size() == boundary.size() + 2 && text.ends_with("--") && text.starts_with(boundary);
    if (is_closing || text == boundary) {
      stop_ = {.level = level, .is_closing = is_closing, .position = position_, .lines = lines_};
      return true;
    }
  }
  return false;
}

std::string FindBoundary(const MimePart& part) {
  const auto found = std::ranges::find(part.parameters, "boundary", &Parameters::value_type::first);
  if (found == part.parameters.end()) return {};
  std::string_view boundary = found->second;
  while (!boundary.empty() && IsSpace(boundary.back())) boundary.remove_suffix(1);
  return std::string(boundary);
}

// RFC 2046 §5.2.1 forbids encoding an enclosed message; where one is encoded, its bytes are no message.
bool IsEncoded(const MimePart& part) {
  return part.transfer_encoding == "base64" || part.transfer_encoding == "quoted-printable";
}

}  // namespace
}  // namespace mail
