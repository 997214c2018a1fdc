// Delivery status notifications: what a mail system tells a sender about his mail (RFC 3464, RFC 6522, for UTF-8
// addresses RFC 6533), for people and for programs. Pure functions of hostile bytes: remote servers' words, envelopes
// and headers of anybody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/envelope.h"

namespace mail {

// RFC 3464 §2.3.3.
enum class DsnAction : std::uint8_t {
  kFailed,
  kDelayed,  // It goes on being tried.
  kDelivered,
  kRelayed,   // To a server that tells nothing of what follows.
  kExpanded,  // To the members of a list, who report no success of their own.
};

struct DsnRecipient {
  std::string address{};
  std::string original{};  // ORCPT as given (xtext); empty: not given.
  DsnAction action = DsnAction::kFailed;
  std::string status{};      // RFC 3463; where it is none that fits the action, the one in `answer`, or a general one.
  std::string remote_mta{};  // The host whose words `answer` is; empty: they are ours.
  std::string answer{};      // Any bytes, any length.
};

struct DeliveryStatus {
  std::string hostname{};  // Ours.
  std::string to{};        // Who is told: the mail's sender, or the postmaster.
  std::string id{};        // The notice's own, letters and digits: in its Message-ID and its boundary.
  base::WallTime now{};    // Of the attempt that is reported, too.
  base::WallTime arrival{};
  base::WallTime retry_until{};            // Of those delayed.
  std::string mail_id{};                   // What the reported mail is called in Received and in the log.
  std::string envelope_id{};               // ENVID as given (xtext); empty: not given.
  bool to_postmaster = false;              // The mail has no sender to be told.
  std::vector<DsnRecipient> recipients{};  // At least one.
  // The mail: whole if it is to be returned whole, else at least its header, or nothing when it cannot be read.
  std::string_view original{};
  bool is_whole = false;
};

// A notice as it is sent.
struct DeliveryNotice {
  std::string text{};
  BodyType body = BodyType::k7Bit;
  bool smtputf8 = false;  // Its header needs it.
};

// RFC 3464 §2. Never fails: what cannot stand where it has to becomes '?' or a space.
DeliveryNotice ComposeNotice(const DeliveryStatus& status);

// The status code (RFC 3463) of one recipient's report: of the class that its action asks for.
std::string StatusCodeOf(const DsnRecipient& recipient);

// The part for people: lines of at most 78 columns, where words allow it, in UTF-8. `subject` is the mail's.
std::string TextForPeople(const DeliveryStatus& status, std::string_view subject);

}  // namespace mail
