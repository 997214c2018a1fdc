// QueueSelection: which mails of the queue are meant: criteria that must all hold. docs/cli.md, "The queue".
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "admin/arguments.h"
#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"
#include "queue/mail_queue.h"

namespace admin {

// A value. A mail matches when its own criteria hold (sender, class, age) and those of recipients (address,
// destination, state) hold together for one at least of those that do not have it yet.
//
// Texts are compared without regard to the case of ASCII letters; '*' in one stands for any bytes. "@x.test" is every
// address of that domain, "<>" the empty sender. Of a destination the kind may be left out: "x.test" is "mx:x.test"
// too.
struct QueueSelection {
  std::string sender;
  std::string recipient;
  std::string destination;
  std::optional<queue::RecipientState> state;
  std::optional<mail::Class> cls;
  std::optional<std::chrono::seconds> older_than;
  std::optional<std::chrono::seconds> newer_than;

  // The arguments that Parse reads; all optional.
  static constexpr std::array<std::string_view, 7> kArguments{
      "sender", "recipient", "destination", "state", "class", "older_than_seconds", "newer_than_seconds"};
  // Errors: kInvalid.
  static base::Result<QueueSelection> Parse(const Arguments& arguments);

  // There is no criterion: everything matches.
  bool IsEverything() const;
  bool Matches(const queue::QueuedMail& mail, base::WallTime now) const;
  // The criteria of recipients; one for whom it is over (delivered, bounced) never matches.
  bool MatchesRecipient(const queue::RecipientStatus& recipient) const;
  // No recipient that still waits for the mail is outside of the selection.
  bool MatchesAllRecipients(const queue::QueuedMail& mail) const;
  // For the log: "sender=@x.test older_than=3600s"; "all" when it is everything.
  std::string ToText() const;
};

// Whether `text` is what `pattern` says: see above.
bool MatchesPattern(std::string_view pattern, std::string_view text);

inline constexpr std::array kRecipientStates{queue::RecipientState::kWaiting, queue::RecipientState::kClaimed,
                                             queue::RecipientState::kHeld, queue::RecipientState::kDelivered,
                                             queue::RecipientState::kBounced};
std::string_view ToText(queue::RecipientState state);
std::optional<queue::RecipientState> ParseRecipientState(std::string_view text);
std::optional<mail::Class> ParseClass(std::string_view text);

}  // namespace admin
