// What a FETCH asks for (RFC 3501 §6.4.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mail/section.h"

namespace imap {

enum class FetchField { kBody, kBodyStructure, kEnvelope, kFlags, kInternalDate, kRfc822Size, kUid, kModseq };

// BODY[...], BODY.PEEK[...] and the three old names that mean the same.
struct FetchSection {
  struct Partial {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;  // Not 0.
  };

  mail::Section section{};
  bool peek = false;  // Does not set \Seen.
  std::optional<Partial> partial{};
  std::string label{};  // The item's name in the response when it is not made of the rest: "RFC822.HEADER".
};

using FetchItem = std::variant<FetchField, FetchSection>;

// "BODY[1.HEADER.FIELDS (To From)]<0>", as the response names the section; the origin octet only for a partial.
std::string SectionLabel(const FetchSection& item);

}  // namespace imap
