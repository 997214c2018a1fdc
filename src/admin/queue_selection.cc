#include "admin/queue_selection.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace admin {

using base::Errc;
using base::Error;
using base::Result;
using queue::QueuedMail;
using queue::RecipientState;
using queue::RecipientStatus;

namespace {

constexpr std::size_t kPatternBytesMax = 400;  // The longest address (RFC 5321 §4.5.3.1.3) and some asterisks.
constexpr std::size_t kNameBytesMax = 20;
constexpr std::string_view kNullSender = "<>";

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

Result<std::optional<std::chrono::seconds>> ParseAge(const Arguments& arguments, std::string_view name) {
  if (!arguments.members().contains(name)) return std::nullopt;
  ASSIGN_OR_RETURN(const std::uint32_t seconds, arguments.Count(name, 0, std::numeric_limits<std::uint32_t>::max()));
  return std::chrono::seconds(seconds);
}

bool MatchesSender(std::string_view pattern, std::string_view sender) {
  if (pattern.empty()) return true;
  if (pattern == kNullSender) return sender.empty();
  return MatchesPattern(pattern, sender);
}

// "mx:x.test" also goes by "x.test": the kind of the next hop may be left out.
bool MatchesDestination(std::string_view pattern, std::string_view destination) {
  if (MatchesPattern(pattern, destination)) return true;
  const std::size_t colon = destination.find(':');
  return colon != std::string_view::npos && MatchesPattern(pattern, destination.substr(colon + 1));
}

}  // namespace

Result<QueueSelection> QueueSelection::Parse(const Arguments& arguments) {
  QueueSelection selection;
  ASSIGN_OR_RETURN(selection.sender, arguments.OptionalText("sender", kPatternBytesMax));
  ASSIGN_OR_RETURN(selection.recipient, arguments.OptionalText("recipient", kPatternBytesMax));
  ASSIGN_OR_RETURN(selection.destination, arguments.OptionalText("destination", kPatternBytesMax));
  ASSIGN_OR_RETURN(const std::string state, arguments.OptionalText("state", kNameBytesMax));
  if (!state.empty()) {
    selection.state = ParseRecipientState(state);
    if (!selection.state.has_value() || IsOver(*selection.state)) {
      return Error(Errc::kInvalid, "a recipient's state is one of waiting, claimed, held");
    }
  }
  ASSIGN_OR_RETURN(const std::string cls, arguments.OptionalText("class", kNameBytesMax));
  if (!cls.empty()) {
    selection.cls = ParseClass(cls);
    if (!selection.cls.has_value()) {
      return Error(Errc::kInvalid, "a class is one of known, normal, unjudged, bulk, suspect, held");
    }
  }
  ASSIGN_OR_RETURN(selection.older_than, ParseAge(arguments, "older_than_seconds"));
  ASSIGN_OR_RETURN(selection.newer_than, ParseAge(arguments, "newer_than_seconds"));
  return selection;
}

bool QueueSelection::IsEverything() const {
  return sender.empty() && recipient.empty() && destination.empty() && !state.has_value() && !cls.has_value() &&
         !older_than.has_value() && !newer_than.has_value();
}

bool QueueSelection::Matches(const QueuedMail& mail, base::WallTime now) const {
  if (cls.has_value() && mail.cls != *cls) return false;
  if (older_than.has_value() && now - mail.queued_at <= *older_than) return false;
  if (newer_than.has_value() && now - mail.queued_at >= *newer_than) return false;
  if (!MatchesSender(sender, mail.envelope.sender)) return false;
  return std::ranges::any_of(mail.recipients, [this](const RecipientStatus& r) { return MatchesRecipient(r); });
}

bool QueueSelection::MatchesRecipient(const RecipientStatus& status) const {
  if (IsOver(status.state)) return false;
  if (state.has_value() && status.state != *state) return false;
  if (!recipient.empty() && !MatchesPattern(recipient, status.address)) return false;
  return destination.empty() || MatchesDestination(destination, status.destination);
}

bool QueueSelection::MatchesAllRecipients(const QueuedMail& mail) const {
  return std::ranges::all_of(mail.recipients,
                             [this](const RecipientStatus& r) { return IsOver(r.state) || MatchesRecipient(r); });
}

std::string QueueSelection::ToText() const {
  if (IsEverything()) return "all";
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  };
  add("sender", sender);
  add("recipient", recipient);
  add("destination", destination);
  if (state.has_value()) add("state", admin::ToText(*state));
  if (cls.has_value()) add("class", ToString(*cls));
  if (older_than.has_value()) add("older_than", fmt::format("{}s", older_than->count()));
  if (newer_than.has_value()) add("newer_than", fmt::format("{}s", newer_than->count()));
  return text;
}

// Greedy, with one place to come back to: the last asterisk. Later ones make earlier choices moot, so the time is
// bounded by the product of the two sizes.
bool MatchesPattern(std::string_view pattern, std::string_view text) {
  std::string of_domain;
  if (pattern.starts_with('@')) {
    of_domain = fmt::format("*{}", pattern);
    pattern = of_domain;
  }
  std::size_t at = 0;
  std::size_t in_text = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (in_text < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      after_star = in_text;
    } else if (at < pattern.size() && Lower(pattern[at]) == Lower(text[in_text])) {
      ++at;
      ++in_text;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_text = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

std::string_view ToText(RecipientState state) {
  switch (state) {
    case RecipientState::kWaiting:
      return "waiting";
    case RecipientState::kClaimed:
      return "claimed";
    case RecipientState::kDelivered:
      return "delivered";
    case RecipientState::kHeld:
      return "held";
    case RecipientState::kBounced:
      return "bounced";
  }
  return "unknown";
}

std::optional<RecipientState> ParseRecipientState(std::string_view text) {
  for (const RecipientState state : kRecipientStates) {
    if (text == ToText(state)) return state;
  }
  return std::nullopt;
}

std::optional<mail::Class> ParseClass(std::string_view text) {
  using mail::Class;
  for (const auto cls :
       {Class::kKnown, Class::kNormal, Class::kUnjudged, Class::kBulk, Class::kSuspect, Class::kHeld}) {
    if (text == ToString(cls)) return cls;
  }
  return std::nullopt;
}

}  // namespace admin
