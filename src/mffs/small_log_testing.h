// For tests: a small log over a volume that does what replog does with one: mails whole or in parts, removals by a
// note, snapshots that supersede notes with a checkpoint.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "async/one_shot.h"
#include "mffs/volume_testing.h"

namespace mffs {

enum class LogOp : std::uint8_t { kSmall, kMulti, kRelease, kCheckpoint, kClean, kSeal, kSnapshot };
inline constexpr std::array kLogOps{LogOp::kSmall, LogOp::kMulti, LogOp::kRelease, LogOp::kCheckpoint,
                                    LogOp::kClean, LogOp::kSeal,  LogOp::kSnapshot};
inline constexpr std::array<std::string_view, kLogOps.size()> kLogOpNames{"small", "multi", "release", "checkpoint",
                                                                          "clean", "seal",  "snapshot"};

inline std::string NameOf(const std::vector<LogOp>& ops) {
  std::string name;
  for (const LogOp op : ops) name += (name.empty() ? "" : ",") + std::string(kLogOpNames[static_cast<std::size_t>(op)]);
  return name;
}

// What the world was told, over all lives of the log.
struct LogModel {
  struct Mail {
    std::uint32_t bytes = 0;
    std::uint32_t parts = 0;  // 0: one record.
    bool is_ballast = false;  // For kClean: what keeps its segment from being cleaned.
    bool acknowledged = false;
    bool removal_begun = false;
    bool removed = false;  // Acknowledged.
    bool dropped = false;  // A recovery has found it missing, rightly.
  };
  // A removal, or a move by cleaning.
  struct Note {
    std::uint64_t mail = 0;
    bool acknowledged = false;
    bool dropped = false;
  };
  struct Snapshot {
    std::uint64_t notes_before = 0;  // Those that it supersedes.
    bool dropped = false;
  };
  std::map<std::uint64_t, Mail> mails;
  std::map<std::uint64_t, Note> notes;
  std::map<std::uint64_t, Snapshot> snapshots{{0, Snapshot()}};  // Begun.
  std::uint64_t snapshot_in_force = 0;                           // Acknowledged.

  // Equal for equal promises.
  std::string Fingerprint() const {
    std::string text = std::to_string(snapshot_in_force);
    for (const auto& [index, mail] : mails) {
      text += fmt::format(" {}:{}{}{}{}", index, mail.acknowledged, mail.removal_begun, mail.removed, mail.dropped);
    }
    for (const auto& [number, note] : notes) text += fmt::format(" n{}:{}{}", number, note.acknowledged, note.dropped);
    for (const auto& [number, snapshot] : snapshots) text += fmt::format(" s{}:{}", number, snapshot.dropped);
    return text;
  }
};

// The log's records. Each key is that of one record, or of its copies.
namespace log_keys {
inline constexpr std::uint8_t kMail = 1;   // Whole, or the last record of one in parts.
inline constexpr std::uint8_t kMoved = 2;  // A note.
inline constexpr std::uint8_t kPart = 3;
inline constexpr std::uint8_t kRemoved = 4;  // A note.
inline constexpr std::uint8_t kPiece = 5;    // Of a snapshot.
inline constexpr std::uint8_t kEnd = 6;      // Of a snapshot.
inline constexpr std::uint64_t kPieces = 2;

inline RecordKey Mail(std::uint64_t mail) {
  return {.type = kMail, .partition = 1, .epoch = 0, .index = mail};
}
inline RecordKey Part(std::uint64_t mail, std::uint64_t part) {
  return {.type = kPart, .partition = 1, .epoch = part, .index = mail};
}
inline RecordKey Removed(std::uint64_t note, std::uint64_t mail) {
  return {.type = kRemoved, .partition = 1, .epoch = note, .index = mail};
}
inline RecordKey Moved(std::uint64_t note) {
  return {.type = kMoved, .partition = 1, .epoch = note};
}
inline RecordKey Piece(std::uint64_t snapshot, std::uint64_t piece) {
  return {.type = kPiece, .partition = 1, .epoch = piece, .index = snapshot};
}
inline RecordKey End(std::uint64_t snapshot) {
  return {.type = kEnd, .partition = 1, .epoch = 0, .index = snapshot};
}
inline bool IsNote(const RecordKey& key) {
  return key.type == kRemoved || key.type == kMoved;
}
}  // namespace log_keys

// Zeroes, with a number at both ends: the content that is hardest to tell from an empty disk.
inline std::string ZeroesWithNumber(std::uint64_t number, std::size_t bytes) {
  std::string text(bytes, '\0');
  const std::string digits = std::to_string(number);
  text.replace(0, digits.size(), digits);
  if (bytes > 64) text.replace(bytes - digits.size(), digits.size(), digits);
  return text;
}

// What the record of this key says; moves are not looked into.
inline std::string BodyOf(const LogModel& model, const RecordKey& key) {
  switch (key.type) {
    case log_keys::kMail: {
      const LogModel::Mail& mail = model.mails.at(key.index);
      if (mail.parts > 0) return fmt::format("a mail of {} parts", mail.parts);
      return ZeroesWithNumber(key.index, mail.bytes);
    }
    case log_keys::kPart:
      return ZeroesWithNumber(100 * key.index + key.epoch, model.mails.at(key.index).bytes);
    case log_keys::kPiece:
      return ZeroesWithNumber(100 * key.index + key.epoch, 5000);
    default:
      return {};
  }
}

// What a volume shows to its owner before it starts.
struct FoundLog {
  std::map<RecordKey, std::vector<SeenRecord>> live;  // The original before its copies.
  std::map<std::uint64_t, std::uint64_t> removed;     // Mail -> note.
  std::uint64_t snapshot = 0;                         // In force.

  explicit FoundLog(TestMachine& machine) {
    for (const SeenRecord& seen : machine.Scan()) {
      if (!seen.is_live) continue;
      live[seen.key].push_back(seen);
      if (seen.key.type == log_keys::kRemoved) removed[seen.key.index] = seen.key.epoch;
    }
    const std::string& state = machine.volume->owner_state();
    if (!state.empty()) snapshot = std::stoull(state);
  }
  bool Has(const RecordKey& key) const { return live.contains(key); }
  bool IsVisible(std::uint64_t mail) const { return Has(log_keys::Mail(mail)) && !removed.contains(mail); }
};

// Thread: that of the machine's context. Outlived by the volume's use of it.
class SmallLog final : public RecordOwner {
 public:
  explicit SmallLog(LogModel known) : model(std::move(known)) {}

  // Takes over what recovery found, as a log does: what it shows counts, what it does not show never happened.
  void Adopt(TestMachine& machine) {
    volume_ = machine.volume.get();
    const FoundLog found(machine);
    for (const auto& [key, records] : found.live) {
      places_[key] = records.front().location;
      for (std::size_t i = 1; i < records.size(); ++i) volume_->Release(records[i].location);
    }
    AdoptSnapshots(found);
    for (auto& [number, note] : model.notes) {
      const RecordKey key = note.mail == 0 ? log_keys::Moved(number) : log_keys::Removed(number, note.mail);
      note.acknowledged |= found.Has(key);
      note.dropped |= !note.acknowledged;
    }
    for (auto& [index, mail] : model.mails) {
      mail.acknowledged |= found.IsVisible(index);
      mail.removed |= found.removed.contains(index);
      mail.removal_begun = mail.removed;
      mail.dropped |= !mail.acknowledged;
      if (mail.removed || mail.dropped) ReleaseMail(index);
    }
  }

  async::Task<bool> Do(LogOp op) {
    switch (op) {
      case LogOp::kSmall:
        co_return co_await PutMail({.bytes = 300}, Stream::kTransit);
      case LogOp::kMulti:
        co_return co_await PutMail({.bytes = 6000, .parts = 2}, Stream::kMailbox);
      case LogOp::kRelease:
        co_return co_await RemoveOldest(false);
      case LogOp::kCheckpoint:
        co_return co_await Checkpoint();
      case LogOp::kClean:
        co_return co_await Clean();
      case LogOp::kSeal:
        co_return co_await Seal();
      case LogOp::kSnapshot:
        co_return co_await TakeSnapshot();
    }
    co_return false;
  }
  // Two mails in one segment, of which the larger keeps it from being cleaned.
  async::Task<bool> PutBallast() {
    const bool kept = co_await PutMail({.bytes = 1000}, Stream::kHistory);
    if (!kept) co_return false;
    co_return co_await PutMail({.bytes = 12'000, .is_ballast = true}, Stream::kHistory);
  }
  async::Task<bool> Checkpoint() {
    const auto result = co_await volume_->Checkpoint();
    if (!result.has_value()) failure = result.error().message();
    co_return result.has_value();
  }

  async::Task<base::Result<>> Moved(std::vector<Move> moves) override {
    const std::uint64_t number = NextNote();
    model.notes[number] = {};
    const auto put = Begin(Stream::kMeta, log_keys::Moved(number), "", [this, number, &moves] {
      model.notes[number].acknowledged = true;
      for (const Move& move : moves) {
        const auto known = places_.find(move.key);
        if (known != places_.end() && known->second == move.from) known->second = move.to;
      }
    });
    const bool ok = co_await put->ended.Wait();
    if (!ok) co_return base::Error(base::Errc::kIo, failure);
    for (const Move& move : moves) {
      const auto known = places_.find(move.key);
      if (known == places_.end() || known->second != move.to) volume_->Release(move.to);
    }
    co_return base::Result<>();
  }
  CheckpointState TakeCheckpointState() override {
    installing_ = std::max(written_, model.snapshot_in_force);
    superseded_.clear();
    CheckpointState state{.state = std::to_string(installing_), .releases = {}};
    if (installing_ == model.snapshot_in_force) return state;
    for (const auto& [key, place] : places_) {
      const bool is_older = (key.type == log_keys::kPiece || key.type == log_keys::kEnd) && key.index < installing_;
      const bool is_superseded = log_keys::IsNote(key) && key.epoch < model.snapshots.at(installing_).notes_before;
      if (!is_older && !is_superseded) continue;
      superseded_.push_back(key);
      state.releases.push_back(place);
    }
    return state;
  }
  void CheckpointDurable() override {
    model.snapshot_in_force = installing_;
    for (const RecordKey& key : superseded_) {
      volume_->Release(places_.at(key));  // Cleaning may have moved it.
      places_.erase(key);
    }
  }

  LogModel model;
  std::string failure;
  // Where the acknowledged records are.
  const std::map<RecordKey, Location>& places() const { return places_; }

 private:
  struct PendingAppend {
    std::string body;
    AppendRequest request;
    async::OneShot<bool> ended;
  };

  // `acknowledged` runs at the moment at which the volume says that the record is durable.
  std::unique_ptr<PendingAppend> Begin(Stream stream, RecordKey key, std::string body,
                                       std::function<void()> acknowledged) {
    auto append = std::make_unique<PendingAppend>();
    append->body = std::move(body);
    append->request.stream = stream;
    append->request.key = key;
    append->request.body[0] = append->body;
    append->request.done = [this, key, append = append.get(),
                            acknowledged = std::move(acknowledged)](base::Result<Location> location) {
      if (location.has_value()) {
        places_[key] = *location;
        acknowledged();
      } else {
        failure = location.error().message();
      }
      append->ended.Set(location.has_value());
    };
    const auto admitted = volume_->Admit(stream, append->body.size());
    if (admitted.has_value()) {
      volume_->Append(&append->request);
    } else {
      failure = admitted.error().message();
      append->ended.Set(false);
    }
    return append;
  }

  async::Task<bool> PutMail(LogModel::Mail mail, Stream stream) {
    const std::uint64_t index = model.mails.empty() ? 1 : model.mails.rbegin()->first + 1;
    model.mails[index] = mail;
    std::vector<std::unique_ptr<PendingAppend>> parts;
    for (std::uint64_t i = 0; i < mail.parts; ++i) {
      parts.push_back(Begin(stream, log_keys::Part(index, i), BodyOf(model, log_keys::Part(index, i)), [] {}));
    }
    bool ok = true;
    for (const auto& part : parts) {
      const bool part_ok = co_await part->ended.Wait();
      ok = ok && part_ok;
    }
    if (!ok) co_return false;
    const RecordKey key = log_keys::Mail(index);
    const auto whole =
        Begin(stream, key, BodyOf(model, key), [this, index] { model.mails[index].acknowledged = true; });
    co_return co_await whole->ended.Wait();
  }

  async::Task<bool> RemoveOldest(bool ballast) {
    const auto oldest = std::ranges::find_if(model.mails, [ballast](const auto& entry) {
      const LogModel::Mail& mail = entry.second;
      return mail.is_ballast == ballast && mail.acknowledged && !mail.removal_begun;
    });
    if (oldest == model.mails.end()) co_return true;
    const std::uint64_t index = oldest->first;
    const std::uint64_t number = NextNote();
    model.notes[number] = {.mail = index};
    oldest->second.removal_begun = true;
    const auto note = Begin(Stream::kMeta, log_keys::Removed(number, index), "", [this, index, number] {
      model.notes[number].acknowledged = true;
      model.mails[index].removed = true;
      ReleaseMail(index);
    });
    co_return co_await note->ended.Wait();
  }
  void ReleaseMail(std::uint64_t index) {
    std::erase_if(places_, [this, index](const auto& entry) {
      const RecordKey& key = entry.first;
      const bool is_its = (key.type == log_keys::kMail || key.type == log_keys::kPart) && key.index == index;
      if (is_its) volume_->Release(entry.second);
      return is_its;
    });
  }

  async::Task<bool> Clean() {
    const bool removed = co_await RemoveOldest(true);
    if (!removed) co_return false;
    const std::uint64_t before = volume_->Status().segments_cleaned;
    const bool ok = co_await Checkpoint();
    if (!ok) co_return false;
    for (int turn = 0; turn < 300 && volume_->Status().segments_cleaned == before; ++turn) {
      co_await asio::post(co_await asio::this_coro::executor, async::use_task);
    }
    co_return !volume_->Status().read_only;
  }

  // Large mails until the next one lies in another segment.
  async::Task<bool> Seal() {
    for (;;) {
      const bool ok = co_await PutMail({.bytes = 520'000}, Stream::kTransit);
      if (!ok) co_return false;
      const std::uint32_t segment = places_.at(log_keys::Mail(model.mails.rbegin()->first)).segment;
      const auto before = std::exchange(sealing_, segment);
      if (before.has_value() && *before != segment) co_return true;
    }
  }

  async::Task<bool> TakeSnapshot() {
    const std::uint64_t number = model.snapshots.rbegin()->first + 1;
    model.snapshots[number] = {.notes_before = NextNote()};
    for (std::uint64_t i = 0; i < log_keys::kPieces; ++i) {
      const RecordKey key = log_keys::Piece(number, i);
      const auto piece = Begin(Stream::kMeta, key, BodyOf(model, key), [] {});
      const bool ok = co_await piece->ended.Wait();
      if (!ok) co_return false;
    }
    const auto end = Begin(Stream::kMeta, log_keys::End(number), "", [this, number] { written_ = number; });
    const bool ok = co_await end->ended.Wait();
    if (!ok) co_return false;
    co_return co_await Checkpoint();
  }

  void AdoptSnapshots(const FoundLog& found) {
    model.snapshot_in_force = found.snapshot;
    written_ = found.snapshot;
    for (auto& [number, snapshot] : model.snapshots) snapshot.dropped |= number > found.snapshot;
    std::erase_if(places_, [this, &found](const auto& entry) {
      const RecordKey& key = entry.first;
      const bool is_nobodys =
          (key.type == log_keys::kPiece || key.type == log_keys::kEnd) && key.index != found.snapshot;
      if (is_nobodys) volume_->Release(entry.second);
      return is_nobodys;
    });
  }
  std::uint64_t NextNote() const { return model.notes.empty() ? 1 : model.notes.rbegin()->first + 1; }

  Volume* volume_ = nullptr;
  std::map<RecordKey, Location> places_;
  std::optional<std::uint32_t> sealing_;  // The segment of the last large mail.
  std::uint64_t written_ = 0;             // The last complete snapshot.
  std::uint64_t installing_ = 0;
  std::vector<RecordKey> superseded_;
};

}  // namespace mffs
