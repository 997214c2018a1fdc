// HttpPages: what a node tells over HTTP: metrics and health. Pure: a request's method and target in, an answer out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.h"

namespace admin {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type;
  std::string body;
};

// Thread: the node's shard (metrics read by callback are read there). Borrows the registry, which outlives it.
class HttpPages {
 public:
  // `why_not_ready` gives nothing when the node accepts mail and serves mailboxes, else one line a reason.
  HttpPages(const base::MetricsRegistry* metrics, std::function<std::optional<std::string>()> why_not_ready)
      : metrics_(metrics), why_not_ready_(std::move(why_not_ready)) {}

  // RFC 9112 §3.2: origin-form or absolute-form. GET and HEAD are answered alike; the caller leaves HEAD's body out.
  HttpAnswer Answer(std::string_view method, std::string_view target) const;

 private:
  HttpAnswer Ready() const;

  const base::MetricsRegistry* metrics_;
  std::function<std::optional<std::string>()> why_not_ready_;
};

}  // namespace admin
