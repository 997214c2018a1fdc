#include "imap/server/message_commands.h"

#include <utility>
#include <vector>

#include "imap/server/fetch_command.h"

namespace imap {
namespace {

store::FlagsChange ChangeOf(Store::Mode mode) {
  switch (mode) {
    case Store::Mode::kReplace:
      return store::FlagsChange::kReplace;
    case Store::Mode::kAdd:
      return store::FlagsChange::kAdd;
    case Store::Mode::kRemove:
      return store::FlagsChange::kRemove;
  }
  return store::FlagsChange::kAdd;
}

std::vector<std::uint32_t> UidsOf(const MailboxView& view, const SequenceSet& set, bool by_uid) {
  std::vector<std::uint32_t> uids = view.Numbers(set, by_uid);
  for (std::uint32_t& number : uids) number = view.uid(number);
  return uids;
}

Reply ReadOnlyReply() {
  return No(kCodeReadOnly, "the mailbox was opened with EXAMINE; SELECT it to change it");
}

}  // namespace

async::Task<Reply> RunStore(Conversation* c, Store store) {
  if (c->selected->read_only) co_return ReadOnlyReply();
  std::vector<std::uint32_t> uids = UidsOf(c->selected->view, store.set, store.uid);
  if (uids.empty()) co_return Ok("STORE completed");
  const std::size_t wanted = uids.size();
  const auto changed = co_await c->store()->StoreFlags(c->selected->id, std::move(uids), ChangeOf(store.mode),
                                                       ToStoreFlags(store.flags));
  if (!changed.has_value()) co_return ReplyTo(changed.error());
  for (const store::Message& message : *changed) {
    if (store.silent) {
      c->selected->view.Told(message.uid, message.modseq);
      continue;
    }
    TellFlags(c, message);
    co_await c->out.FlushIfLarge();
    if (c->turn.IsOver()) co_await c->turn.Pass();
  }
  if (changed->size() == wanted) co_return Ok("STORE completed");
  co_return Reply{
      .condition = Condition::kOk, .code = std::string(kCodeExpungeIssued), .text = "some messages are gone"};
}

async::Task<Reply> RunCopy(Conversation* c, Copy copy) {
  const auto to = co_await c->store()->FindMailbox(c->account, copy.mailbox);
  if (!to.has_value() && to.error().code() != base::Errc::kNotFound) co_return ReplyTo(to.error());
  if (!to.has_value() || !to->exists) co_return No(kCodeTryCreate, "there is no such mailbox");
  std::vector<std::uint32_t> uids = UidsOf(c->selected->view, copy.set, copy.uid);
  if (uids.empty()) co_return Ok("nothing to copy");
  const auto copied = co_await c->store()->Copy(c->selected->id, std::move(uids), to->id);
  if (!copied.has_value() && copied.error().code() == base::Errc::kNotFound) {
    co_return No(kCodeTryCreate, "the mailbox was deleted meanwhile");
  }
  if (!copied.has_value()) co_return ReplyTo(copied.error());
  if (copied->uids.empty()) co_return Ok("all these messages are gone");
  std::vector<std::uint32_t> from_uids;
  std::vector<std::uint32_t> to_uids;
  for (const auto& [from, made] : copied->uids) {
    from_uids.push_back(from);
    to_uids.push_back(made);
  }
  co_return Reply{.condition = Condition::kOk,
                  .code = CodeCopyUid(copied->uid_validity, from_uids, to_uids),
                  .text = "COPY completed"};
}

async::Task<Reply> RunExpunge(Conversation* c, Expunge expunge) {
  if (c->selected->read_only) co_return ReadOnlyReply();
  std::vector<std::uint32_t> uids;
  if (expunge.uids.has_value()) {
    uids = UidsOf(c->selected->view, *expunge.uids, true);
    if (uids.empty()) co_return Ok("EXPUNGE completed");  // An empty list would mean all messages to the store.
  }
  const auto expunged = co_await c->store()->Expunge(c->selected->id, std::move(uids), true);
  if (!expunged.has_value()) co_return ReplyTo(expunged.error());
  co_return Ok("EXPUNGE completed");
}

async::Task<Reply> RunClose(Conversation* c) {
  if (!c->selected->read_only) {
    const auto expunged = co_await c->store()->Expunge(c->selected->id, {}, true);
    const bool gone = !expunged.has_value() && expunged.error().code() == base::Errc::kNotFound;
    if (!expunged.has_value() && !gone) co_return ReplyTo(expunged.error());
  }
  c->selected.reset();
  co_return Ok("CLOSE completed");
}

}  // namespace imap
