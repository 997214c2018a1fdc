#include "salvage/body_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace salvage {
namespace {

// Read around a damaged sector in steps of this: at most so much more than the sector is lost on either side.
constexpr std::uint32_t kStepBytes = 512;
constexpr std::uint32_t kPartsMax = 1u << 20;  // 256 GiB: more is no mail.

// Whether the record is the one that the piece names; identity, since its bytes have proved themselves.
bool Holds(const mffs::Record& record, replog::BodyId body, std::uint32_t bytes) {
  if (record.key.type == static_cast<std::uint8_t>(replog::RecordType::kPart)) {
    return record.key.index == body.value() && record.body.size() == bytes;
  }
  const auto head = replog::EntryHead::Decode(record.head);
  return head.has_value() && head->body == body && record.body.size() >= bytes;
}

}  // namespace

bool BodyLayout::IsReadable() const {
  return size_is_known && std::ranges::all_of(pieces, [](const BodyPiece& p) { return p.is_readable; });
}

bool BodyLayout::IsLive() const {
  return std::ranges::all_of(pieces, [](const BodyPiece& p) { return p.is_live; });
}

std::string BodyLayout::Problem() const {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].is_readable) continue;
    const std::string what = pieces[i].place.has_value() ? "is damaged" : "is nowhere on the volume";
    return pieces.size() == 1 ? "its record " + what : fmt::format("part {} of {} {}", i + 1, pieces.size(), what);
  }
  if (!size_is_known) return "it may lack its end, since nothing says how long it was";
  return {};
}

BodyLayout BodySource::LayoutOf(const BodyName& name) const {
  if ((name.body.value() & replog::kPartsBodyBit) != 0) return LayoutOfParts(name);
  BodyLayout layout{.pieces = {}, .size_is_known = true, .size_bytes = name.size_bytes};
  if (name.size_bytes == 0) return layout;
  const mffs::Location hint = name.places.extents.empty() ? mffs::Location{} : name.places.extents.front();
  const EntryPlace* const entry = records_->FindMail(name.partition, name.body, hint);
  BodyPiece piece{.offset = 0, .bytes = static_cast<std::uint32_t>(name.size_bytes)};
  if (entry != nullptr && entry->mail_bytes == name.size_bytes) {
    piece.place = entry->place;
    piece.is_readable = entry->is_readable;
    piece.is_live = entry->is_live;
  } else if (!hint.IsNowhere()) {
    // Its header is damaged, or its segment is gone; the read decides.
    piece.place = hint;
  }
  layout.pieces.push_back(piece);
  return layout;
}

BodyLayout BodySource::LayoutOfParts(const BodyName& name) const {
  BodyLayout layout{.pieces = {}, .size_is_known = true, .size_bytes = 0};
  std::vector<std::uint32_t> sizes = name.places.extent_bytes;
  if (sizes.empty()) {
    layout.size_is_known = false;
    for (const PartPlace& part : records_->PartsOf(name.body)) {
      // Parts but the last are all of one size; a missing one is as large as its neighbours.
      if (part.part >= kPartsMax) continue;
      if (part.part >= sizes.size()) sizes.resize(part.part + 1, part.bytes);
      sizes[part.part] = part.bytes;
    }
  }
  for (std::uint32_t i = 0; i < sizes.size(); ++i) {
    BodyPiece piece{.offset = layout.size_bytes, .bytes = sizes[i]};
    const PartPlace* const part = records_->FindPart(name.body, i);
    if (part != nullptr && part->bytes == sizes[i]) {
      piece.place = part->place;
      piece.is_readable = part->is_readable;
      piece.is_live = part->is_live;
    } else if (i < name.places.extents.size()) {
      piece.place = name.places.extents[i];
    }
    layout.pieces.push_back(piece);
    layout.size_bytes += sizes[i];
  }
  if (layout.size_bytes == name.size_bytes && name.size_bytes > 0) layout.size_is_known = true;
  return layout;
}

async::Task<std::vector<BodyBytes>> BodySource::Read(replog::BodyId body, BodyPiece piece) const {
  std::vector<BodyBytes> found;
  if (!piece.place.has_value()) co_return found;
  auto record = co_await reader_->Read(*piece.place);
  if (!record.has_value()) co_return co_await ReadGoodSectors(piece);
  if (!Holds(*record, body, piece.bytes)) co_return found;
  record->body.resize(piece.bytes);
  found.push_back({piece.offset, std::move(record->body)});
  co_return found;
}

async::Task<std::vector<BodyBytes>> BodySource::ReadGoodSectors(BodyPiece piece) const {
  std::vector<BodyBytes> found;
  for (std::uint32_t at = 0; at < piece.bytes; at += kStepBytes) {
    const std::uint32_t size = std::min(kStepBytes, piece.bytes - at);
    auto bytes = co_await reader_->ReadBody(*piece.place, at, size);
    if (!bytes.has_value()) {
      // Without its header or the checksums of its block nothing of it can be proved.
      if (at == 0 && bytes.error().code() == base::Errc::kNotFound) break;
      continue;
    }
    if (bytes->size() != size) break;
    const bool continues = !found.empty() && found.back().offset + found.back().bytes.size() == piece.offset + at;
    if (continues) {
      found.back().bytes += *bytes;
    } else {
      found.push_back({piece.offset + at, std::move(*bytes)});
    }
  }
  co_return found;
}

}  // namespace salvage
