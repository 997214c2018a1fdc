// Everything of the history that is read back from a disk. The first byte of an input says which.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "history/event.h"
#include "history/format.h"

namespace {

void TryEvent(std::string_view text) {
  const auto event = history::Event::Decode(text);
  if (!event.has_value()) return;
  std::string again;
  event->EncodeTo(again);
  const auto twice = history::Event::Decode(again);
  CHECK(twice.has_value() && *twice == *event);
  std::vector<std::uint32_t> hashes;
  history::AddHashes(*event, &hashes);
  CHECK(!hashes.empty());
}

void TryEvents(std::string_view text) {
  std::size_t seen = 0;
  base::Ignore(history::ForEachEvent(text, [&](std::string_view bytes, std::uint32_t offset) {
    CHECK(offset >= seen && bytes.size() <= text.size());
    seen = offset;
    TryEvent(bytes);
  }));
}

void TryState(std::string_view text) {
  const auto state = history::SavedState::Decode(text);
  if (!state.has_value()) return;
  const auto twice = history::SavedState::Decode(state->Encode());
  CHECK(twice.has_value() && *twice == *state);
}

void TryMarks(std::string_view text) {
  const auto marks = history::DecodeMarks(text);
  if (!marks.has_value()) return;
  std::string again;
  history::EncodeMarks(*marks, &again);
  CHECK(history::DecodeMarks(again) == *marks);
}

void TryHeads(std::string_view text) {
  if (const auto head = history::EventsHead::Decode(text); head.has_value()) {
    CHECK(head->Encode().size() == history::EventsHead::kEncodedSize);
  }
  if (const auto head = history::IndexHead::Decode(text); head.has_value()) {
    CHECK(head->Encode().size() == history::IndexHead::kEncodedSize);
  }
}

constexpr std::array<void (*)(std::string_view), 5> kTries = {TryEvent, TryEvents, TryState, TryMarks, TryHeads};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  kTries[data[0] % kTries.size()](text);
  return 0;
}
