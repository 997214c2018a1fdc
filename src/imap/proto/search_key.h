// The expression of a SEARCH (RFC 3501 §6.4.4) as a tree.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "imap/proto/sequence_set.h"

namespace imap {

// A node. Which fields count is said beside the kind.
struct SearchKey {
  enum class Kind {
    kAnd,       // children; none at all is ALL.
    kOr,        // two children.
    kNot,       // one child.
    kSequence,  // set, message sequence numbers.
    kUid,       // set.
    kFlag,      // flag: one bit of SystemFlag.
    kKeyword,   // text.
    kRecent,
    kBefore,  // date: the internal date, without regard to time and zone. Likewise the next two.
    kOn,
    kSince,
    kSentBefore,  // date: the Date field. Likewise the next two.
    kSentOn,
    kSentSince,
    kLarger,   // number.
    kSmaller,  // number.
    kHeader,   // field, text: the field holds the text; any field of that name when the text is empty.
    kBody,     // text.
    kText,     // text: in the header or the body.
    kModseq,   // modseq: changed since then, or at it (RFC 7162 §3.1.5).
  };
  Kind kind = Kind::kAnd;
  std::vector<SearchKey> children{};
  SequenceSet set{};
  std::vector<NumberRange> ranges{};  // Of `set`, filled by ResolveSets() when the command runs.
  std::uint8_t flag = 0;
  std::uint32_t number = 0;
  std::uint64_t modseq = 0;
  std::chrono::sys_days date{};
  std::string field{};
  std::string text{};  // UTF-8.
  // kBody, kText: which of the command's texts this is, from 0 in the order of the command. kHeader: likewise of its
  // header keys.
  std::size_t text_index = 0;
};

}  // namespace imap
