// SnapshotPieces: which pieces of a snapshot still say what its mails are, so that the next snapshot keeps them.
#pragma once

#include <cstdint>
#include <vector>

#include "replog/types.h"

namespace queue {

// Thread: one. A value. Memory: 24 bytes a piece.
class SnapshotPieces {
 public:
  // Smaller ones are written anew, with their neighbours, so that their number stays near what the state needs.
  static constexpr std::uint32_t kKeptBytesMin = 16u << 10;

  struct Piece {
    replog::Index first;  // Of its mails.
    replog::Index last;
    std::uint32_t bytes = 0;
    bool is_current = true;  // None of its mails has changed, moved or gone.
  };
  static_assert(sizeof(Piece) == 24);

  // In the order of their mails.
  void Add(Piece piece);
  // The mail is not what it was, wherever it is.
  void Changed(replog::Index mail);

  std::size_t size() const { return pieces_.size(); }
  const Piece& operator[](std::size_t number) const { return pieces_[number]; }
  bool IsKept(std::size_t number) const;
  // Of the pieces that are kept.
  std::uint64_t kept_bytes() const { return kept_bytes_; }

 private:
  std::vector<Piece> pieces_;
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace queue
