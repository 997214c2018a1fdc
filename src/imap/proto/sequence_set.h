// Sets of message numbers: "1,3:5,9:*" (RFC 3501 §9 sequence-set), and UID sets as responses print them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace imap {

// first <= last.
struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

// A set as the client wrote it: a value. What "*" means is known only when the command runs.
class SequenceSet {
 public:
  // Errors: kInvalid (not a set, the number 0, more than `ranges_max` ranges).
  static base::Result<SequenceSet> Parse(std::string_view text, std::size_t ranges_max);

  // The numbers as ascending ranges that neither touch nor overlap. "*" is `largest`, the greatest number in use, and a
  // range may be written either way round, so "9:*" names message 5 when 5 is the last (RFC 3501 §6.4.8). With
  // `largest` 0 (an empty mailbox) whatever has a "*" is left out.
  std::vector<NumberRange> Resolve(std::uint32_t largest) const;

 private:
  static constexpr std::uint32_t kStar = 0;
  struct Item {
    std::uint32_t from = kStar;
    std::uint32_t to = kStar;
  };
  std::vector<Item> items_;
};

// Whether `ranges`, as Resolve() returns them, hold `number`.
bool Contains(std::span<const NumberRange> ranges, std::uint32_t number);

// "4:7,9": the numbers in their order, runs that ascend by one joined (RFC 4315 §4 uid-set); empty for none.
// The order matters for COPYUID, whose two sides correspond by position.
std::string FormatNumbers(std::span<const std::uint32_t> numbers);

}  // namespace imap
