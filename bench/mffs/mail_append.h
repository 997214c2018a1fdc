// MailAppend: one mail on its way into a volume: a record, or parts and a final record.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "async/one_shot.h"
#include "base/result.h"
#include "mffs/volume.h"

namespace bench {

inline constexpr std::uint8_t kMailType = 1;
inline constexpr std::uint8_t kPartType = 2;  // Of a mail too large for one record.
inline constexpr std::uint8_t kNoteType = 3;  // A delivery.
inline constexpr std::uint8_t kMoveType = 4;

inline constexpr std::size_t kHeadBytes = 48;  // Of each record: about what an envelope takes.

// Who stores which mail: the partition and index of its records.
struct MailId {
  std::uint32_t writer = 0;
  std::uint64_t number = 0;
};

struct MailToStore {
  std::string_view bytes;
  mffs::Stream stream = mffs::Stream::kTransit;
};

// Used by one writer for one mail after the other; keeps its requests.
//
// Thread: the volume's shard. Borrows the volume and the mail's bytes until Store() has returned.
class MailAppend {
 public:
  explicit MailAppend(mffs::Volume* volume) : volume_(volume) {}
  MailAppend(const MailAppend&) = delete;
  MailAppend& operator=(const MailAppend&) = delete;

  // Returns when all records are durable. Errors: those of Volume::Admit and Append.
  async::Task<base::Result<>> Store(MailId id, MailToStore mail) { return Append(id, kMailType, mail); }
  async::Task<base::Result<>> StoreNote(MailId id, std::string_view note) { return Append(id, kNoteType, {note}); }

  // The key and the place of each record of the last one stored.
  struct Stored {
    mffs::RecordKey key;
    mffs::Location location;
  };
  const std::vector<Stored>& stored() const { return stored_; }

 private:
  async::Task<base::Result<>> Append(MailId id, std::uint8_t type, MailToStore mail);
  void AppendRecord(std::size_t index, mffs::RecordKey key, MailToStore body);
  void OnDone(std::size_t index, base::Result<mffs::Location> location);

  mffs::Volume* volume_;
  std::array<char, kHeadBytes> head_{};
  std::vector<mffs::AppendRequest> requests_;
  std::vector<Stored> stored_;
  std::size_t left_ = 0;
  std::optional<base::Error> error_;
  std::optional<async::OneShot<bool>> ended_;
};

}  // namespace bench
