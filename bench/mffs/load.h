// What all engines share: the plan of a run, the window that is measured, what it gave.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "latency.h"
#include "mail_source.h"

namespace bench {

struct LoadPlan {
  std::uint32_t writers = 64;
  MailSizes sizes;
  std::string_view bytes;  // What the mails are made of (MailSource::MakeBytes).
  std::chrono::duration<double> warm_up{0.3};
  std::chrono::duration<double> seconds{1.5};
};

// The time between warm-up and end: only what ends within it counts.
class Window {
 public:
  explicit Window(const LoadPlan& plan);
  bool IsOver(base::SteadyTime now) const { return now >= end_; }
  bool Covers(base::SteadyTime now) const { return now >= begin_ && now < end_; }
  double seconds() const { return std::chrono::duration<double>(end_ - begin_).count(); }
  // No mail was stored any more from now on (the volume is full).
  void EndNow(base::SteadyTime now) {
    if (now < end_) end_ = now;
  }

 private:
  base::SteadyTime begin_;
  base::SteadyTime end_;
};

// What one writer, or all of them, stored.
struct Tally {
  std::uint64_t acknowledged = 0;  // From the first to the last.
  std::uint64_t mails = 0;         // Those within the window.
  std::uint64_t bytes = 0;         // Of those, without anything that the engine adds.
  LatencyHistogram waits;

  void Add(const Window& window, std::size_t mail_bytes, base::SteadyTime begun);
  void Merge(const Tally& other);
};

struct Outcome {
  Tally tally;
  double seconds = 0;
  std::string more;  // Further JSON members, each after a comma.
};

// A library or a way to store a mail, for threads that block.
//
// Thread: Store() from any number at once. Owned by the run. Durability: the mail survives a power cut when Store()
// has succeeded.
class BlockingStore {
 public:
  virtual ~BlockingStore() = default;
  virtual base::Result<> Store(std::uint32_t writer, std::uint64_t number, std::string_view mail) = 0;
};

// A thread a writer. Errors: the first that a writer met.
base::Result<Outcome> RunThreads(const LoadPlan& plan, BlockingStore* store);

}  // namespace bench
