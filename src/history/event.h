// Event: something that happened to a mail, as the history keeps it. docs/format/history.md, "Events"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"
#include "queue/entry.h"
#include "queue/mail_queue.h"
#include "replog/types.h"

namespace history {

// The mail was accepted: into the queue, or, without it, into mailboxes at once.
struct Arrival {
  struct Recipient {
    std::string address;
    std::string original;  // ORCPT as given.
    friend bool operator==(const Recipient&, const Recipient&) = default;
  };
  bool queued = false;
  mail::Class cls = mail::Class::kNormal;
  std::uint64_t size_bytes = 0;
  std::string mail_id;
  std::string sender;
  std::string client_ip;
  std::string helo;
  std::string auth_account;
  std::string protocol;
  replog::Index about;  // Of a notice: the mail that it tells of, in the same partition.
  std::vector<Recipient> recipients;
  friend bool operator==(const Arrival&, const Arrival&) = default;
};

// An attempt to deliver a queued mail ended.
struct Outcome {
  struct Recipient {
    std::uint32_t recipient = 0;  // Its place in the arrival.
    queue::RecipientState state = queue::RecipientState::kWaiting;
    bool told = false;  // By the notice.
    base::WallTime next_attempt;
    std::string relay;
    std::string cipher;
    std::string answer;
    friend bool operator==(const Recipient&, const Recipient&) = default;
  };
  replog::Index mail;
  replog::Index notice;  // 0: none.
  std::vector<Recipient> recipients;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// An operator's doing.
struct Control {
  replog::Index mail;
  queue::Operation operation = queue::Operation::kHold;
  mail::Class cls = mail::Class::kNormal;  // Of a reclass.
  friend bool operator==(const Control&, const Control&) = default;
};

// A value. `partition` and `index` are those of the log's entry that it was made of.
struct Event {
  replog::PartitionId partition;
  replog::Index index;
  base::WallTime time;
  std::variant<Arrival, Outcome, Control> what;

  const Arrival* arrival() const { return std::get_if<Arrival>(&what); }
  // Of the queued mail that it is about; nothing of a direct delivery.
  std::optional<queue::QueueId> QueueIdOf() const;

  void EncodeTo(std::string& out) const;
  // Errors: kCorrupt, kUnsupported (a kind of a later version).
  static base::Result<Event> Decode(std::string_view in);
  friend bool operator==(const Event&, const Event&) = default;
};

// ---- Hashes by which events are found ----
enum class KeyKind : std::uint8_t { kMailId = 1, kSender = 2, kSenderDomain = 3, kRecipient = 4, kRecipientDomain = 5 };
std::uint32_t HashOf(KeyKind kind, std::string_view text);
std::uint32_t HashOf(queue::QueueId id);
// What follows the last '@'; empty: there is none.
std::string_view DomainOf(std::string_view address);
// "rfc822;user@example.com" without its type.
std::string_view WithoutType(std::string_view original);
// Adds all that find it.
void AddHashes(const Event& event, std::vector<std::uint32_t>* hashes);

}  // namespace history
