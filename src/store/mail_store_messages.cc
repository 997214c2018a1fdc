// MailStore's calls about messages and changes.
#include <algorithm>
#include <utility>

#include "store/engine.h"
#include "store/flags.h"
#include "store/mail_store.h"
#include "store/results.h"

namespace store {

namespace {

constexpr std::uint64_t kReadBytesMax = 1u << 20;

std::uint32_t Number(MailboxId id) {
  return static_cast<std::uint32_t>(id.value());
}

std::vector<std::uint32_t> SortedOnce(std::vector<std::uint32_t> uids) {
  std::ranges::sort(uids);
  const auto repeated = std::ranges::unique(uids);
  uids.erase(repeated.begin(), repeated.end());
  return uids;
}

// The part of `uids` that goes into one entry, from `at` on.
std::vector<std::uint32_t> OneEntry(const std::vector<std::uint32_t>& uids, std::size_t at) {
  const auto begin = uids.begin() + static_cast<std::ptrdiff_t>(at);
  const auto end =
      uids.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(uids.size(), at + kUidsPerEntryMax));
  return {begin, end};
}

EntryFlags FlagsOfEntry(const Flags& flags) {
  return {.system = flags.system, .keywords = {flags.keywords.begin(), flags.keywords.end()}};
}

}  // namespace

async::Task<base::Result<std::vector<Message>>> MailStore::ListMessages(MailboxId mailbox, std::uint32_t first,
                                                                        std::uint32_t last, std::uint32_t limit) {
  return engine_->Read(
      [mailbox, first, last, limit](const ReadView& view) { return QueryMessages(view, mailbox, first, last, limit); });
}

async::Task<base::Result<std::vector<std::uint32_t>>> MailStore::ListUids(MailboxId mailbox) {
  return engine_->Read([mailbox](const ReadView& view) { return QueryUids(view, mailbox); });
}

async::Task<base::Result<Message>> MailStore::FindMessage(MailboxId mailbox, std::uint32_t uid) {
  return engine_->Read([mailbox, uid](const ReadView& view) { return QueryMessage(view, mailbox, uid); });
}

async::Task<base::Result<std::string>> MailStore::ReadMessage(MailboxId mailbox, std::uint32_t uid,
                                                              std::uint64_t offset, std::uint64_t size) {
  size = std::min(size, kReadBytesMax);
  mffs::Location tried;
  for (;;) {
    ASSIGN_OR_CO_RETURN(const Message message, co_await FindMessage(mailbox, uid));
    std::string text;
    if (offset < message.prefix.size()) text = message.prefix.substr(offset, size);
    const std::uint64_t body_offset = std::max<std::uint64_t>(offset, message.prefix.size()) - message.prefix.size();
    if (text.size() == size || message.body.empty() || body_offset >= message.body.size_bytes) co_return text;
    auto body = co_await engine_->log().ReadBody(message.body, body_offset, size - text.size());
    if (body.has_value()) {
      text += *body;
      co_return text;
    }
    // Cleaning may have moved the mail between the two reads: look again, unless it lies where it lay.
    if (body.error().code() != base::Errc::kNotFound || message.body.extents.front() == tried)
      co_return std::move(body).error();
    tried = message.body.extents.front();
  }
}

async::Task<base::Result<Appended>> MailStore::Append(MailboxId mailbox, Flags flags, base::WallTime internal_date,
                                                      replog::Body body) {
  ASSIGN_OR_CO_RETURN(const Flags normal, NormalizeFlags(std::move(flags)));
  const AppendEntry entry{.mailbox = Number(mailbox),
                          .flags = FlagsOfEntry(normal),
                          .date_us = internal_date.time_since_epoch().count(),
                          .quota = engine_->QuotaOfEntry(true)};
  const QuotaLedger::Passage passage(&engine_->ledger(), store::PartitionOf(mailbox),
                                     Usage{.bytes = body.size_bytes(), .mails = 1});
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kAppend);
  draft.stream = engine_->StreamOf(mailbox);
  draft.meta = EncodeEntry(entry);
  draft.body = std::move(body);
  ASSIGN_OR_CO_RETURN(const std::string applied,
                      co_await engine_->ProposeDraft(store::PartitionOf(mailbox), std::move(draft)));
  co_return DecodeAppended(applied);
}

async::Task<base::Result<std::vector<Message>>> MailStore::StoreFlags(MailboxId mailbox,
                                                                      std::vector<std::uint32_t> uids,
                                                                      FlagsChange change, Flags flags) {
  ASSIGN_OR_CO_RETURN(const Flags normal, NormalizeFlags(std::move(flags)));
  uids = SortedOnce(std::move(uids));
  std::vector<Message> messages;
  for (std::size_t at = 0; at < uids.size(); at += kUidsPerEntryMax) {
    StoreFlagsEntry entry{.mailbox = Number(mailbox),
                          .change = static_cast<std::uint8_t>(change),
                          .flags = FlagsOfEntry(normal),
                          .uids = OneEntry(uids, at)};
    ASSIGN_OR_CO_RETURN(const std::string applied,
                        co_await engine_->Propose(store::PartitionOf(mailbox), EntryType::kStoreFlags, entry));
    ASSIGN_OR_CO_RETURN(std::vector<Message> part, DecodeFlagsResult(applied));
    std::ranges::move(part, std::back_inserter(messages));
  }
  co_return messages;
}

async::Task<base::Result<FlagsStored>> MailStore::StoreFlagsIf(MailboxId mailbox, std::vector<std::uint32_t> uids,
                                                               FlagsChange change, Flags flags,
                                                               std::uint64_t unchanged_since) {
  ASSIGN_OR_CO_RETURN(const Flags normal, NormalizeFlags(std::move(flags)));
  uids = SortedOnce(std::move(uids));
  FlagsStored stored;
  for (std::size_t at = 0; at < uids.size(); at += kUidsPerEntryMax) {
    StoreFlagsIfEntry entry{.change = {.mailbox = Number(mailbox),
                                       .change = static_cast<std::uint8_t>(change),
                                       .flags = FlagsOfEntry(normal),
                                       .uids = OneEntry(uids, at)},
                            .unchanged_since = unchanged_since};
    ASSIGN_OR_CO_RETURN(const std::string applied,
                        co_await engine_->Propose(store::PartitionOf(mailbox), EntryType::kStoreFlagsIf, entry));
    ASSIGN_OR_CO_RETURN(FlagsStored part, DecodeFlagsStored(applied));
    std::ranges::move(part.changed, std::back_inserter(stored.changed));
    std::ranges::move(part.modified, std::back_inserter(stored.modified));
  }
  co_return stored;
}

async::Task<base::Result<Copied>> MailStore::Copy(MailboxId from, std::vector<std::uint32_t> uids, MailboxId to) {
  return engine_->Copy({.from = Number(from), .to = Number(to), .move = false, .uids = SortedOnce(std::move(uids))},
                       store::PartitionOf(from), store::PartitionOf(to));
}

async::Task<base::Result<Copied>> MailStore::Move(MailboxId from, std::vector<std::uint32_t> uids, MailboxId to) {
  return engine_->Copy({.from = Number(from), .to = Number(to), .move = true, .uids = SortedOnce(std::move(uids))},
                       store::PartitionOf(from), store::PartitionOf(to));
}

async::Task<base::Result<std::vector<std::uint32_t>>> MailStore::Expunge(MailboxId mailbox,
                                                                         std::vector<std::uint32_t> uids,
                                                                         bool only_deleted) {
  uids = SortedOnce(std::move(uids));
  if (only_deleted) {
    // Found by a reader, so that the apply reads only what goes; it looks at the flags once more.
    ASSIGN_OR_CO_RETURN(uids, co_await engine_->Read([mailbox, uids](const ReadView& view) {
      return QueryDeletedUids(view, mailbox, uids);
    }));
  }
  std::vector<std::uint32_t> gone;
  for (std::size_t at = 0; at < uids.size(); at += kUidsPerEntryMax) {
    ExpungeEntry entry{.mailbox = Number(mailbox), .only_deleted = only_deleted, .uids = OneEntry(uids, at)};
    ASSIGN_OR_CO_RETURN(const std::string applied,
                        co_await engine_->Propose(store::PartitionOf(mailbox), EntryType::kExpunge, entry));
    ASSIGN_OR_CO_RETURN(const std::vector<std::uint32_t> part, DecodeUidsResult(applied));
    gone.insert(gone.end(), part.begin(), part.end());
  }
  co_return gone;
}

// ---- Changes ----

async::Task<base::Result<Changes>> MailStore::ChangesSince(MailboxId mailbox, std::uint64_t modseq) {
  return engine_->Read([mailbox, modseq](const ReadView& view) { return QueryChanges(view, mailbox, modseq); });
}

async::Task<base::Result<std::vector<std::uint32_t>>> MailStore::ChangedUids(MailboxId mailbox, std::uint64_t modseq) {
  return engine_->Read([mailbox, modseq](const ReadView& view) { return QueryChangedUids(view, mailbox, modseq); });
}

async::Task<void> MailStore::WaitForChange(MailboxId mailbox, std::uint64_t modseq, std::chrono::milliseconds timeout) {
  ChangeWaiters::Watch watch(&engine_->waiters(), mailbox);
  const auto state = co_await MailboxState(mailbox);
  // Gone is a change too; what went wrong the caller learns from its next call.
  if (!state.has_value() || state->highest_modseq > modseq) co_return;
  co_await watch.Wait(timeout);
}

}  // namespace store
