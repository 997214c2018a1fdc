// StructureScanner: the MIME structure of a message that is too large to be held in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/mime.h"

namespace imap {

struct StructureScannerLimits {
  std::size_t head_bytes = (1u << 20) + (64u << 10);  // Kept from the beginning: the longest header and more.
  std::size_t part_bytes = 64u << 10;                 // Kept after each line that begins with "--".
  std::size_t kept_bytes_max = 16u << 20;             // In all; past it everything counts as the last part's body.
};

// Takes the message piece by piece and keeps only what can matter for its structure: the beginning, and what follows a
// line that may be a delimiter. The rest, the inside of large bodies, is only measured. mail::ScanMime then sees a
// short message, and its offsets and line counts are moved back to where they belong.
//
// The result equals that of ScanMime on the whole message unless a part's headers are longer than `part_bytes`, or the
// message has more parts than fit into `kept_bytes_max`. Memory: kept_bytes_max at most.
class StructureScanner {
 public:
  explicit StructureScanner(const StructureScannerLimits& limits = {}) : limits_(limits), budget_(limits.head_bytes) {}

  void Add(std::string_view piece);
  // Once, after the last piece: then Step() until it says false, as of mail::MimeScan, and then Take().
  void End();
  bool Step(std::size_t bytes) { return scan_->Step(bytes); }
  mail::MimePart Take();

 private:
  // What was left out before `at` (an offset into kept_), with all gaps before this one counted in.
  struct Gap {
    std::uint64_t at = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
  };

  static constexpr std::size_t kTailBytes = 3;

  void AddStartOfLine(std::string_view& piece);
  void Emit(std::string_view bytes);
  void CloseGap();
  void MoveBack(mail::MimePart& part) const;
  mail::Range MoveBack(mail::Range range) const;
  // How much was left out up to `at`; `inclusive`: a gap at `at` itself counts.
  Gap LeftOutBefore(std::uint64_t at, bool inclusive) const;

  StructureScannerLimits limits_;
  std::size_t budget_;  // How much may still be kept before the next delimiter.
  std::string lead_;    // The first two bytes of a line while it is not known whether they are "--".
  bool at_line_start_ = true;
  std::string kept_;
  std::vector<Gap> gaps_;
  std::uint64_t gap_bytes_ = 0;  // Of the open gap.
  std::uint64_t gap_lines_ = 0;
  std::string gap_tail_;                // Its last bytes.
  std::optional<mail::MimeScan> scan_;  // Since End(), of kept_.
};

}  // namespace imap
