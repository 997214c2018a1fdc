#include "store/apply_queue.h"

#include <utility>

#include "base/log.h"
#include "store/apply.h"

namespace store {

namespace {

// A group this large goes to the worker though another is there: at replay the shard does not return to its loop in
// between.
constexpr std::uint64_t kGroupBytes = 1u << 20;
constexpr std::uint64_t kItemBytes = 256;  // What an entry takes besides its meta.
constexpr std::size_t kSpareTextBytes = 1u << 20;

}  // namespace

ApplyQueue::ApplyQueue(async::Executor executor, Index* index, const Gate* gate, Options options,
                       std::function<void(Effects)> visible)
    : executor_(executor),
      gate_(gate),
      options_(options),
      visible_(std::move(visible)),
      changes_(index, options.cached_mailboxes_max),
      pending_(std::make_unique<Group>()),
      room_(executor),
      worker_({.name = "store-apply", .threads = 1, .jobs_max = 1}) {}

ApplyQueue::~ApplyQueue() = default;

void ApplyQueue::Add(const replog::EntryView& entry, Done done) {
  Item& item = pending_->items.emplace_back();
  item.entry = entry;
  item.meta_offset = pending_->text.size();
  item.meta_bytes = entry.meta.size();
  item.done = std::move(done);
  pending_->text.append(entry.meta);
  Added(kItemBytes + entry.meta.size());
}

void ApplyQueue::AddWork(Work work, std::uint64_t bytes, Done done) {
  Item& item = pending_->items.emplace_back();
  item.work = std::move(work);
  item.done = std::move(done);
  Added(kItemBytes + bytes);
}

async::Task<base::Result<std::string>> ApplyQueue::Run(Work work) {
  async::OneShot<base::Result<std::string>> result;
  AddWork(std::move(work), 0, [&result](base::Result<std::string> r) { result.Set(std::move(r)); });
  co_return co_await result.Wait();
}

void ApplyQueue::Added(std::uint64_t bytes) {
  pending_->bytes += bytes;
  backlog_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (pending_->bytes >= kGroupBytes) {
    HandOver();
  } else {
    HandOverSoon();
  }
}

void ApplyQueue::BlockUntilRoom() {
  if (has_room()) return;
  if (!pending_->items.empty()) HandOver();
  for (std::uint64_t bytes_now = backlog_bytes_.load(); bytes_now > options_.backlog_bytes_max / 2;
       bytes_now = backlog_bytes_.load()) {
    backlog_bytes_.wait(bytes_now);
  }
}

void ApplyQueue::HandOverSoon() {
  // Not at once: the entries of one commit are added one by one in one turn of the shard's loop.
  if (hand_over_posted_ || finished_ != handed_over_) return;
  hand_over_posted_ = true;
  asio::post(executor_, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    hand_over_posted_ = false;
    if (finished_ == handed_over_ && !pending_->items.empty()) HandOver();
  });
}

void ApplyQueue::HandOver() {
  auto group = std::exchange(pending_, spare_ != nullptr ? std::move(spare_) : std::make_unique<Group>());
  group->number = ++handed_over_;
  worker_.Post([this, alive = std::weak_ptr(alive_), executor = executor_, group = std::move(group)]() mutable {
    gate_->Pass();
    Process(*group);
    asio::post(executor, [this, alive = std::move(alive), group = std::move(group)]() mutable {
      if (!alive.expired()) Finish(std::move(group));
    });
  });
}

void ApplyQueue::Process(Group& group) {
  group.results.reserve(group.items.size());
  for (Item& item : group.items) {
    item.entry.meta = std::string_view(group.text).substr(item.meta_offset, item.meta_bytes);
    if (!item.work) {
      group.results.push_back(ApplyEntry(changes_, item.entry));
      continue;
    }
    const auto flushed = changes_.Flush();
    group.results.push_back(flushed.has_value() ? item.work(changes_)
                                                : base::Result<std::string>(base::Error(flushed.error())));
  }
  const auto flushed = changes_.Flush();
  group.effects = changes_.TakeEffects();
  if (!flushed.has_value()) {
    // What became visible of the group is not told apart: nothing of it is answered, and the releases come again from
    // the journal.
    group.failure = flushed.error();
    group.effects = {};
    for (auto& result : group.results) result = base::Error(flushed.error());
  }
  backlog_bytes_.fetch_sub(group.bytes);
  backlog_bytes_.notify_all();
}

void ApplyQueue::Finish(std::unique_ptr<Group> group) {
  finished_ = group->number;
  // The next group first, so that the worker goes on meanwhile.
  if (finished_ == handed_over_ && !pending_->items.empty()) HandOver();
  if (group->failure.has_value() && !failure_.has_value()) {
    failure_ = group->failure;
    base::LogError("index_failed",
                   {{"error", failure_->message()},
                    {"note", "mailboxes are not served until the cause is mended and the node restarted"}});
  }
  visible_(std::move(group->effects));
  for (std::size_t i = 0; i < group->items.size(); ++i) {
    if (group->items[i].done) group->items[i].done(std::move(group->results[i]));
  }
  while (!waiters_.empty() && waiters_.front()->group <= finished_) {
    Waiter* waiter = waiters_.front();
    waiters_.pop_front();
    waiter->visible.Set(true);
  }
  room_.NotifyAll();
  if (group->text.capacity() > kSpareTextBytes) return;
  group->items.clear();
  group->results.clear();
  group->text.clear();
  group->bytes = 0;
  group->effects = {};
  group->failure.reset();
  spare_ = std::move(group);
}

async::Task<base::Result<>> ApplyQueue::Applied() {
  const std::uint64_t last = handed_over_ + (pending_->items.empty() ? 0 : 1);
  if (finished_ < last) {
    Waiter waiter;
    waiter.group = last;
    waiters_.push_back(&waiter);
    co_await waiter.visible.Wait();
  }
  if (failure_.has_value()) co_return base::Error(*failure_);
  co_return base::Result<>();
}

async::Task<base::Result<>> ApplyQueue::Room() {
  while (!has_room() && !failure_.has_value()) co_await room_.Wait();
  if (failure_.has_value()) co_return base::Error(*failure_);
  co_return base::Result<>();
}

}  // namespace store
