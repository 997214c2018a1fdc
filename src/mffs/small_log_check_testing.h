// For tests: the question after each crash: is all true that the small log was promised?
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mffs/small_log_testing.h"

namespace mffs {

// Compares an open volume with what was promised. Empty: all is true. After planted damage what is reported as corrupt
// may be missing or back; wrong bytes may not be, nor may anything be missing of which nothing is said.
class LogCheck {
 public:
  static std::vector<std::string> Complaints(TestMachine& machine, const LogModel& model, bool is_damaged = false) {
    LogCheck check(machine, model);
    const std::size_t reported = machine.volume->recovery().corruptions.size();
    if (!is_damaged) {
      for (const std::string& what : machine.volume->recovery().corruptions) check.Complain(what);
    }
    check.excused_ = is_damaged && reported > 0;
    check.reads_may_fail_ = is_damaged;
    check.CheckRecords();
    for (const auto& [index, mail] : model.mails) check.CheckMail(index, mail);
    for (const auto& [number, note] : model.notes) check.CheckNote(number, note);
    check.CheckSnapshots();
    if (!is_damaged) check.CheckCounters();
    return std::move(check.complaints_);
  }

 private:
  LogCheck(TestMachine& machine, const LogModel& model) : machine_(machine), model_(model), found_(machine) {}

  void Complain(std::string what) { complaints_.push_back(std::move(what)); }
  // Of what a report of corruption would explain.
  void ComplainUnlessExcused(const std::string& what) {
    if (!excused_) Complain(what);
  }

  void CheckRecords() {
    for (const auto& [key, records] : found_.live) {
      const bool is_of_mail = key.type == log_keys::kMail || key.type == log_keys::kPart;
      if (is_of_mail && !model_.mails.contains(key.index)) {
        Complain(fmt::format("a record of mail {}, which was never written", key.index));
        continue;
      }
      const std::string expected = BodyOf(model_, key);
      for (const SeenRecord& seen : records) {
        const auto record = machine_.Read(seen.location);
        if (record.has_value()) {
          if (record->body != expected || record->key != key) Complain(NameOf(key) + " has wrong bytes");
        } else if (!reads_may_fail_ || record.error().code() != base::Errc::kCorrupt) {
          Complain(NameOf(key) + ": " + record.error().message());
        }
      }
    }
  }
  void CheckMail(std::uint64_t index, const LogModel::Mail& mail) {
    const bool visible = found_.IsVisible(index);
    if (mail.acknowledged && !mail.removed && !visible && !(mail.removal_begun && found_.removed.contains(index))) {
      ComplainUnlessExcused(fmt::format("acknowledged mail {} is gone", index));
    }
    if ((mail.removed || mail.dropped) && visible) ComplainUnlessExcused(fmt::format("mail {} came back", index));
    for (std::uint64_t i = 0; visible && i < mail.parts; ++i) {
      if (!found_.Has(log_keys::Part(index, i))) ComplainUnlessExcused(fmt::format("mail {} is half there", index));
    }
  }
  void CheckNote(std::uint64_t number, const LogModel::Note& note) {
    const bool is_there = found_.Has(note.mail == 0 ? log_keys::Moved(number) : log_keys::Removed(number, note.mail));
    const bool is_superseded = number < NotesBefore();
    if (note.acknowledged && !is_superseded && !is_there) ComplainUnlessExcused(fmt::format("note {} is gone", number));
    if ((note.dropped || is_superseded) && is_there) ComplainUnlessExcused(fmt::format("note {} came back", number));
    const bool is_durable = note.mail != 0 && note.acknowledged && is_superseded;
    if (is_durable && found_.Has(log_keys::Mail(note.mail))) {
      ComplainUnlessExcused(fmt::format("the record of mail {} came back after a durable release", note.mail));
    }
  }
  void CheckSnapshots() {
    const auto known = model_.snapshots.find(found_.snapshot);
    if (known == model_.snapshots.end() || known->second.dropped || found_.snapshot < model_.snapshot_in_force) {
      ComplainUnlessExcused(
          fmt::format("snapshot {} is in force instead of {}", found_.snapshot, model_.snapshot_in_force));
    }
    for (std::uint64_t i = 0; found_.snapshot > 0 && i < log_keys::kPieces; ++i) {
      if (!found_.Has(log_keys::Piece(found_.snapshot, i))) ComplainUnlessExcused("the snapshot lacks a piece");
    }
    if (found_.snapshot > 0 && !found_.Has(log_keys::End(found_.snapshot))) {
      ComplainUnlessExcused("the snapshot lacks its end");
    }
    for (const auto& [number, snapshot] : model_.snapshots) {
      const bool is_older = number > 0 && number < found_.snapshot && !snapshot.dropped;
      if (is_older && found_.Has(log_keys::End(number))) ComplainUnlessExcused("a superseded snapshot came back");
    }
  }
  void CheckCounters() {
    std::array<std::uint64_t, kStreamCount> live{};
    for (const auto& [key, records] : found_.live) {
      for (const SeenRecord& seen : records) {
        live[static_cast<std::size_t>(seen.stream)] += PaddedRecordBytes(seen.location.size);
      }
    }
    const auto counted = machine_.volume->Status().live_bytes_by_stream;
    for (std::size_t i = 1; i < kStreamCount; ++i) {  // MFFS's own records in stream meta are not shown.
      if (live[i] == counted[i]) continue;
      Complain(fmt::format("stream {} has {} live bytes, the counter says {}", i, live[i], counted[i]));
    }
  }
  std::uint64_t NotesBefore() const {
    const auto snapshot = model_.snapshots.find(found_.snapshot);
    return snapshot == model_.snapshots.end() ? 0 : snapshot->second.notes_before;
  }
  static std::string NameOf(const RecordKey& key) {
    return fmt::format("record of type {}, index {}, epoch {}", key.type, key.index, key.epoch);
  }

  TestMachine& machine_;
  const LogModel& model_;
  FoundLog found_;
  bool excused_ = false;
  bool reads_may_fail_ = false;
  std::vector<std::string> complaints_;
};

}  // namespace mffs
