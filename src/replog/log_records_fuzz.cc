// What the log keeps in MFFS records, and the epochs' file, as bytes from anywhere. The first byte chooses the type,
// the second, for records that have a head and a body, how long the head is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "replog/format.h"
#include "replog/local_coordinator.h"

namespace {

struct Record {
  std::string_view head;
  std::string_view body;
};

Record Split(std::string_view text) {
  const std::size_t head =
      text.empty() ? 0 : std::min<std::size_t>(static_cast<std::uint8_t>(text[0]), text.size() - 1);
  if (text.empty()) return {};
  return {text.substr(1, head), text.substr(1 + head)};
}

// What decodes must encode to something that decodes to the same.
void TryEntryHead(std::string_view text) {
  const auto head = replog::EntryHead::Decode(text);
  if (!head.has_value()) return;
  std::string again;
  head->EncodeTo(again);
  const auto twice = replog::EntryHead::Decode(again);
  CHECK(twice.has_value());
  CHECK(twice->meta == head->meta && twice->Checksum(twice->meta) == head->Checksum(head->meta));
}

void TryExtents(const Record& record) {
  const auto extents = replog::DecodeExtents(record.body, static_cast<std::uint32_t>(record.head.size()));
  if (!extents.has_value()) return;
  std::string again;
  replog::EncodeExtents(*extents, again);
  CHECK(record.body.starts_with(again));
  (void)replog::DigestOf(*extents);
}

void TrySnapshotEnd(const Record& record) {
  const auto end = replog::SnapshotEnd::Decode(record.head, record.body);
  if (!end.has_value()) return;
  CHECK(end->EncodeBody() == record.body);
  CHECK(replog::SnapshotEnd::Decode(end->EncodeHead(), end->EncodeBody()).has_value());
}

void TryMoves(const Record& record) {
  const auto moves = replog::DecodeMoves(record.head, record.body);
  if (moves.has_value()) CHECK(replog::EncodeMoves(*moves) == record.body);
}

void TryOwnerState(std::string_view text) {
  const auto state = replog::OwnerState::Decode(text);
  if (!state.has_value()) return;
  const std::string again = state->Encode();
  const auto twice = replog::OwnerState::Decode(again);
  CHECK(twice.has_value() && twice->Encode() == again);
}

void TryEpochs(std::string_view text) {
  const auto epochs = replog::DecodeEpochs(text);
  if (epochs.has_value()) CHECK(replog::DecodeEpochs(replog::EncodeEpochs(*epochs)) == *epochs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      TryEntryHead(text);
      break;
    case 1:
      TryExtents(Split(text));
      break;
    case 2:
      (void)replog::PartHead::Decode(text).has_value();
      break;
    case 3:
      (void)replog::DecodePieceHead(text).has_value();
      break;
    case 4:
      TrySnapshotEnd(Split(text));
      break;
    case 5:
      TryMoves(Split(text));
      break;
    case 6:
      TryOwnerState(text);
      break;
    default:
      TryEpochs(text);
      break;
  }
  return 0;
}
