#include "replog/body.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "replog/body_state.h"
#include "replog/engine.h"

namespace replog {

Body::State::~State() {
  if (open == nullptr) return;
  if (const auto bodies = registry.lock()) bodies->Abandon(open.get());
}

Body::Body() = default;
Body::Body(Body&&) noexcept = default;
Body& Body::operator=(Body&&) noexcept = default;
Body::~Body() = default;

std::uint64_t Body::size_bytes() const {
  return state_ == nullptr ? 0 : state_->size_bytes;
}

std::string_view Body::in_memory() const {
  return state_ == nullptr || state_->size_bytes > state_->buffer.size() ? std::string_view() : state_->buffer.view();
}

std::string_view Body::head() const {
  return state_ == nullptr ? std::string_view() : state_->buffer.view();
}

// ---- BodyWriter ----

struct BodyWriter::State {
  static constexpr std::uint32_t kPartsInFlightMax = 2;

  State(Context* in_context, mffs::Stream to, mffs::Need whose) : context(in_context), stream(to), need(whose) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (open == nullptr) return;
    if (const auto bodies = registry.lock()) bodies->Abandon(open.get());
  }

  bool has_space() const { return buffer.size() < buffer.capacity(); }
  // What the next buffer must hold: 8, 64, then 256 KiB.
  std::uint32_t NextBytes() const {
    if (buffer.capacity() == 0) return mffs::BufferPool::kSmallBytes;
    return buffer.capacity() < mffs::BufferPool::kMediumBytes ? mffs::BufferPool::kMediumBytes
                                                              : mffs::BufferPool::kLargeBytes;
  }
  bool is_full_part() const { return buffer.size() == kPartBytes; }
  void Grow(mffs::Buffer larger);
  base::Result<> FlushPart();
  async::Task<base::Result<>> WaitForParts(std::uint32_t in_flight_max);
  async::Task<base::Result<>> AcquireNext();

  Context* context;
  mffs::Stream stream;
  mffs::Need need;
  mffs::Buffer buffer;
  mffs::Buffer head;  // The first bytes of a large mail: the buffer that it outgrew.
  std::uint64_t size_bytes = 0;
  std::shared_ptr<OpenBody> open;
  std::weak_ptr<OpenBodies> registry;
};

void BodyWriter::State::Grow(mffs::Buffer larger) {
  std::copy_n(buffer.data(), buffer.size(), larger.data());  // Not memcpy: the first buffer replaces none, a null.
  larger.set_size(buffer.size());
  if (buffer.capacity() == mffs::BufferPool::kMediumBytes) head = std::move(buffer);
  buffer = std::move(larger);
}

base::Result<> BodyWriter::State::FlushPart() {
  RETURN_IF_ERROR(context->volume->Admit(stream, buffer.size(), need));
  if (open == nullptr) {
    open = context->open_bodies->Open();
    registry = context->open_bodies;
  }
  context->open_bodies->AppendPart(open, stream, std::move(buffer));
  buffer = mffs::Buffer();
  return {};
}

async::Task<base::Result<>> BodyWriter::State::WaitForParts(std::uint32_t in_flight_max) {
  while (open != nullptr && open->in_flight > in_flight_max) co_await open->changed.Wait();
  if (open != nullptr && open->error.has_value()) co_return base::Error(*open->error);
  co_return base::Result<>();
}

async::Task<base::Result<>> BodyWriter::State::AcquireNext() {
  const std::uint32_t bytes = open != nullptr ? kPartBytes : NextBytes();
  mffs::Buffer next = context->pool->TryAcquire(bytes);
  if (next.capacity() == 0) {
    ASSIGN_OR_CO_RETURN(next, co_await context->pool->Acquire(bytes));
  }
  Grow(std::move(next));
  co_return base::Result<>();
}

BodyWriter::BodyWriter(Log* log, mffs::Stream stream, mffs::Need need)
    : state_(std::make_unique<State>(log->engine_->context(), stream, need)) {}
BodyWriter::BodyWriter(BodyWriter&&) noexcept = default;
BodyWriter& BodyWriter::operator=(BodyWriter&&) noexcept = default;
BodyWriter::~BodyWriter() = default;

bool BodyWriter::TryReserve() {
  State& s = *state_;
  if (s.has_space()) return true;
  // A full part waits for the device in Reserve().
  if (s.is_full_part()) return false;
  mffs::Buffer next = s.context->pool->TryAcquire(s.open != nullptr ? kPartBytes : s.NextBytes());
  if (next.capacity() == 0) return false;
  s.Grow(std::move(next));
  return true;
}

async::Task<base::Result<>> BodyWriter::Reserve() {
  State* s = state_.get();
  if (s->has_space()) co_return base::Result<>();
  if (s->is_full_part()) {
    CO_RETURN_IF_ERROR(s->FlushPart());
    CO_RETURN_IF_ERROR(co_await s->WaitForParts(State::kPartsInFlightMax));
  }
  co_return co_await s->AcquireNext();
}

std::span<char> BodyWriter::Space() {
  mffs::Buffer& buffer = state_->buffer;
  return {buffer.data() + buffer.size(), buffer.capacity() - buffer.size()};
}

void BodyWriter::Commit(std::size_t used_bytes) {
  mffs::Buffer& buffer = state_->buffer;
  CHECK(used_bytes <= buffer.capacity() - buffer.size());
  buffer.set_size(buffer.size() + static_cast<std::uint32_t>(used_bytes));
  state_->size_bytes += used_bytes;
}

async::Task<base::Result<>> BodyWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (Space().empty() && !TryReserve()) {
      CO_RETURN_IF_ERROR(co_await Reserve());
    }
    const std::span<char> space = Space();
    const std::size_t now = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), now);
    Commit(now);
    bytes.remove_prefix(now);
  }
  co_return base::Result<>();
}

std::uint64_t BodyWriter::size_bytes() const {
  return state_->size_bytes;
}

bool BodyWriter::is_small() const {
  return state_->open == nullptr;
}

Body BodyWriter::FinishSmall() {
  CHECK(is_small());
  Body body;
  if (state_->size_bytes == 0) return body;
  body.state_ = std::make_unique<Body::State>();
  body.state_->size_bytes = state_->size_bytes;
  body.state_->buffer = std::move(state_->buffer);
  return body;
}

async::Task<base::Result<Body>> BodyWriter::Finish() {
  if (is_small()) co_return FinishSmall();
  State* s = state_.get();
  if (s->buffer.size() > 0) {
    CO_RETURN_IF_ERROR(s->FlushPart());
  }
  CO_RETURN_IF_ERROR(co_await s->WaitForParts(0));
  Body body;
  body.state_ = std::make_unique<Body::State>();
  body.state_->size_bytes = s->size_bytes;
  body.state_->buffer = std::move(s->head);
  body.state_->open = std::move(s->open);
  body.state_->registry = s->registry;
  co_return body;
}

}  // namespace replog
