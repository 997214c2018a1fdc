#include "admin/queue_changes.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/queue_commands.h"
#include "admin/queue_json.h"
#include "admin/queue_walk.h"
#include "async/notifier.h"

namespace admin {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;
using queue::QueuedMail;
using queue::QueueId;
using queue::RecipientState;
using queue::RecipientStatus;

namespace {

constexpr std::size_t kChangedMax = 500;  // By one request: they wait for the disk together.

// Who asks, for the lines that tell of each mail.
std::string NameOf(const Caller& caller) {
  return fmt::format("uid {}", caller.user_id);
}

std::string TargetOf(const Arguments& arguments) {
  const auto id = QueueIdOf(arguments);
  if (id.has_value()) return id->ToString();
  const auto selection = QueueSelection::Parse(arguments);
  return selection.has_value() ? selection->ToText() : "";
}

// What a step finds to do.
struct Found {
  std::vector<QueueId> ids;
  std::uint64_t left = 0;                // Mails that match, but have other recipients too.
  std::uint64_t with_others = 0;         // Of `ids`.
  std::set<std::string> destinations{};  // Of recipients in the selection.
};

void AddDestinations(const QueuedMail& mail, const QueueSelection& selection, std::set<std::string>* destinations) {
  for (const RecipientStatus& recipient : mail.recipients) {
    if (selection.MatchesRecipient(recipient)) destinations->insert(recipient.destination);
  }
}

}  // namespace

// What has become of the changes of a request. Owned together by the request and by the tasks that make them: a request
// that the node's stop cuts short leaves them to end what they have proposed.
struct QueueChanges::Batch {
  explicit Batch(async::Executor executor) : ended(std::move(executor)) {}
  std::size_t running = 0;
  std::uint64_t changed = 0;
  std::optional<Error> error;
  async::Notifier ended;
};

void QueueChanges::AddTo(CommandTable* table) {
  std::vector<std::string_view> names{"id", "all", "after", "dry_run"};
  names.insert(names.end(), QueueSelection::kArguments.begin(), QueueSelection::kArguments.end());
  const std::pair<std::string_view, Verb> verbs[] = {{"queue.hold", Verb::kHold},
                                                     {"queue.release", Verb::kRelease},
                                                     {"queue.requeue", Verb::kRequeue},
                                                     {"queue.remove", Verb::kRemove}};
  for (const auto& [name, verb] : verbs) {
    Command command{.effect = Effect::kChanges,
                    .arguments = names,
                    .handler = std::bind_front(&QueueChanges::Change, this, verb),
                    .body_handler = {},
                    .target = TargetOf};
    if (verb == Verb::kRemove) command.arguments.emplace_back("whole_mail");
    table->Add(name, std::move(command));
  }
}

QueueChanges::Answer QueueChanges::Change(Verb verb, Arguments arguments) {
  return arguments.members().contains("id") ? ChangeOne(verb, std::move(arguments))
                                            : ChangeMany(verb, std::move(arguments));
}

QueueChanges::Answer QueueChanges::ChangeOne(Verb verb, Arguments arguments) {
  if (arguments.members().size() > 1) {
    co_return Error(Errc::kInvalid, "a mail named by its id needs no other criterion; give the one or the other");
  }
  ASSIGN_OR_CO_RETURN(const QueueId id, QueueIdOf(arguments));
  if (const auto mail = queue_->Show(id); mail.has_value() && verb == Verb::kRequeue) {
    Found found;
    AddDestinations(*mail, {}, &found.destinations);
    EndPauses(found.destinations, false);
  }
  const auto changed = co_await Apply(verb, id, NameOf(arguments.caller()));
  if (!changed && changed.error().code() == Errc::kNotFound) co_return NoSuchQueuedMail(id);
  CO_RETURN_IF_ERROR(changed);
  json::object answer;
  answer["id"] = JsonText(id.ToString());
  co_return answer;
}

QueueChanges::Answer QueueChanges::ChangeMany(Verb verb, Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const QueueSelection selection, QueueSelection::Parse(arguments));
  ASSIGN_OR_CO_RETURN(const QueueId after, PlaceIn(arguments));
  ASSIGN_OR_CO_RETURN(const bool all, arguments.Flag("all"));
  ASSIGN_OR_CO_RETURN(const bool dry_run, arguments.Flag("dry_run"));
  ASSIGN_OR_CO_RETURN(const bool whole_mail, arguments.Flag("whole_mail"));
  if (all != selection.IsEverything()) {
    co_return Error(Errc::kInvalid, all ? "\"all\" means every mail; give it or criteria, not both"
                                        : "say which mails: an id, criteria, or \"all\"");
  }
  const base::WallTime now = clock_->WallNow();
  QueueWalk walk(queue_, after);
  Found found;
  bool is_end = false;
  while (found.ids.size() < kChangedMax && walk.examined() < kExaminedMax && !is_end) {
    const auto mails = co_await walk.Next(kChangedMax - found.ids.size());
    is_end = mails.empty();
    for (const QueuedMail& mail : mails) {
      if (!selection.Matches(mail, now)) continue;
      if (verb == Verb::kRequeue) AddDestinations(mail, selection, &found.destinations);
      if (!Changes(verb, mail, now)) continue;
      const bool has_others = !selection.MatchesAllRecipients(mail);
      if (has_others && verb == Verb::kRemove && !whole_mail) {
        found.left += 1;
        continue;
      }
      found.with_others += has_others ? 1 : 0;
      found.ids.push_back(mail.id);
    }
  }
  const std::uint64_t pauses = EndPauses(found.destinations, dry_run);
  std::uint64_t changed = found.ids.size();
  if (!dry_run) {
    ASSIGN_OR_CO_RETURN(changed, co_await ApplyToAll(verb, std::move(found.ids), NameOf(arguments.caller())));
  }
  json::object answer;
  answer["examined"] = walk.examined();
  answer["changed"] = changed;
  answer["left"] = found.left;
  answer["with_others"] = found.with_others;
  answer["pauses_ended"] = pauses;
  if (!is_end) answer["next"] = JsonText(walk.reached().ToString());
  co_return answer;
}

std::uint64_t QueueChanges::EndPauses(const std::set<std::string>& destinations, bool dry_run) {
  std::uint64_t ended = 0;
  for (const std::string& name : destinations) {
    const auto destination = queue_->Destination(name);
    if (!destination.has_value() || !IsPaused(*destination, clock_->WallNow())) continue;
    ended += dry_run || queue_->EndPause(name) ? 1 : 0;
  }
  return ended;
}

Task<Result<std::uint64_t>> QueueChanges::ApplyToAll(Verb verb, std::vector<QueueId> ids, std::string by) {
  const async::Executor executor = co_await asio::this_coro::executor;
  const auto batch = std::make_shared<Batch>(executor);
  for (const QueueId id : ids) {
    batch->running += 1;
    changes_.Spawn(ApplyInBatch(verb, id, by, batch));
  }
  while (batch->running > 0) co_await batch->ended.Wait();
  if (batch->error.has_value()) {
    co_return Error(batch->error->code(), fmt::format("{} of the {} mails of this step were changed, then: {}",
                                                      batch->changed, ids.size(), batch->error->message()));
  }
  co_return batch->changed;
}

Task<void> QueueChanges::ApplyInBatch(Verb verb, QueueId id, std::string by, std::shared_ptr<Batch> batch) {
  auto changed = co_await Apply(verb, id, std::move(by));
  if (changed.has_value()) {
    batch->changed += 1;
  } else if (changed.error().code() != Errc::kNotFound) {
    // One that was delivered meanwhile is no error.
    batch->error = std::move(changed).error();
  }
  batch->running -= 1;
  batch->ended.NotifyAll();
}

Task<Result<>> QueueChanges::Apply(Verb verb, QueueId id, std::string by) {
  switch (verb) {
    case Verb::kHold:
      return queue_->Hold(id);
    case Verb::kRelease:
      return queue_->Release(id);
    case Verb::kRequeue:
      return queue_->Requeue(id);
    case Verb::kRemove:
      break;
  }
  return queue_->Remove(id, std::move(by));
}

bool QueueChanges::Changes(Verb verb, const QueuedMail& mail, base::WallTime now) {
  return std::ranges::any_of(mail.recipients, [verb, now](const RecipientStatus& recipient) {
    const RecipientState state = recipient.state;
    switch (verb) {
      case Verb::kHold:
        return state == RecipientState::kWaiting || state == RecipientState::kClaimed;
      case Verb::kRelease:
        return state == RecipientState::kHeld;
      case Verb::kRequeue:
        return state == RecipientState::kWaiting && recipient.next_attempt > now;
      case Verb::kRemove:
        return true;
    }
    return false;
  });
}

}  // namespace admin
