// Log entries and snapshot rows of the store, as bytes from anywhere. The first byte chooses the type.
#include <array>
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

// The first byte of an input says which: new ones go last, so that the corpus keeps its meaning.
constexpr std::array<void (*)(std::string_view), 31> kTries = {TryEntry<store::CreateAccountEntry>,
                                                               TryEntry<store::SetPasswordEntry>,
                                                               TryEntry<store::RemoveAccountEntry>,
                                                               TryEntry<store::DeliverEntry>,
                                                               TryEntry<store::CreateMailboxEntry>,
                                                               TryEntry<store::DeleteMailboxEntry>,
                                                               TryEntry<store::RenameMailboxEntry>,
                                                               TryEntry<store::SubscribeEntry>,
                                                               TryEntry<store::AppendEntry>,
                                                               TryEntry<store::StoreFlagsEntry>,
                                                               TryEntry<store::CopyEntry>,
                                                               TryEntry<store::ExpungeEntry>,
                                                               TryEntry<store::PurgeEntry>,
                                                               TryRow<store::PartitionRow>,
                                                               TryRow<store::AccountRow>,
                                                               TryRow<store::MailboxRow>,
                                                               TryRow<store::NameRow>,
                                                               TryRow<store::MessageRow>,
                                                               TryRow<store::BodyRow>,
                                                               TryWatermark,
                                                               TryEntry<store::ImportEntry>,
                                                               TryEntry<store::SetUidsEntry>,
                                                               TryEntry<store::ImportFlagsEntry>,
                                                               TryRow<store::OriginRow>,
                                                               TryEntry<store::StoreFlagsIfEntry>,
                                                               TryEntry<store::SpecialMailboxesEntry>,
                                                               TryEntry<store::CredentialsEntry>,
                                                               TryEntry<store::DeliverDirectEntry>,
                                                               TryEntry<store::SetQuotaEntry>,
                                                               TryEntry<store::QuotaWarningEntry>,
                                                               TryRow<store::QuotaRow>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  kTries.at(data[0] % kTries.size())({reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
