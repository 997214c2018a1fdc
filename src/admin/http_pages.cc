#include "admin/http_pages.h"

#include "admin/queue_pages.h"

namespace admin {
namespace {

constexpr std::string_view kOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kIndex =
    "Posthorn\n\n"
    "/metrics  what the node counts, as OpenMetrics text (docs/metrics.md)\n"
    "/healthz  200 while the process works\n"
    "/readyz   200 while mail is accepted and mailboxes are served, else 503 and why\n";
constexpr std::string_view kIndexOfQueue =
    "/queue    the mail that is not yet delivered, and why, for a browser (docs/cli.md, \"The queue\")\n";

}  // namespace

async::Task<HttpAnswer> HttpPages::Answer(HttpRequest request) const {
  const std::string_view path = PathOf(request.target);
  const bool is_of_queue = queue_ != nullptr && QueuePages::Has(path);
  if (path != "/" && path != "/metrics" && path != "/healthz" && path != "/readyz" && !is_of_queue) {
    co_return PlainTextAnswer(404, "There is no such page; / lists all.\n");
  }
  if (request.method != "GET" && request.method != "HEAD") {
    co_return PlainTextAnswer(405, "Only GET and HEAD are answered here.\n");
  }
  if (is_of_queue) co_return co_await queue_->Answer(std::move(request));
  if (path == "/metrics") {
    co_return HttpAnswer{.status = 200, .content_type = std::string(kOpenMetrics), .body = metrics_->Render()};
  }
  if (path == "/healthz") co_return PlainTextAnswer(200, "ok\n");
  if (path == "/readyz") co_return Ready();
  co_return PlainTextAnswer(200, std::string(kIndex) + std::string(queue_ != nullptr ? kIndexOfQueue : ""));
}

HttpAnswer HttpPages::Ready() const {
  std::optional<std::string> reason = why_not_ready_();
  if (!reason) return PlainTextAnswer(200, "ready\n");
  if (!reason->ends_with('\n')) reason->push_back('\n');
  return PlainTextAnswer(503, *reason);
}

}  // namespace admin
