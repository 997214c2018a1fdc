// Log entries and snapshot rows of the store, as bytes from anywhere. The first byte chooses the type.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/entries.h"
#include "store/rows.h"

namespace {

// What decodes must encode to something that decodes to the same.
template <class Entry>
void TryEntry(std::string_view text) {
  Entry entry;
  if (!store::DecodeEntry(text, entry)) return;
  const std::string again = store::EncodeEntry(entry);
  Entry twice;
  CHECK(store::DecodeEntry(again, twice));
  CHECK(store::EncodeEntry(twice) == again);
}

template <class Row>
void TryRow(std::string_view text) {
  Row row;
  if (!row.DecodeFrom(text)) return;
  std::string again;
  row.EncodeTo(again);
  Row twice;
  CHECK(twice.DecodeFrom(again));
}

void TryWatermark(std::string_view text) {
  base::Decoder in(text);
  store::Watermark mark;
  if (!mark.DecodeFrom(in)) return;
  std::string again;
  base::Encoder out(again);
  mark.EncodeTo(out);
  base::Decoder in_again(again);
  store::Watermark twice;
  CHECK(twice.DecodeFrom(in_again) && twice == mark);
  for (const std::uint64_t index : mark.except) CHECK(!mark.IsSettled(index));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 22) {
    case 0:
      TryEntry<store::CreateAccountEntry>(text);
      break;
    case 1:
      TryEntry<store::SetPasswordEntry>(text);
      break;
    case 2:
      TryEntry<store::RemoveAccountEntry>(text);
      break;
    case 3:
      TryEntry<store::DeliverEntry>(text);
      break;
    case 4:
      TryEntry<store::CreateMailboxEntry>(text);
      break;
    case 5:
      TryEntry<store::DeleteMailboxEntry>(text);
      break;
    case 6:
      TryEntry<store::RenameMailboxEntry>(text);
      break;
    case 7:
      TryEntry<store::SubscribeEntry>(text);
      break;
    case 8:
      TryEntry<store::AppendEntry>(text);
      break;
    case 9:
      TryEntry<store::StoreFlagsEntry>(text);
      break;
    case 10:
      TryEntry<store::CopyEntry>(text);
      break;
    case 11:
      TryEntry<store::ExpungeEntry>(text);
      break;
    case 12:
      TryEntry<store::PurgeEntry>(text);
      break;
    case 13:
      TryRow<store::PartitionRow>(text);
      break;
    case 14:
      TryRow<store::AccountRow>(text);
      break;
    case 15:
      TryRow<store::MailboxRow>(text);
      break;
    case 16:
      TryRow<store::NameRow>(text);
      break;
    case 17:
      TryRow<store::MessageRow>(text);
      break;
    case 18:
      TryRow<store::BodyRow>(text);
      break;
    case 19:
      TryWatermark(text);
      break;
    case 20:
      TryEntry<store::ImportEntry>(text);
      break;
    case 21:
      TryEntry<store::SetUidsEntry>(text);
      break;
    default:
      break;
  }
  return 0;
}
