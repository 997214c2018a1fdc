#include "imap/server/structure_scanner.h"

#include <algorithm>

namespace imap {

void StructureScanner::Add(std::string_view piece) {
  while (!piece.empty()) {
    if (at_line_start_) {
      AddStartOfLine(piece);
      continue;
    }
    const std::size_t newline = piece.find('\n');
    const std::size_t size = newline == std::string_view::npos ? piece.size() : newline + 1;
    Emit(piece.substr(0, size));
    at_line_start_ = newline != std::string_view::npos;
    piece.remove_prefix(size);
  }
}

void StructureScanner::End() {
  Emit(lead_);
  lead_.clear();
  CloseGap();
  scan_.emplace(kept_);
}

mail::MimePart StructureScanner::Take() {
  mail::MimePart root = scan_->Take();
  MoveBack(root);
  return root;
}

void StructureScanner::AddStartOfLine(std::string_view& piece) {
  lead_.push_back(piece.front());
  piece.remove_prefix(1);
  const bool ends = lead_.back() == '\n';
  if (lead_.size() < 2 && !ends) return;
  if (lead_ == "--") {
    CloseGap();
    budget_ = std::min(limits_.part_bytes, limits_.kept_bytes_max - std::min(limits_.kept_bytes_max, kept_.size()));
  }
  Emit(lead_);
  lead_.clear();
  at_line_start_ = ends;
}

void StructureScanner::Emit(std::string_view bytes) {
  const std::size_t kept = std::min(budget_, bytes.size());
  kept_.append(bytes.substr(0, kept));
  budget_ -= kept;
  bytes.remove_prefix(kept);
  if (bytes.empty()) return;
  gap_bytes_ += bytes.size();
  gap_lines_ += static_cast<std::uint64_t>(std::ranges::count(bytes, '\n'));
  gap_tail_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes)));
  if (gap_tail_.size() > kTailBytes) gap_tail_.erase(0, gap_tail_.size() - kTailBytes);
}

// The line break before a delimiter belongs to the delimiter (RFC 2046 §5.1.1), and whether a body ends with a whole
// line counts too: so the last bytes of what is left out are kept, and the scanner sees the same end as in the whole
// message. Three are enough for that, and too few to look like a delimiter.
void StructureScanner::CloseGap() {
  if (gap_bytes_ == 0) return;
  const Gap before = gaps_.empty() ? Gap() : gaps_.back();
  const auto tail_lines = static_cast<std::uint64_t>(std::ranges::count(gap_tail_, '\n'));
  gaps_.push_back({.at = kept_.size(),
                   .bytes = before.bytes + gap_bytes_ - gap_tail_.size(),
                   .lines = before.lines + gap_lines_ - tail_lines});
  kept_.append(gap_tail_);
  gap_bytes_ = 0;
  gap_lines_ = 0;
  gap_tail_.clear();
}

void StructureScanner::MoveBack(mail::MimePart& part) const {
  part.body_lines +=
      LeftOutBefore(part.body.offset + part.body.size, true).lines - LeftOutBefore(part.body.offset, false).lines;
  part.header = MoveBack(part.header);
  part.body = MoveBack(part.body);
  for (mail::MimePart& child : part.children) MoveBack(child);
}

mail::Range StructureScanner::MoveBack(mail::Range range) const {
  const std::uint64_t begin = range.offset + LeftOutBefore(range.offset, false).bytes;
  const std::uint64_t end = range.offset + range.size + LeftOutBefore(range.offset + range.size, true).bytes;
  return {.offset = begin, .size = end - begin};
}

StructureScanner::Gap StructureScanner::LeftOutBefore(std::uint64_t at, bool inclusive) const {
  const auto after =
      inclusive ? std::ranges::upper_bound(gaps_, at, {}, &Gap::at) : std::ranges::lower_bound(gaps_, at, {}, &Gap::at);
  return after == gaps_.begin() ? Gap() : *std::prev(after);
}

}  // namespace imap
