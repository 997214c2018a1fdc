// MailStore's calls for mail that comes from another mail system.
#include <algorithm>
#include <utility>

#include "store/engine.h"
#include "store/flags.h"
#include "store/mail_store.h"
#include "store/results.h"

namespace store {

namespace {

std::uint32_t Number(MailboxId id) {
  return static_cast<std::uint32_t>(id.value());
}

// RFC 1939 §7: one to 70 characters from 0x21 to 0x7E.
bool IsUidl(std::string_view text) {
  return text.size() <= kUidlBytesMax && std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e; });
}

}  // namespace

async::Task<base::Result<Imported>> MailStore::Import(MailboxId mailbox, ImportedMessage message, replog::Body body) {
  ASSIGN_OR_CO_RETURN(const Flags normal, NormalizeFlags(std::move(message.flags)));
  if (!IsUidl(message.uidl) || message.uid == UINT32_MAX) {
    co_return base::Error(base::Errc::kInvalid, "a UIDL has at most 70 printable characters, a UID is below 2^32 - 1");
  }
  const ImportEntry entry{
      .mailbox = Number(mailbox),
      .uid = message.uid,
      .flags = {.system = normal.system, .keywords = {normal.keywords.begin(), normal.keywords.end()}},
      .date_us = message.internal_date.time_since_epoch().count(),
      .origin = {reinterpret_cast<const char*>(message.origin.data()), message.origin.size()},
      .uidl = message.uidl};
  const QuotaLedger::Passage passage(&engine_->ledger(), store::PartitionOf(mailbox),
                                     Usage{.bytes = body.size_bytes(), .mails = 1});
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kImport);
  draft.meta = EncodeEntry(entry);
  draft.body = std::move(body);
  ASSIGN_OR_CO_RETURN(const std::string applied,
                      co_await engine_->ProposeDraft(store::PartitionOf(mailbox), std::move(draft)));
  co_return DecodeImported(applied);
}

async::Task<base::Result<FlagsImported>> MailStore::ImportFlags(MailboxId mailbox, std::vector<SourceFlags> messages) {
  if (messages.size() > kSourceFlagsMax) {
    co_return base::Error(base::Errc::kInvalid, "flags of too many messages at once");
  }
  for (SourceFlags& message : messages) {
    ASSIGN_OR_CO_RETURN(message.flags, NormalizeFlags(std::move(message.flags)));
  }
  std::ranges::sort(messages, {}, &SourceFlags::origin);
  const auto repeated = std::ranges::unique(messages, {}, &SourceFlags::origin);
  messages.erase(repeated.begin(), repeated.end());
  // Most messages have not changed: their flags need not go through the log.
  ASSIGN_OR_CO_RETURN(const OtherFlags others, co_await engine_->Read([mailbox, messages](const ReadView& view) {
    return QueryOtherFlags(view, mailbox, messages);
  }));
  FlagsImported imported{.changed = 0, .kept = others.kept, .refused = 0};
  if (others.importable.empty()) co_return imported;
  ImportFlagsEntry entry{.mailbox = Number(mailbox), .messages = {}};
  for (const std::size_t i : others.importable) {
    const SourceFlags& message = messages[i];
    entry.messages.push_back({.origin = {reinterpret_cast<const char*>(message.origin.data()), message.origin.size()},
                              .flags = {.system = message.flags.system,
                                        .keywords = {message.flags.keywords.begin(), message.flags.keywords.end()}}});
  }
  ASSIGN_OR_CO_RETURN(const std::string applied,
                      co_await engine_->Propose(store::PartitionOf(mailbox), EntryType::kImportFlags, entry));
  ASSIGN_OR_CO_RETURN(const FlagsImported decided, DecodeFlagsImported(applied));
  imported.changed = decided.changed;
  imported.kept += decided.kept;
  imported.refused = decided.refused;
  co_return imported;
}

async::Task<base::Result<>> MailStore::SetUids(MailboxId mailbox, std::uint32_t uid_validity, std::uint32_t uid_next) {
  if (uid_validity > kImportedUidValidityMax) {
    co_return base::Error(base::Errc::kInvalid,
                          "a UIDVALIDITY above " + std::to_string(kImportedUidValidityMax) + " cannot be kept");
  }
  const SetUidsEntry entry{.mailbox = Number(mailbox), .uid_validity = uid_validity, .uid_next = uid_next};
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(mailbox), EntryType::kSetUids, entry));
  co_return base::Result<>();
}

async::Task<base::Result<std::vector<bool>>> MailStore::FindOrigins(MailboxId mailbox, std::vector<Origin> origins) {
  co_return co_await engine_->Read(
      [mailbox, origins = std::move(origins)](const ReadView& view) { return QueryOrigins(view, mailbox, origins); });
}

}  // namespace store
