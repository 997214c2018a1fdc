#include "imap/server/message_reader.h"

#include <algorithm>

#include "imap/server/structure_scanner.h"
#include "mail/header.h"

namespace imap {

using base::Result;

async::Task<Result<std::string_view>> MessageReader::Header() {
  const std::uint64_t limit = std::min<std::uint64_t>(size_bytes_, mail::MimeLimits().header_bytes_max);
  while (!header_size_.has_value()) {
    const std::uint64_t wanted = is_small() ? size_bytes_ : std::max<std::uint64_t>(kHeadBytes, head_.size() * 4);
    CO_RETURN_IF_ERROR(co_await ReadHead(std::min(wanted, limit)));
    const std::size_t size = mail::HeaderSize(head_);
    if (size < head_.size() || head_.size() >= limit) header_size_ = size;
  }
  co_return std::string_view(head_).substr(0, *header_size_);
}

async::Task<Result<const mail::MimePart*>> MessageReader::Structure() {
  if (structure_.has_value()) co_return &*structure_;
  if (is_small()) {
    CO_RETURN_IF_ERROR(co_await ReadHead(size_bytes_));
    mail::MimeScan scan(head_);
    while (scan.Step(kStepBytes)) {
      if (turn_->IsOver()) co_await turn_->Pass();
    }
    structure_ = scan.Take();
  } else {
    CO_RETURN_IF_ERROR(co_await ScanLarge());
  }
  co_return &*structure_;
}

async::Task<Result<>> MessageReader::ScanLarge() {
  StructureScanner scanner;
  for (std::uint64_t at = 0; at < size_bytes_; at += kWholeBytesMax) {
    const std::uint64_t size = std::min(kWholeBytesMax, size_bytes_ - at);
    ASSIGN_OR_CO_RETURN(const std::string bytes, co_await store_->ReadMessage(mailbox_, uid_, at, size));
    for (std::size_t taken = 0; taken < bytes.size(); taken += kStepBytes) {
      scanner.Add(std::string_view(bytes).substr(taken, kStepBytes));
      if (turn_->IsOver()) co_await turn_->Pass();
    }
  }
  scanner.End();
  while (scanner.Step(kStepBytes)) {
    if (turn_->IsOver()) co_await turn_->Pass();
  }
  structure_ = scanner.Take();
  co_return Result<>();
}

async::Task<Result<std::optional<mail::SectionBytes>>> MessageReader::Find(mail::Section section) {
  using mail::SectionKind;
  if (section.path.empty()) {
    if (section.kind == SectionKind::kWhole) {
      co_return mail::SectionBytes{.range = {.offset = 0, .size = size_bytes_}, .built = {}};
    }
    ASSIGN_OR_CO_RETURN(const std::string_view header, co_await Header());
    mail::MimePart message;
    message.header = {.offset = 0, .size = header.size()};
    message.body = {.offset = header.size(), .size = size_bytes_ - header.size()};
    co_return mail::FindSection(header, message, section);
  }
  ASSIGN_OR_CO_RETURN(const mail::MimePart* root, co_await Structure());
  const bool of_fields = section.kind == SectionKind::kHeaderFields || section.kind == SectionKind::kHeaderFieldsNot;
  if (!of_fields) co_return mail::FindSection({}, *root, section);
  // The fields are picked from the header of the enclosed message alone, which is all that is read of it.
  const mail::Section whole_header{.path = section.path, .kind = SectionKind::kHeader};
  const auto found = mail::FindSection({}, *root, whole_header);
  if (!found.has_value()) co_return std::optional<mail::SectionBytes>();
  ASSIGN_OR_CO_RETURN(const std::string header, co_await Bytes(found->range));
  mail::MimePart enclosed;
  enclosed.header = {.offset = 0, .size = header.size()};
  section.path.clear();
  co_return mail::FindSection(header, enclosed, section);
}

async::Task<Result<std::string>> MessageReader::Bytes(mail::Range range) {
  std::string bytes;
  while (bytes.size() < range.size) {
    const std::uint64_t size = std::min(kWholeBytesMax, range.size - bytes.size());
    const std::uint64_t offset = range.offset + bytes.size();
    if (offset + size <= head_.size()) {
      bytes.append(head_, offset, size);
      continue;
    }
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await store_->ReadMessage(mailbox_, uid_, offset, size));
    if (piece.empty()) co_return base::Error(base::Errc::kCorrupt, "a message is shorter than its index says");
    bytes += piece;
  }
  co_return bytes;
}

async::Task<Result<std::string>> MessageReader::Piece(std::uint64_t offset, std::uint64_t size) {
  co_return co_await Bytes({.offset = offset, .size = std::min(size, kPieceBytes)});
}

async::Task<Result<>> MessageReader::ReadHead(std::uint64_t size) {
  while (head_.size() < size) {
    const std::uint64_t wanted = std::min(kWholeBytesMax, size - head_.size());
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await store_->ReadMessage(mailbox_, uid_, head_.size(), wanted));
    if (piece.empty()) co_return base::Error(base::Errc::kCorrupt, "a message is shorter than its index says");
    head_ += piece;
  }
  co_return Result<>();
}

}  // namespace imap
