#include "imap/server/message_commands.h"

#include <utility>
#include <vector>

#include "imap/proto/response.h"
#include "imap/server/fetch_command.h"

namespace imap {
namespace {

using base::Result;

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

async::Task<Result<store::FlagsStored>> ChangeFlags(Conversation* c, const Store* store,
                                                    std::vector<std::uint32_t> uids) {
  const store::MailboxId mailbox = c->selected->id;
  const store::FlagsChange change = ChangeOf(store->mode);
  if (store->unchanged_since.has_value()) {
    co_return co_await c->store()->StoreFlagsIf(mailbox, std::move(uids), change, ToStoreFlags(store->flags),
                                                *store->unchanged_since);
  }
  store::FlagsStored stored;
  ASSIGN_OR_CO_RETURN(stored.changed,
                      co_await c->store()->StoreFlags(mailbox, std::move(uids), change, ToStoreFlags(store->flags)));
  co_return stored;
}

// The client knows the flags that it has set, but not their MODSEQ (RFC 7162 §3.1.3).
void TellSilently(Conversation* c, const store::Message& message) {
  c->selected->view.Told(message.uid, message.modseq);
  const auto sequence = c->selected->view.SequenceOf(message.uid);
  if (!c->condstore || !sequence.has_value()) return;
  FetchLine line(c->out.buffer(), *sequence);
  line.Uid(message.uid);
  line.Modseq(message.modseq);
  line.End();
}

// UIDs as the command has named its messages: by UID, or by number.
std::vector<std::uint32_t> AsNamed(const MailboxView& view, bool by_uid, std::vector<std::uint32_t> uids) {
  if (by_uid) return uids;
  std::vector<std::uint32_t> numbers;
  for (const std::uint32_t uid : uids) {
    if (const auto sequence = view.SequenceOf(uid)) numbers.push_back(*sequence);
  }
  return numbers;
}

std::string CodeOf(const store::Copied& copied) {
  std::vector<std::uint32_t> from_uids;
  std::vector<std::uint32_t> to_uids;
  for (const auto& [from, made] : copied.uids) {
    from_uids.push_back(from);
    to_uids.push_back(made);
  }
  return CodeCopyUid(copied.uid_validity, from_uids, to_uids);
}

Reply ReadOnlyReply() {
  return No(kCodeReadOnly, "the mailbox was opened with EXAMINE; SELECT it to change it");
}

}  // namespace

async::Task<Reply> RunStore(Conversation* c, Store store) {
  if (c->selected->read_only) co_return ReadOnlyReply();
  if (store.unchanged_since.has_value()) EnableCondstore(c);
  std::vector<std::uint32_t> uids = UidsOf(c->selected->view, store.set, store.uid);
  if (uids.empty()) co_return Ok("STORE completed");
  const std::size_t wanted = uids.size();
  auto stored = co_await ChangeFlags(c, &store, std::move(uids));
  if (!stored.has_value()) co_return ReplyTo(stored.error());
  for (const store::Message& message : stored->changed) {
    if (store.silent) {
      TellSilently(c, message);
    } else {
      TellFlags(c, message);
    }
    co_await c->out.FlushIfLarge();
    if (c->turn.IsOver()) co_await c->turn.Pass();
  }
  if (!stored->modified.empty()) {
    co_return Reply{.condition = Condition::kOk,
                    .code = CodeModified(AsNamed(c->selected->view, store.uid, std::move(stored->modified))),
                    .text = "some messages were changed by others"};
  }
  if (stored->changed.size() == wanted) co_return Ok("STORE completed");
  co_return Reply{
      .condition = Condition::kOk, .code = std::string(kCodeExpungeIssued), .text = "some messages are gone"};
}

async::Task<Reply> RunCopy(Conversation* c, Copy copy) {
  if (copy.move && c->selected->read_only) co_return ReadOnlyReply();
  const auto to = co_await c->store()->FindMailbox(c->account, copy.mailbox);
  if (!to.has_value() && to.error().code() != base::Errc::kNotFound) co_return ReplyTo(to.error());
  if (!to.has_value() || !to->exists) co_return No(kCodeTryCreate, "there is no such mailbox");
  std::vector<std::uint32_t> uids = UidsOf(c->selected->view, copy.set, copy.uid);
  if (uids.empty()) co_return Ok(copy.move ? "nothing to move" : "nothing to copy");
  Result<store::Copied> copied;
  if (copy.move) {
    copied = co_await c->store()->Move(c->selected->id, std::move(uids), to->id);
  } else {
    copied = co_await c->store()->Copy(c->selected->id, std::move(uids), to->id);
  }
  if (!copied.has_value() && copied.error().code() == base::Errc::kNotFound) {
    co_return No(kCodeTryCreate, "the mailbox was deleted meanwhile");
  }
  if (!copied.has_value()) co_return ReplyToStoring(copied.error());
  if (copied->uids.empty()) co_return Ok("all these messages are gone");
  std::string code = CodeOf(*copied);
  if (!copy.move) co_return Reply{.condition = Condition::kOk, .code = std::move(code), .text = "COPY completed"};
  // RFC 6851 §4.3: before the EXPUNGEs, which TellChanges() adds, so that the client knows where its messages went.
  c->out.Add(StatusLine("*", Condition::kOk, code, "moved"));
  co_return Ok("MOVE completed");
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
