#include "async/shard.h"

#include <pthread.h>

namespace async {
namespace {
thread_local const Shard* t_current = nullptr;
}  // namespace

Shard::Shard(std::string name) : name_(std::move(name)), work_(context_.get_executor()) {}

Shard::~Shard() {
  if (thread_.joinable()) {
    context_.stop();
    thread_.join();
  }
}

void Shard::Start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    RunHere();
  });
}

void Shard::RunHere() {
  t_current = this;
  context_.run();
  t_current = nullptr;
}

void Shard::Join() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

bool Shard::IsCurrent() const {
  return t_current == this;
}

}  // namespace async
