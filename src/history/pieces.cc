#include "history/pieces.h"

#include <algorithm>

#include "mffs/format.h"

namespace history {

async::Task<base::Result<std::string>> Pieces::Read(mffs::Location place, std::uint32_t head_bytes,
                                                    std::uint32_t offset, std::uint32_t size) {
  const std::uint64_t around = std::uint64_t{mffs::RecordHeader::kEncodedSize} + head_bytes;
  if (place.IsNowhere() || place.size < around) {
    co_return base::Error(base::Errc::kNotFound, "the record of the history is gone");
  }
  const auto body_bytes = static_cast<std::uint32_t>(place.size - around);
  if (offset >= body_bytes) co_return std::string();
  size = std::min(size, body_bytes - offset);
  if (size > kKeptBytesMax) co_return co_await volume_->ReadBody(place, offset, size);
  std::string bytes;
  while (bytes.size() < size) {
    const auto at = static_cast<std::uint32_t>(offset + bytes.size());
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await ReadPiece({place, at / kPieceBytes}, body_bytes));
    const std::string_view rest = std::string_view(piece).substr(std::min<std::size_t>(at % kPieceBytes, piece.size()));
    if (rest.empty()) break;
    bytes += rest.substr(0, size - bytes.size());
  }
  co_return bytes;
}

async::Task<base::Result<std::string>> Pieces::ReadPiece(Name name, std::uint32_t body_bytes) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    kept_.splice(kept_.begin(), kept_, found->second);
    co_return found->second->second;
  }
  const std::uint32_t offset = name.second * kPieceBytes;
  ASSIGN_OR_CO_RETURN(std::string piece,
                      co_await volume_->ReadBody(name.first, offset, std::min(kPieceBytes, body_bytes - offset)));
  // Another search may have brought it meanwhile.
  if (by_name_.contains(name)) co_return piece;
  kept_.emplace_front(name, piece);
  by_name_[name] = kept_.begin();
  if (kept_.size() > pieces_max_) {
    by_name_.erase(kept_.back().first);
    kept_.pop_back();
  }
  co_return piece;
}

}  // namespace history
