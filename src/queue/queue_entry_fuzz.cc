// The queue's log entries and snapshot pieces, as bytes from anywhere. The first byte chooses the type. What can be
// read is used: a piece is loaded, and entries are applied to it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "queue/entry.h"
#include "queue/queue_partition.h"

namespace {

// What decodes must encode to something that decodes to the same.
template <class Entry>
void TryEntry(std::string_view text) {
  const auto entry = Entry::Decode(text);
  if (!entry.has_value()) return;
  const std::string again = entry->Encode();
  const auto twice = Entry::Decode(again);
  CHECK(twice.has_value());
  CHECK(twice->Encode() == again);
}

std::string SnapshotOf(queue::QueuePartition* partition) {
  std::string all;
  partition->BeginSnapshot();
  for (;;) {
    const std::string piece = partition->NextPiece(1024);
    if (piece.empty()) break;
    CHECK(queue::DecodePiece(piece).has_value());
    all += piece;
  }
  partition->EndSnapshot();
  return all;
}

void TryPiece(std::string_view text) {
  const auto mails = queue::DecodePiece(text);
  if (!mails.has_value() || mails->empty()) return;
  queue::SharedStrings strings;
  queue::QueuePartition partition(&strings);
  for (const queue::SavedMail& mail : *mails) partition.Load(mail);
  partition.set_reached(mails->back().index);
  const std::string before = SnapshotOf(&partition);
  for (const queue::SavedMail& mail : *mails) {
    queue::OutcomeEntry outcome{.mail = mail.index, .recipients = {}};
    for (std::uint32_t i = 0; i <= mail.recipients.size(); ++i) {
      outcome.recipients.push_back(
          {.recipient = i, .state = queue::RecipientState::kHeld, .next_attempt = {}, .answer = "no"});
    }
    partition.Record(outcome);
    partition.Control({.mail = mail.index, .operation = queue::Operation::kRelease, .cls = {}, .now = {}});
  }
  CHECK(before.empty() == SnapshotOf(&partition).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      TryEntry<queue::EnqueueEntry>(text);
      break;
    case 1:
      TryEntry<queue::OutcomeEntry>(text);
      break;
    case 2:
      TryEntry<queue::ControlEntry>(text);
      break;
    case 4:
      TryEntry<queue::OutcomeWithNoticeEntry>(text);
      break;
    default:
      TryPiece(text);
      break;
  }
  return 0;
}
