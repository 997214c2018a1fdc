// TransferProgress: how far an import or export is: one line on a terminal, else a line every 5 s.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "app/progress_bar.h"
#include "base/clock.h"

namespace app {

struct TransferAmount {
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;
};

// "INBOX: 1200 of 5000 mails, 4.0 MiB of 16.0 MiB, 310 mails/s, 2.0 MiB/s, 12 s left"
std::string TransferText(const std::string& mailbox, TransferAmount done, TransferAmount total,
                         std::chrono::milliseconds elapsed);

// Thread: one. Borrows stream and clock, which outlive it.
class TransferProgress {
 public:
  TransferProgress(std::ostream* out, ProgressBar::Style style, const base::Clock* clock)
      : out_(out), style_(style), clock_(clock) {}
  ~TransferProgress() { Finish(); }
  TransferProgress(const TransferProgress&) = delete;
  TransferProgress& operator=(const TransferProgress&) = delete;

  // A mailbox begins.
  void Begin(const std::string& mailbox, TransferAmount total);
  void Add(TransferAmount more);
  // Takes the line off the terminal.
  void Finish();

 private:
  std::ostream* out_;
  ProgressBar::Style style_;
  const base::Clock* clock_;
  std::string mailbox_;
  TransferAmount done_;
  TransferAmount total_;
  base::SteadyTime began_{};
  base::SteadyTime shown_{};
  bool is_on_screen_ = false;
};

}  // namespace app
