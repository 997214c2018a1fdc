// MessageReader: the header, the structure and the sections of one stored message, reading no more of it than is asked
// for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "async/turn.h"
#include "base/result.h"
#include "mail/mime.h"
#include "mail/section.h"
#include "store/mail_store.h"

namespace imap {

// Thread: the store's shard, in turns. Borrows the store and the turn. Memory: the message when it is small, else its
// header and at most what StructureScanner keeps. Errors of every call: those of MailStore::ReadMessage; kNotFound:
// expunged meanwhile.
class MessageReader {
 public:
  MessageReader(store::MailStore* store, async::Turn* turn, store::MailboxId mailbox, std::uint32_t uid,
                std::uint64_t size_bytes)
      : store_(store), turn_(turn), mailbox_(mailbox), uid_(uid), size_bytes_(size_bytes) {}

  // Valid until the next call.
  async::Task<base::Result<std::string_view>> Header();
  // Valid as long as this.
  async::Task<base::Result<const mail::MimePart*>> Structure();
  // Where a section lies; nothing when the message has no such section.
  async::Task<base::Result<std::optional<mail::SectionBytes>>> Find(mail::Section section);
  // A range of the message in memory: for headers and parts whose size the caller has checked.
  async::Task<base::Result<std::string>> Bytes(mail::Range range);
  // Up to 64 KiB from `offset` on: for what is sent piece by piece.
  async::Task<base::Result<std::string>> Piece(std::uint64_t offset, std::uint64_t size);

  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  static constexpr std::uint64_t kWholeBytesMax = 256u << 10;  // A message up to this size is read once, whole.
  static constexpr std::uint64_t kPieceBytes = 64u << 10;
  static constexpr std::size_t kStepBytes = 16u << 10;    // Scanned before the clock is looked at.
  static constexpr std::uint64_t kHeadBytes = 16u << 10;  // The first bite at a header.

  bool is_small() const { return size_bytes_ <= kWholeBytesMax; }
  async::Task<base::Result<>> ScanLarge();
  async::Task<base::Result<>> ReadHead(std::uint64_t size);

  store::MailStore* store_;
  async::Turn* turn_;
  store::MailboxId mailbox_;
  std::uint32_t uid_;
  std::uint64_t size_bytes_;
  std::string head_;  // The first bytes of the message; all of a small one after Structure().
  std::optional<std::size_t> header_size_;
  std::optional<mail::MimePart> structure_;
};

}  // namespace imap
