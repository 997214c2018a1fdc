// RequestList: append requests in a row, linked through the requests themselves.
#pragma once

#include <utility>

#include "mffs/volume.h"

namespace mffs {

class RequestList {
 public:
  RequestList() = default;
  RequestList(RequestList&& other) noexcept { *this = std::move(other); }
  RequestList& operator=(RequestList&& other) noexcept {
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    return *this;
  }

  bool empty() const { return first_ == nullptr; }
  AppendRequest* front() const { return first_; }
  void PushBack(AppendRequest* request) {
    request->next = nullptr;
    (last_ != nullptr ? last_->next : first_) = request;
    last_ = request;
  }
  AppendRequest* PopFront() {
    AppendRequest* request = first_;
    first_ = request->next;
    if (first_ == nullptr) last_ = nullptr;
    return request;
  }

 private:
  AppendRequest* first_ = nullptr;
  AppendRequest* last_ = nullptr;
};

}  // namespace mffs
