#include "mail/mime.h"

#include <algorithm>
#include <string_view>

#include "mail/ascii.h"
#include "mail/content_fields.h"

namespace mail {

// One pass over the lines of a message, with the boundaries of all open multiparts at hand. Each line is looked at
// once, and only lines that begin with "--" are compared with the boundaries: linear, at most depth_max comparisons a
// line, and those compare bytes only when the sizes are equal.
//
// The entities that are open stand on a stack of their own instead of the processor's, so that the scan can stop after
// any line and go on later.
class MimeScan::Scanner {
 public:
  Scanner(std::string_view message, const MimeLimits& limits) : message_(message), limits_(limits) {
    open_.push_back({.part = &root_});
  }

  bool Step(std::size_t bytes);
  MimePart TakeRoot() { return std::move(root_); }

 private:
  static constexpr std::size_t kEnd = static_cast<std::size_t>(-1);

  // What ended an entity: a delimiter line of an open multipart, or the end of the message.
  struct Stop {
    std::size_t level = kEnd;  // Index into boundaries_.
    bool is_closing = false;   // "--boundary--".
    std::size_t position = 0;  // Where the delimiter line begins.
    std::uint64_t lines = 0;   // Line breaks before it.
  };

  // What is read next of an entity.
  enum class Phase : std::uint8_t { kHeader, kPreamble, kParts, kRest, kEnclosed, kEnd };
  struct Entity {
    MimePart* part = nullptr;  // Its parent's last child: parents get no other while it is open.
    DefaultType default_type = DefaultType::kTextPlain;
    Phase phase = Phase::kHeader;
    bool has_begun = false;  // A line of the header was looked at.
    bool has_body = false;
    std::size_t level = 0;           // kPreamble, kParts: of its boundary.
    std::uint64_t lines_before = 0;  // Line breaks before the body.
  };

  // Does what can be done of the innermost entity without passing `limit`.
  void Advance(std::size_t limit);
  void ReadHeader(std::size_t limit);
  void EndHeader(bool has_body);
  Phase PhaseOfBody(const MimePart& part, bool has_body);
  void ReadParts();
  void Open(DefaultType default_type);
  void EndEntity();

  // Takes the next line with its line break. False: there is none, and stop_ says why.
  bool TakeLine(std::string_view& line);
  // True when stop_ was set: all lines of the entity have been skipped.
  bool SkipLines(std::size_t limit) {
    std::string_view line;
    while (position_ < limit || position_ == message_.size()) {
      if (!TakeLine(line)) return true;
    }
    return false;
  }
  bool MatchDelimiter(std::string_view line);
  void FinishBody(MimePart& part, std::uint64_t lines_before) const;

  // The end of what stop_ ended, not before `floor`: the line break before a delimiter belongs to it (RFC 2046 §5.1.1).
  std::size_t EndBeforeStop(std::size_t floor) const;
  std::string_view PeekLine() const {
    const std::size_t newline = message_.find('\n', position_);
    return message_.substr(position_, newline == std::string_view::npos ? newline : newline + 1 - position_);
  }

  std::string_view message_;
  MimeLimits limits_;
  MimePart root_;
  std::vector<Entity> open_;  // The innermost last.
  std::size_t position_ = 0;  // Where the next line begins.
  std::uint64_t lines_ = 0;   // Line breaks before position_.
  std::uint32_t parts_ = 1;
  std::vector<std::string> boundaries_;  // Outermost first.
  Stop stop_;
};

namespace {

std::string FindBoundary(const MimePart& part);
bool IsEncoded(const MimePart& part);
bool IsMessageType(const MimePart& part);

}  // namespace

MimePart ScanMime(std::string_view message, const MimeLimits& limits) {
  MimeScan scan(message, limits);
  while (scan.Step(message.size() + 1)) {
  }
  return scan.Take();
}

MimeScan::MimeScan(std::string_view message, const MimeLimits& limits)
    : scanner_(std::make_unique<Scanner>(message, limits)) {}
MimeScan::~MimeScan() = default;

bool MimeScan::Step(std::size_t bytes) {
  return scanner_->Step(bytes);
}

MimePart MimeScan::Take() {
  return scanner_->TakeRoot();
}

bool MimeScan::Scanner::Step(std::size_t bytes) {
  const std::size_t limit = position_ + std::min(bytes, message_.size() - position_);
  if (open_.empty()) return false;
  // An entity that needs no more bytes to end (there are none) ends whatever the limit.
  do Advance(limit);
  while (!open_.empty() && position_ < limit);
  return true;
}

void MimeScan::Scanner::Advance(std::size_t limit) {
  Entity& entity = open_.back();
  switch (entity.phase) {
    case Phase::kHeader:
      ReadHeader(limit);
      break;
    case Phase::kPreamble:
      if (SkipLines(limit)) entity.phase = Phase::kParts;
      break;
    case Phase::kParts:
      ReadParts();
      break;
    case Phase::kRest:
      if (SkipLines(limit)) entity.phase = Phase::kEnd;
      break;
    case Phase::kEnclosed:
      entity.phase = Phase::kEnd;
      ++parts_;
      Open(DefaultType::kTextPlain);
      break;
    case Phase::kEnd:
      EndEntity();
      break;
  }
}

void MimeScan::Scanner::ReadHeader(std::size_t limit) {
  Entity& entity = open_.back();
  MimePart& part = *entity.part;
  if (!entity.has_begun) part.header.offset = position_;
  entity.has_begun = true;
  const std::size_t start = part.header.offset;
  while (position_ < limit || position_ == message_.size()) {
    const std::size_t size = position_ - start;
    part.header.size = size;
    if (size + PeekLine().size() > limits_.header_bytes_max) return EndHeader(true);
    std::string_view line;
    if (!TakeLine(line)) {
      part.header.size = EndBeforeStop(start) - start;
      return EndHeader(false);
    }
    if (line == "\r\n" || line == "\n") {
      part.header.size = position_ - start;
      return EndHeader(true);
    }
  }
}

void MimeScan::Scanner::EndHeader(bool has_body) {
  Entity& entity = open_.back();
  MimePart& part = *entity.part;
  ReadContentFields(message_.substr(part.header.offset, part.header.size), entity.default_type, limits_, part);
  part.body.offset = part.header.offset + part.header.size;
  entity.has_body = has_body;
  entity.lines_before = lines_;
  entity.phase = PhaseOfBody(part, has_body);
  if (entity.phase == Phase::kPreamble) {
    entity.level = boundaries_.size();
    boundaries_.push_back(FindBoundary(part));
  } else if (entity.phase != Phase::kEnclosed && IsMessageType(part)) {
    // A message that is not looked into must not claim an envelope in BODYSTRUCTURE.
    part.type = "application";
    part.subtype = "octet-stream";
  }
}

MimeScan::Scanner::Phase MimeScan::Scanner::PhaseOfBody(const MimePart& part, bool has_body) {
  if (!has_body) return Phase::kEnd;
  const bool may_descend = open_.size() <= limits_.depth_max && parts_ < limits_.parts_max;
  if (!may_descend) return Phase::kRest;
  if (part.IsMultipart()) return FindBoundary(part).empty() ? Phase::kRest : Phase::kPreamble;
  return IsMessageType(part) && !IsEncoded(part) ? Phase::kEnclosed : Phase::kRest;
}

// After the preamble, and after each part.
void MimeScan::Scanner::ReadParts() {
  Entity& entity = open_.back();
  if (stop_.level == entity.level && !stop_.is_closing) {
    ++parts_;
    Open(entity.part->subtype == "digest" ? DefaultType::kMessage : DefaultType::kTextPlain);
    return;
  }
  boundaries_.pop_back();
  entity.phase = stop_.level == entity.level ? Phase::kRest : Phase::kEnd;  // The epilogue, or what ended this too.
}

void MimeScan::Scanner::Open(DefaultType default_type) {
  MimePart& child = open_.back().part->children.emplace_back();
  open_.push_back({.part = &child, .default_type = default_type});
}

void MimeScan::Scanner::EndEntity() {
  const Entity entity = open_.back();
  MimePart& part = *entity.part;
  if (part.IsMultipart() && part.children.empty()) {
    part.type = "text";
    part.subtype = "plain";
    part.parameters.clear();
  }
  if (entity.has_body) FinishBody(part, entity.lines_before);
  open_.pop_back();
}

void MimeScan::Scanner::FinishBody(MimePart& part, std::uint64_t lines_before) const {
  const std::size_t start = part.body.offset;
  // An empty part right before the delimiter of an outer multipart lies after the line break that belongs to it.
  const Range last = part.children.empty() ? part.header : part.children.back().body;
  const std::size_t end = EndBeforeStop(last.offset + last.size);
  part.body.size = end - start;
  part.body_lines = stop_.lines - lines_before;
  if (end < stop_.position) part.body_lines -= 1;
  if (end > start && message_[end - 1] != '\n') part.body_lines += 1;
}

std::size_t MimeScan::Scanner::EndBeforeStop(std::size_t floor) const {
  std::size_t end = stop_.position;
  if (stop_.level == kEnd) return end;
  if (end > floor && message_[end - 1] == '\n') {
    --end;
    if (end > floor && message_[end - 1] == '\r') --end;
  }
  return end;
}

bool MimeScan::Scanner::TakeLine(std::string_view& line) {
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
bool MimeScan::Scanner::MatchDelimiter(std::string_view line) {
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

namespace {

std::string FindBoundary(const MimePart& part) {
  const auto found = std::ranges::find(part.parameters, "boundary", &Parameters::value_type::first);
  if (found == part.parameters.end()) return {};
  std::string_view boundary = found->second;
  while (!boundary.empty() && IsSpace(boundary.back())) boundary.remove_suffix(1);
  return std::string(boundary);
}

bool IsMessageType(const MimePart& part) {
  return part.type == "message" && (part.subtype == "rfc822" || part.subtype == "global");
}

// RFC 2046 §5.2.1 forbids encoding an enclosed message; where one is encoded, its bytes are no message.
bool IsEncoded(const MimePart& part) {
  return part.transfer_encoding == "base64" || part.transfer_encoding == "quoted-printable";
}

}  // namespace
}  // namespace mail
