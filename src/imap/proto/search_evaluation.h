// Whether a message matches a SEARCH, asking for no more of the message than the answer needs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "imap/proto/flags.h"
#include "imap/proto/search_key.h"

namespace imap {

// Resolves the sets of a key, once before its first use: "*" is the last message's number and UID.
void ResolveSets(SearchKey& key, std::uint32_t last_sequence, std::uint32_t last_uid);

// What a search may ask of a header.
struct HeaderFacts {
  // By SearchKey::text_index of the header keys: whether some field of the key's name holds its text, in any case,
  // encoded words decoded. An empty text asks whether there is such a field at all.
  std::vector<bool> found;
  std::optional<std::chrono::sys_days> sent_on;  // The day of the Date field as written there, without its zone.
};

// One message, as far as it has been read. Borrows everything for the time of the call.
struct MessageFacts {
  std::uint32_t sequence = 0;
  std::uint32_t uid = 0;
  const FlagSet* flags = nullptr;  // Never null.
  bool recent = false;
  std::chrono::sys_seconds internal_date{};
  std::uint64_t size_bytes = 0;
  std::uint64_t modseq = 0;
  const HeaderFacts* header = nullptr;             // Null: not read yet.
  const std::vector<bool>* texts_found = nullptr;  // By SearchKey::text_index. Null: the content was not searched yet.
};

enum class Match {
  kNo,
  kYes,
  kNeedsHeader,   // Not decided by what was given: call again with the header.
  kNeedsContent,  // Call again with texts_found too.
};

// The cheap keys of an AND or OR decide first wherever they stand, so a body is read only when nothing else decides.
Match Matches(const SearchKey& key, const MessageFacts& message);

// Whether MODSEQ is asked for anywhere: the answer tells the greatest one then.
bool AsksModseq(const SearchKey& key);

// The texts to be looked for in the content, by text_index.
struct ContentText {
  std::string_view text;   // Borrowed from the key.
  bool in_header = false;  // TEXT looks into the header too.
};
std::vector<ContentText> ContentTexts(const SearchKey& key);

// The texts to be looked for in header fields, by text_index.
struct HeaderText {
  std::string_view field;  // Borrowed from the key, as the text.
  std::string_view text;
};
std::vector<HeaderText> HeaderTexts(const SearchKey& key);

}  // namespace imap
