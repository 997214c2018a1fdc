// IncomingBody: the bytes of one mail as DATA or BDAT bring them, on their way into the store's buffers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/result.h"
#include "mail/digest.h"
#include "mail/header_watch.h"
#include "mail/line_ends.h"
#include "replog/body.h"
#include "smtp/proto/data_scanner.h"
#include "smtp/server/submission_header.h"

namespace smtp {

// Why a mail can't be taken although its bytes are still read (the client only listens after the last one).
struct Refusal {
  int code = 0;
  std::string text;
};

// Thread: the session's shard. Memory: that of its BodyWriter, and 16 KiB while it discards, normalises, or holds back
// a header, which is memory of its own.
class IncomingBody {
 public:
  struct Options {
    DataScanner::Framing framing = DataScanner::Framing::kDots;
    std::uint64_t bytes_max = 0;
    bool normalize_line_ends = false;
    mail::Digest* digest = nullptr;  // Begun anew and fed the mail's bytes without our trace; null: nobody asks for it.
    // The mail is one of our users': its header is held back, and gets these where it has none. It is written mended;
    // header() and the digest see it as it came, so that a mail that is sent again is known again.
    std::optional<MissingFields> submission{};
  };
  IncomingBody(replog::BodyWriter writer, Options options);

  // Puts our trace header before the mail. Before the first Space().
  async::Task<base::Result<>> WriteTrace(std::string_view header);

  // Where the next bytes may be read to. Empty: call Reserve() first.
  std::span<char> Space();
  // Waits for memory; never fails: when there is none in time the mail is refused and the rest discarded.
  async::Task<void> Reserve();

  // Takes the `bytes` that were read to the front of Space(). The answer tells how many of them belonged to the mail,
  // and whether it has ended. Errors of the store become the refusal.
  async::Task<DataScanner::Step> Take(std::size_t bytes);
  // The same without waiting; only when CanTakeAtOnce().
  bool CanTakeAtOnce() const { return !normalizer_.has_value() && !holds_header_; }
  DataScanner::Step TakeAtOnce(std::size_t bytes);

  void Refuse(Refusal refusal);
  const std::optional<Refusal>& refusal() const { return refusal_; }
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::size_t trace_bytes() const { return trace_bytes_; }
  // What the mail's own header says, without our trace.
  const mail::HeaderWatch& header() const { return header_; }
  // Of a submission, once its header was written; null: of other mail.
  const SubmissionHeader* submission() const { return submission_.has_value() ? &*submission_ : nullptr; }
  // After the last byte: a line ended in a bare CR or LF and that is not normalised.
  bool has_bare_line_end() const { return !normalizer_.has_value() && scanner_.has_bare_line_end(); }

  // Ends the body, and its last line if the client did not (in BDAT it may). Small bodies whose last line has ended:
  // FinishSmall() without waiting.
  async::Task<base::Result<replog::Body>> Finish();
  bool is_small() const { return writer_.is_small() && CanTakeAtOnce() && scanner_.at_line_start(); }
  replog::Body FinishSmall() { return writer_.FinishSmall(); }

 private:
  bool uses_scratch() const { return refusal_.has_value() || !CanTakeAtOnce(); }
  async::Task<base::Result<>> WriteOrHold(std::string_view bytes);
  void Count(const DataScanner::Step& step, std::string_view kept);

  replog::BodyWriter writer_;
  Options options_;
  DataScanner scanner_;
  std::optional<mail::LineEndNormalizer> normalizer_;
  mail::HeaderWatch header_;
  std::optional<SubmissionHeader> submission_;
  bool holds_header_ = false;  // `submission_` is not whole yet.
  std::optional<Refusal> refusal_;
  std::string scratch_;
  std::uint64_t received_bytes_ = 0;
  std::size_t trace_bytes_ = 0;
};

// What the client is told when the store fails it: always 4xx.
Refusal RefusalOf(const base::Error& error);

}  // namespace smtp
