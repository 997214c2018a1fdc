#include "imap/server/mailbox_commands.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "imap/proto/mailbox_name.h"
#include "imap/proto/response.h"

namespace imap {
namespace {

using base::Result;

// FindMailbox for commands that need a mailbox that exists. The reply when there is none.
Reply NoMailbox() {
  return No(kCodeNonExistent, "there is no such mailbox");
}

// The number of the first message without \Seen; nothing when there is none, or none within the limit.
async::Task<Result<std::optional<std::uint32_t>>> FirstUnseen(Conversation* c, const Selected* selected) {
  constexpr std::uint32_t kBatch = 512;
  const std::uint32_t limit = std::min(c->settings->unseen_scan_max, selected->view.size());
  for (std::uint32_t at = 1; at <= limit; at += kBatch) {
    const std::uint32_t last = std::min(at + kBatch - 1, limit);
    ASSIGN_OR_CO_RETURN(const auto messages,
                        co_await c->store()->ListMessages(selected->id, selected->view.uid(at),
                                                          selected->view.uid(last), last - at + 1));
    for (const store::Message& message : messages) {
      if ((message.flags.system & store::Flags::kSeen) == 0) co_return selected->view.SequenceOf(message.uid);
    }
  }
  co_return std::optional<std::uint32_t>();
}

// The untagged responses of SELECT (RFC 3501 §6.3.1).
void TellState(Conversation* c, const Selected* selected, const store::Mailbox* state,
               std::optional<std::uint32_t> first_unseen) {
  const FlagSet flags{.system = kAllSystemFlags, .keywords = state->keywords};
  const auto tell = [c](std::string_view code, std::string_view text) {
    c->out.Add(StatusLine("*", Condition::kOk, code, text));
  };
  c->out.Add(FlagsLine(flags));
  c->out.Add(CountLine(selected->view.size(), "EXISTS"));
  c->out.Add(CountLine(selected->view.recent_count(), "RECENT"));
  if (first_unseen.has_value()) tell(CodeUnseen(*first_unseen), "first message that was not seen");
  const bool has_room = state->keywords.size() < store::kKeywordsPerMailboxMax;
  tell(selected->read_only ? CodePermanentFlags({}, false) : CodePermanentFlags(flags, has_room), "flags that stay");
  tell(CodeUidNext(state->uid_next), "next UID");
  tell(CodeUidValidity(state->uid_validity), "UIDs are valid");
  tell(CodeHighestModseq(selected->view.modseq()), "highest");
}

}  // namespace

async::Task<Reply> RunSelect(Conversation* c, Select select) {
  // RFC 7162 §3.2.11: what follows is about the new mailbox.
  if (c->selected.has_value() && c->condstore)
    c->out.Add(StatusLine("*", Condition::kOk, "CLOSED", "left the mailbox"));
  c->selected.reset();  // RFC 3501 §6.3.1: also when the SELECT fails.
  if (select.condstore) EnableCondstore(c);
  auto listing = co_await c->store()->FindMailboxWithUids(c->account, select.mailbox);
  if (!listing.has_value() && listing.error().code() != base::Errc::kNotFound) co_return ReplyTo(listing.error());
  if (!listing.has_value()) co_return NoMailbox();
  const store::Mailbox& state = listing->mailbox;
  RecentTracker& recent = *c->services->recent;
  const std::uint32_t first_recent = select.read_only ? recent.Peek(state.id) : recent.Claim(state.id, state.uid_next);
  Selected selected{.id = state.id,
                    .read_only = select.read_only,
                    .view = MailboxView(std::move(listing->uids), state.highest_modseq, first_recent, state.keywords)};
  selected.view.TellModseqs(c->condstore);
  std::optional<std::uint32_t> first_unseen;
  if (state.unseen > 0) {
    const auto found = co_await FirstUnseen(c, &selected);
    if (!found.has_value()) co_return ReplyTo(found.error());
    first_unseen = *found;
  }
  TellState(c, &selected, &state, first_unseen);
  c->selected = std::move(selected);
  co_return Reply{.condition = Condition::kOk,
                  .code = std::string(select.read_only ? kCodeReadOnly : kCodeReadWrite),
                  .text = select.read_only ? "EXAMINE completed" : "SELECT completed"};
}

async::Task<Reply> RunCreate(Conversation* c, Create create) {
  const auto valid = CheckMailboxName(create.mailbox);
  if (!valid.has_value()) co_return ReplyTo(valid.error());
  const auto made = co_await c->store()->CreateMailbox(c->account, std::move(create.mailbox));
  if (!made.has_value()) co_return ReplyTo(made.error());
  co_return Ok("CREATE completed");
}

async::Task<Reply> RunDelete(Conversation* c, Delete deletion) {
  // Names change hands while a mailbox is selected (its parent or itself may be renamed, also by others): the id says
  // whether it is this one.
  const auto doomed = co_await c->store()->FindMailbox(c->account, deletion.mailbox);
  const auto deleted = co_await c->store()->DeleteMailbox(c->account, std::move(deletion.mailbox));
  if (!deleted.has_value()) co_return ReplyTo(deleted.error());
  // Who deletes the mailbox he is in has left it.
  if (c->selected.has_value() && doomed.has_value() && c->selected->id == doomed->id) c->selected.reset();
  co_return Ok("DELETE completed");
}

async::Task<Reply> RunRename(Conversation* c, Rename rename) {
  const auto valid = CheckMailboxName(rename.to);
  if (!valid.has_value()) co_return ReplyTo(valid.error());
  const auto renamed = co_await c->store()->RenameMailbox(c->account, std::move(rename.from), std::move(rename.to));
  if (!renamed.has_value()) co_return ReplyTo(renamed.error());
  co_return Ok("RENAME completed");
}

async::Task<Reply> RunSubscribe(Conversation* c, Subscribe subscribe) {
  const auto valid = CheckMailboxName(subscribe.mailbox);
  if (!valid.has_value()) co_return ReplyTo(valid.error());
  const auto done = co_await c->store()->Subscribe(c->account, std::move(subscribe.mailbox), subscribe.subscribe);
  if (!done.has_value()) co_return ReplyTo(done.error());
  co_return Ok(subscribe.subscribe ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed");
}

async::Task<Reply> RunStatus(Conversation* c, Status status) {
  const auto state = co_await c->store()->FindMailbox(c->account, status.mailbox);
  if (!state.has_value() && state.error().code() != base::Errc::kNotFound) co_return ReplyTo(state.error());
  if (!state.has_value() || !state->exists) co_return NoMailbox();
  MailboxCounts counts{.messages = state->messages,
                       .recent = 0,
                       .uid_next = state->uid_next,
                       .uid_validity = state->uid_validity,
                       .unseen = state->unseen,
                       .size_bytes = state->bytes,
                       .highest_modseq = state->highest_modseq};
  if (std::ranges::find(status.items, StatusItem::kHighestModseq) != status.items.end()) EnableCondstore(c);
  const std::uint32_t first_recent = c->services->recent->Peek(state->id);
  if (std::ranges::find(status.items, StatusItem::kRecent) != status.items.end() && first_recent < state->uid_next) {
    const auto uids = co_await c->store()->ListUids(state->id);
    if (!uids.has_value()) co_return ReplyTo(uids.error());
    counts.recent = static_cast<std::uint32_t>(uids->end() - std::ranges::lower_bound(*uids, first_recent));
  }
  c->out.Add(MailboxStatusLine(state->name, status.items, counts));
  co_return Ok("STATUS completed");
}

}  // namespace imap
