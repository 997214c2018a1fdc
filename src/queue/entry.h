// The queue's log entries as values. docs/format/queue.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"
#include "mail/envelope.h"
#include "queue/mail_queue.h"
#include "replog/types.h"

namespace queue {

// On disk as one byte: never renumber.
enum class EntryType : std::uint8_t { kEnqueue = 1, kOutcome = 2, kControl = 3, kOutcomeWithNotice = 4 };
enum class Operation : std::uint8_t { kHold = 1, kRelease = 2, kRequeue = 3, kReclass = 4, kRemove = 5 };

struct EnqueueEntry {
  base::WallTime queued_at;
  mail::Envelope envelope;
  std::string Encode() const;
  static base::Result<EnqueueEntry> Decode(std::string_view in);
};

struct OutcomeEntry {
  struct Recipient {
    std::uint32_t recipient = 0;
    RecipientState state = RecipientState::kWaiting;
    base::WallTime next_attempt;
    std::string answer;
    bool told = false;     // A notice in the same entry speaks of it.
    std::string relay{};   // Who took part in the attempt; empty: nobody.
    std::string cipher{};  // Of the connection; empty: without TLS.
  };
  replog::Index mail;
  base::WallTime attempted_at{};  // When the attempt ended. Of older entries: 1970.
  std::vector<Recipient> recipients;
  std::string Encode() const;
  static base::Result<OutcomeEntry> Decode(std::string_view in);
};

// What became of recipients, and the notice that tells it: a mail of its own, which the entry's index names.
struct OutcomeWithNoticeEntry {
  OutcomeEntry outcome;
  EnqueueEntry notice;
  std::string Encode() const;
  static base::Result<OutcomeWithNoticeEntry> Decode(std::string_view in);
};

// Entries that bring a mail: enqueue, and the notice with an outcome.
bool BringsMail(std::uint8_t type);
// The mail that such an entry brings. Errors: kCorrupt (of an entry of any other type too), kUnsupported.
base::Result<EnqueueEntry> DecodeNewMail(std::uint8_t type, std::string_view meta);

struct ControlEntry {
  replog::Index mail;
  Operation operation = Operation::kHold;
  mail::Class cls = mail::Class::kNormal;
  base::WallTime now;
  std::string Encode() const;
  static base::Result<ControlEntry> Decode(std::string_view in);
};

// One mail of a snapshot piece.
struct SavedMail {
  struct Recipient {
    RecipientState state = RecipientState::kWaiting;
    std::uint32_t attempts = 0;
    base::WallTime next_attempt;
    std::string answer;
    bool told_of_delay = false;  // The sender was.
  };
  replog::Index index;
  base::WallTime queued_at;
  mail::Class cls = mail::Class::kNormal;
  replog::BodyRef body;
  mail::Envelope envelope;
  std::vector<Recipient> recipients;  // As many as the envelope's.
  void EncodeTo(std::string& out) const;
};
std::string BeginPiece();
base::Result<std::vector<SavedMail>> DecodePiece(std::string_view in);

// One mail of a piece after the other, all in the same memory: a start reads a million of them.
class PieceReader {
 public:
  // The piece must outlive it.
  explicit PieceReader(std::string_view piece) : in_(piece) {}
  // nullptr at the end. Valid until the next call. Errors: kCorrupt, kUnsupported; then no further call.
  base::Result<const SavedMail*> Next();

 private:
  base::Result<> ReadMail();

  base::Decoder in_;
  std::uint8_t version_ = 0;  // 0: not yet read.
  replog::Index last_;
  SavedMail mail_;
};

}  // namespace queue
