#include "queue/snapshot_pieces.h"

#include <algorithm>

#include "base/check.h"

namespace queue {

void SnapshotPieces::Add(Piece piece) {
  CHECK(piece.first <= piece.last && (pieces_.empty() || pieces_.back().last < piece.first));
  pieces_.push_back(piece);
  if (IsKept(pieces_.size() - 1)) kept_bytes_ += piece.bytes;
}

void SnapshotPieces::Changed(replog::Index mail) {
  const auto after = std::ranges::upper_bound(pieces_, mail, {}, &Piece::first);
  if (after == pieces_.begin()) return;
  const auto number = static_cast<std::size_t>(after - pieces_.begin()) - 1;
  if (mail > pieces_[number].last) return;
  if (IsKept(number)) kept_bytes_ -= pieces_[number].bytes;
  pieces_[number].is_current = false;
}

bool SnapshotPieces::IsKept(std::size_t number) const {
  return pieces_[number].is_current && pieces_[number].bytes >= kKeptBytesMin;
}

}  // namespace queue
