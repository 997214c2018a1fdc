#include "smtp/client/outgoing_body.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace smtp {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

// Eight bytes a step: each mail is looked through.
bool HasHighByte(std::string_view text) {
  std::uint64_t all = 0;
  while (text.size() >= sizeof all) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), sizeof word);
    all |= word;
    text.remove_prefix(sizeof word);
  }
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return (all & 0x8080808080808080u) != 0;
}

}  // namespace

Task<Result<std::string>> OutgoingBody::ReadAt(std::uint64_t offset) {
  if (offset == 0 && has_first_piece_) co_return first_piece_;
  const std::uint64_t size = std::min(kPieceBytes, bytes_->size_bytes() - offset);
  ASSIGN_OR_CO_RETURN(std::string piece, co_await bytes_->Read(offset, size));
  if (piece.size() != size) co_return Error(Errc::kCorrupt, "the stored mail is shorter than it should be");
  co_return piece;
}

Task<Result<>> OutgoingBody::Prepare(const mail::Envelope* envelope, const Capabilities* offered) {
  if (!has_first_piece_ && bytes_->size_bytes() > 0) {
    ASSIGN_OR_CO_RETURN(first_piece_, co_await ReadAt(0));
    has_first_piece_ = true;
  }
  if (inspected_) co_return Result<>();
  needs_ = {.size_bytes = bytes_->size_bytes()};
  if (MustInspect(*envelope, *offered)) co_return co_await Inspect();
  // Here the answer decides only whether we say BODY=8BITMIME, which a mail of 7-bit bytes may have, too.
  needs_.body_8bit = bytes_->size_bytes() > first_piece_.size() || HasHighByte(first_piece_);
  co_return Result<>();
}

Task<Result<>> OutgoingBody::Inspect() {
  bool is_8bit = HasHighByte(first_piece_);
  for (std::uint64_t at = first_piece_.size(); at < bytes_->size_bytes() && !is_8bit;) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await ReadAt(at));
    is_8bit = HasHighByte(piece);
    at += piece.size();
  }
  if (is_8bit) CO_RETURN_IF_ERROR(co_await Survey());
  inspected_ = true;
  co_return Result<>();
}

Task<Result<>> OutgoingBody::Survey() {
  mail::SevenBitSurvey survey;
  for (std::uint64_t at = 0; at < bytes_->size_bytes();) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await ReadAt(at));
    survey.Add(piece);
    at += piece.size();
  }
  seven_bit_plan_ = survey.Finish();
  needs_.header_8bit = seven_bit_plan_.header_8bit;
  needs_.body_8bit = seven_bit_plan_.body_8bit;
  needs_.obstacle = seven_bit_plan_.obstacle;
  co_return Result<>();
}

void OutgoingBody::Rewind(bool converts) {
  CHECK(!converts || inspected_);
  offset_ = 0;
  ended_ = false;
  stuffer_ = {};
  writer_.reset();
  if (converts) writer_.emplace(&seven_bit_plan_);
}

Task<Result<>> OutgoingBody::AppendNext(std::string* out) {
  CHECK(!ended_);
  if (offset_ < bytes_->size_bytes()) {
    std::string later_piece;
    if (offset_ > 0) {
      ASSIGN_OR_CO_RETURN(later_piece, co_await ReadAt(offset_));
    }
    const std::string& piece = offset_ > 0 ? later_piece : first_piece_;
    offset_ += piece.size();
    stuffer_.Append(writer_.has_value() ? writer_->Convert(piece) : piece, *out);
  }
  if (offset_ < bytes_->size_bytes()) co_return Result<>();
  if (writer_.has_value()) stuffer_.Append(writer_->Finish(), *out);
  stuffer_.Finish(*out);
  ended_ = true;
  co_return Result<>();
}

}  // namespace smtp
