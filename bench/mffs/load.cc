#include "load.h"

#include <optional>
#include <thread>

namespace bench {
namespace {

struct Writer {
  std::uint32_t number = 0;
  Tally tally;
  std::optional<base::Error> error;
};

void Write(const LoadPlan& plan, const Window& window, BlockingStore* store, Writer* writer) {
  MailSource mails(plan.sizes, plan.bytes, writer->number);
  for (std::uint64_t number = 0;; ++number) {
    const auto begun = std::chrono::steady_clock::now();
    if (window.IsOver(begun)) return;
    const std::string_view mail = mails.Next();
    auto stored = store->Store(writer->number, number, mail);
    if (!stored) {
      writer->error = std::move(stored).error();
      return;
    }
    writer->tally.Add(window, mail.size(), begun);
  }
}

}  // namespace

Window::Window(const LoadPlan& plan)
    : begin_(std::chrono::steady_clock::now() +
             std::chrono::duration_cast<std::chrono::steady_clock::duration>(plan.warm_up)),
      end_(begin_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(plan.seconds)) {}

void Tally::Add(const Window& window, std::size_t mail_bytes, base::SteadyTime begun) {
  const auto now = std::chrono::steady_clock::now();
  acknowledged += 1;
  if (!window.Covers(now)) return;
  mails += 1;
  bytes += mail_bytes;
  waits.Add(now - begun);
}

void Tally::Merge(const Tally& other) {
  acknowledged += other.acknowledged;
  mails += other.mails;
  bytes += other.bytes;
  waits.Merge(other.waits);
}

base::Result<Outcome> RunThreads(const LoadPlan& plan, BlockingStore* store) {
  std::vector<Writer> writers(plan.writers);
  const Window window(plan);
  {
    std::vector<std::jthread> threads;
    threads.reserve(writers.size());
    for (std::uint32_t i = 0; i < plan.writers; ++i) {
      writers[i].number = i;
      threads.emplace_back([&plan, &window, store, writer = &writers[i]] { Write(plan, window, store, writer); });
    }
  }
  Outcome outcome;
  outcome.seconds = window.seconds();
  for (Writer& writer : writers) {
    if (writer.error.has_value()) return *std::move(writer.error);
    outcome.tally.Merge(writer.tally);
  }
  return outcome;
}

}  // namespace bench
