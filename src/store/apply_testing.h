// IndexRig: a changeset on a real RocksDB, driven by entries made by hand, for the tests of applies and queries.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "store/apply.h"
#include "store/entries.h"
#include "store/index.h"
#include "store/queries.h"
#include "store/results.h"
#include "store/snapshot.h"
#include "store/types.h"

namespace store {

// What a log would hand out, kept so that it can be handed out again.
struct LoggedEntry {
  std::uint64_t index = 0;
  EntryType type{};
  std::string meta;
  replog::BodyRef body;
};

// Thread: the test's, which plays the worker.
class IndexRig {
 public:
  static constexpr replog::PartitionId kPartition{7};

  IndexRig() : folder_(std::filesystem::temp_directory_path() / ("posthorn-index-" + base::RandomHex(8))) { Open(); }
  ~IndexRig() {
    Close();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    std::filesystem::remove_all(copy(), ignored);
  }
  IndexRig(const IndexRig&) = delete;
  IndexRig& operator=(const IndexRig&) = delete;

  // Gives the entry the next index, keeps it, and applies it. `size` makes a body.
  template <class Entry>
  base::Result<std::string> Propose(EntryType type, const Entry& entry, std::uint64_t body_bytes = 0) {
    LoggedEntry logged{.index = ++last_index_, .type = type, .meta = EncodeEntry(entry), .body = {}};
    if (body_bytes > 0) logged.body = BodyOf(logged.index, body_bytes);
    log_.push_back(logged);
    return Apply(logged);
  }
  base::Result<std::string> Apply(const LoggedEntry& logged) {
    const replog::EntryView view{.partition = kPartition,
                                 .epoch = replog::Epoch(1),
                                 .index = replog::Index(logged.index),
                                 .type = static_cast<std::uint8_t>(logged.type),
                                 .cls = mail::Class::kNormal,
                                 .meta = logged.meta,
                                 .body = logged.body};
    return ApplyEntry(*changes_, view);
  }
  static replog::BodyRef BodyOf(std::uint64_t index, std::uint64_t bytes) {
    replog::BodyRef body;
    body.id = replog::BodyId(index);
    body.size_bytes = bytes;
    body.extents.push_back(
        {.segment = 1, .generation = 1, .offset = static_cast<std::uint32_t>(index * 64), .size = 64});
    body.extent_bytes.push_back(static_cast<std::uint32_t>(bytes));
    return body;
  }

  // Makes what was applied visible to queries, and collects its effects.
  void Flush() {
    const auto flushed = changes_->Flush();
    if (!flushed.has_value()) std::fprintf(stderr, "flush: %s\n", flushed.error().message().c_str());
    CHECK(flushed.has_value());
    Effects effects = changes_->TakeEffects();
    for (Effects::Release& release : effects.releases) released.push_back(release.body.id.value());
  }
  // To files, as a crash would find them.
  void FlushToDisk() {
    Flush();
    CHECK(index_->db().Flush(rocksdb::FlushOptions()).ok());
  }
  // Cuts the power: only what RocksDB has in files stays.
  void Crash() {
    CHECK(index_->db().PauseBackgroundWork().ok());  // No file comes or goes while they are copied.
    std::filesystem::copy(folder_, copy(), std::filesystem::copy_options::recursive);
    CHECK(index_->db().ContinueBackgroundWork().ok());
    Close();
    std::filesystem::remove_all(folder_);
    std::filesystem::rename(copy(), folder_);
    Open();
  }
  void DeleteIndex() {
    Close();
    std::filesystem::remove_all(folder_);
    Open();
  }
  void ReplayAll() {
    for (const LoggedEntry& entry : log_) (void)Apply(entry).has_value();  // The outcome was the proposer's.
    Flush();
  }

  std::vector<std::string> Pieces() {
    Flush();
    SnapshotRows rows(&index_->db(), kPartition, changes_->Partition(kPartition));
    std::vector<std::string> pieces;
    for (;;) {
      auto piece = rows.NextPiece();
      CHECK(piece.has_value());
      if (piece->empty()) return pieces;
      pieces.push_back(*std::move(piece));
    }
  }
  // Of everything that counts as the partition's state.
  std::uint32_t Digest() {
    std::uint32_t digest = 0;
    for (const std::string& piece : Pieces()) digest = base::Crc32c(base::AsBytes(piece), digest);
    return digest;
  }

  template <class Query>
  auto Ask(Query query) {
    Flush();
    return query(ReadView(&index_->db()));
  }

  // ---- Short cuts ----
  AccountId AddAccount(std::string_view address) {
    const auto made =
        Propose(EntryType::kCreateAccount, CreateAccountEntry{.address = address, .password_hash = "hash"});
    CHECK(made.has_value());
    return AccountId(std::uint64_t{kPartition.value()} << 32 | *DecodeAccountResult(*made));
  }
  static MailboxId InboxOf(AccountId account) { return MailboxId(account.value()); }
  static std::uint32_t Number(auto id) { return static_cast<std::uint32_t>(id.value()); }
  void DeliverTo(AccountId account, std::uint64_t body_bytes = 100) {
    DeliverEntry entry;
    entry.date_us = 1'000'000;
    entry.ids_kept_hours = 48;
    entry.targets.push_back(
        {.account = Number(account), .delivery_id = mail::DeliveryId::Queued(1, ++queued_, 0), .prefix = "P: x\r\n"});
    CHECK(Propose(EntryType::kDeliver, entry, body_bytes).has_value());
  }
  base::Result<std::string> CreateMailbox(AccountId account, std::string_view name, std::uint32_t names_max = 100) {
    return Propose(EntryType::kCreateMailbox,
                   CreateMailboxEntry{.account = Number(account), .name = name, .names_max = names_max});
  }
  Mailbox MailboxOf(AccountId account, std::string name) {
    auto mailbox = Ask([&](const ReadView& view) { return QueryMailboxByName(view, account, name); });
    CHECK(mailbox.has_value());
    return *mailbox;
  }

  Changeset& changes() { return *changes_; }
  Index& index() { return *index_; }
  std::uint64_t last_index() const { return last_index_; }
  const std::vector<LoggedEntry>& log() const { return log_; }
  std::vector<std::uint64_t> released;  // Body ids, in order.

 private:
  std::filesystem::path copy() const { return folder_.string() + "-copy"; }
  void Open() {
    auto index = Index::Open(folder_.string(), 8u << 20);
    CHECK(index.has_value());
    index_ = *std::move(index);
    changes_ = std::make_unique<Changeset>(index_.get(), 1000);
  }
  void Close() {
    changes_.reset();
    index_.reset();
  }

  std::filesystem::path folder_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<Changeset> changes_;
  std::vector<LoggedEntry> log_;
  std::uint64_t last_index_ = 0;
  std::uint64_t queued_ = 0;
};

}  // namespace store
