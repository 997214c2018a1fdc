// LogOrder: which blocks that recovery found belong to the log. The rule of torn and rotten, as a pure function.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "mffs/format.h"

namespace mffs {

// Add() all valid block headers, then Decide(), then ask. docs/format/mffs.md, "Recovery", steps 3 to 5.
class LogOrder {
 public:
  // All blocks up to `durable` are known to have been durable; those up to `floor` may have gone by now, none after it
  // may.
  LogOrder() = default;
  LogOrder(Lsn floor, Lsn durable) : floor_(floor), durable_(std::max(floor, durable)) {}

  void Add(const BlockHeader& header, std::uint32_t segment, bool is_damaged);
  void Decide();

  // Every block up to here was durable.
  Lsn durable() const { return durable_; }
  // The last LSN that counts.
  Lsn cut() const { return cut_; }
  // At least every LSN that was ever given, as far as can be seen.
  Lsn highest() const { return highest_; }
  // LSNs that were acknowledged and of which no block is there.
  const std::vector<Lsn>& missing() const { return missing_; }

  bool IsAccepted(const BlockHeader& header, std::uint32_t segment) const;
  // Not accepted, and for a known reason: void since an earlier recovery, or written a second time elsewhere.
  bool IsSettled(const BlockHeader& header) const;

 private:
  struct Found {
    std::uint32_t segment = 0;
    std::uint32_t generation = 0;
    bool is_damaged = false;
    bool is_rewritten = false;
  };
  // Whether `lsn` lies in a gap between two mounts; the first LSN after the gap then.
  std::optional<Lsn> EndOfVoid(Lsn lsn) const;

  Lsn floor_;
  Lsn durable_;
  Lsn cut_;
  Lsn highest_;
  std::map<Lsn, Found> found_;
  std::map<Lsn, Lsn> voids_;  // Mount's first -> lowest cut: everything between is void.
  std::vector<Lsn> missing_;
};

}  // namespace mffs
