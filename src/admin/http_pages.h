// HttpPages: what a node tells over HTTP: metrics, health, the queue. A request in, an
// answer out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http_message.h"
#include "async/asio.h"
#include "base/metrics.h"

namespace admin {

class QueuePages;

// Thread: the node's shard (metrics read by callback are read there). Borrows registry and queue pages, which outlive
// it.
class HttpPages {
 public:
  // `why_not_ready` gives nothing when the node accepts mail and serves mailboxes, else one line a reason. Without
  // `queue` there are no pages of it.
  HttpPages(const base::MetricsRegistry* metrics, std::function<std::optional<std::string>()> why_not_ready,
            QueuePages* queue = nullptr)
      : metrics_(metrics), why_not_ready_(std::move(why_not_ready)), queue_(queue) {}

  // GET and HEAD are answered alike; the caller leaves HEAD's body out.
  async::Task<HttpAnswer> Answer(HttpRequest request) const;

 private:
  HttpAnswer Ready() const;

  const base::MetricsRegistry* metrics_;
  std::function<std::optional<std::string>()> why_not_ready_;
  QueuePages* queue_;
};

}  // namespace admin
