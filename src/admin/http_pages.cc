#include "admin/http_pages.h"

namespace admin {
namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kIndex =
    "Posthorn\n\n"
    "/metrics  what the node counts, as OpenMetrics text (docs/metrics.md)\n"
    "/healthz  200 while the process works\n"
    "/readyz   200 while mail is accepted and mailboxes are served, else 503 and why\n";

HttpAnswer PlainText(unsigned status, std::string_view text) {
  return {.status = status, .content_type = std::string(kPlainText), .body = std::string(text)};
}

// The path alone: without "http://host" and without a query.
std::string_view PathOf(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    target.remove_prefix(kScheme.size());
    const std::size_t slash = target.find('/');
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  return target.substr(0, target.find('?'));
}

}  // namespace

HttpAnswer HttpPages::Answer(std::string_view method, std::string_view target) const {
  const std::string_view path = PathOf(target);
  if (path != "/" && path != "/metrics" && path != "/healthz" && path != "/readyz") {
    return PlainText(404, "There is no such page; / lists all.\n");
  }
  if (method != "GET" && method != "HEAD") return PlainText(405, "Only GET and HEAD are answered here.\n");
  if (path == "/metrics") return {.status = 200, .content_type = std::string(kOpenMetrics), .body = metrics_->Render()};
  if (path == "/healthz") return PlainText(200, "ok\n");
  if (path == "/readyz") return Ready();
  return PlainText(200, kIndex);
}

HttpAnswer HttpPages::Ready() const {
  std::optional<std::string> reason = why_not_ready_();
  if (!reason) return PlainText(200, "ready\n");
  if (!reason->ends_with('\n')) reason->push_back('\n');
  return PlainText(503, *reason);
}

}  // namespace admin
