#include "admin/queue_pages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "admin/json_values.h"
#include "admin/queue_assets.h"
#include "admin/queue_commands.h"
#include "admin/queue_html.h"
#include "admin/queue_json.h"
#include "admin/queue_walk.h"
#include "admin/status_command.h"

namespace admin {

namespace json = boost::json;
using async::Task;

namespace {

constexpr std::string_view kPagePath = "/queue";
constexpr std::string_view kDataPath = "/queue.json";
constexpr std::string_view kScriptPath = "/queue.js";
constexpr std::string_view kStylePath = "/queue.css";

// Nothing from elsewhere, no inline script or style, in no other site's frame.
constexpr std::string_view kSecurityFields =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n";

HttpAnswer Page(std::string content_type, std::string body) {
  return {.status = 200,
          .content_type = std::move(content_type),
          .body = std::move(body),
          .fields = std::string(kSecurityFields)};
}

// Host without its port: "[::1]:80" is "[::1]".
std::string_view WithoutPort(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return host;
  return host.substr(0, colon);
}

bool IsIpAddress(std::string_view text) {
  unsigned char bytes[16];
  const bool is_bracketed = text.size() > 2 && text.starts_with('[') && text.ends_with(']');
  const std::string address(is_bracketed ? text.substr(1, text.size() - 2) : text);
  return ::inet_pton(is_bracketed ? AF_INET6 : AF_INET, address.c_str(), bytes) == 1;
}

}  // namespace

QueuePages::QueuePages(async::Executor executor, const queue::MailQueue* queue, const base::Clock* clock,
                       QueuePagesOptions options)
    : queue_(queue), clock_(clock), options_(std::move(options)), tallies_(std::move(executor), queue, clock) {}

bool QueuePages::Has(std::string_view path) {
  return path == kPagePath || path == kDataPath || path == kScriptPath || path == kStylePath;
}

Task<HttpAnswer> QueuePages::Answer(HttpRequest request) {
  if (options_.is_for_loopback_only && !request.is_from_loopback) {
    co_return PlainTextAnswer(403,
                              "The queue is shown on the node's own machine only, unless http.queue_clients in the "
                              "configuration is \"all\".\n");
  }
  if (!IsOurName(request.host)) {
    co_return PlainTextAnswer(421, "Ask for this page under the node's own name or address.\n");
  }
  const std::string_view path = PathOf(request.target);
  if (path == kScriptPath) co_return Page("text/javascript; charset=utf-8", std::string(kQueueScript));
  if (path == kStylePath) co_return Page("text/css; charset=utf-8", std::string(kQueueStyle));
  auto view = QueueView::Parse(request.target);
  if (!view) co_return PlainTextAnswer(400, view.error().message() + "\n");
  if (answers_ >= options_.answers_max) {
    co_return PlainTextAnswer(503, "Others are looking at the queue; try again in a moment.\n");
  }
  struct Counted {
    std::uint32_t* count;
    explicit Counted(std::uint32_t* answers) : count(answers) { *count += 1; }
    ~Counted() { *count -= 1; }
  };
  const Counted counted(&answers_);
  co_return co_await AnswerWithData(path, *std::move(view));
}

Task<HttpAnswer> QueuePages::AnswerWithData(std::string_view path, QueueView view) {
  const bool is_page = path == kPagePath;
  const json::object data = co_await DataOf(view);
  if (is_page) co_return Page("text/html; charset=utf-8", QueueHtml(data, view));
  co_return Page("application/json", json::serialize(data));
}

Task<json::object> QueuePages::DataOf(QueueView view) {
  json::object data;
  data["hostname"] = JsonText(options_.hostname);
  data["now"] = JsonTime(clock_->WallNow());
  data["status"] = ToJson(queue_->Status());
  if (view.mail.has_value()) {
    const auto mail = queue_->Show(*view.mail);
    data["id"] = JsonText(view.mail->ToString());
    if (mail.has_value()) data["mail"] = QueuedMailDetails(*mail, clock_->WallNow());
    co_return data;
  }
  const auto tally = co_await tallies_.Get(view.by);
  data["tally"] = ToJson(*tally, options_.groups_max, *queue_);
  const auto age = clock_->WallNow() - tally->taken_at();
  data["tally_age_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  co_await AddList(std::move(view), &data);
  co_return data;
}

Task<void> QueuePages::AddList(QueueView view, json::object* data) {
  const base::WallTime now = clock_->WallNow();
  QueueWalk walk(queue_, view.after);
  json::array rows;
  bool is_end = false;
  while (rows.size() < options_.mails_max && walk.examined() < kExaminedMax && !is_end) {
    const auto mails = co_await walk.Next(options_.mails_max - rows.size());
    is_end = mails.empty();
    for (const queue::QueuedMail& mail : mails) {
      if (view.selection.Matches(mail, now)) rows.push_back(QueuedMailSummary(mail, view.selection, now));
    }
  }
  (*data)["mails"] = std::move(rows);
  (*data)["examined"] = walk.examined();
  (*data)["is_filtered"] = !view.selection.IsEverything();
  if (!is_end) (*data)["next"] = JsonText(walk.reached().ToString());
}

bool QueuePages::IsOurName(std::string_view host) const {
  const std::string_view name = WithoutPort(host);
  // HTTP/1.0 has no such field, and browsers do not speak it.
  return host.empty() || IsIpAddress(name) || MatchesPattern("localhost", name) ||
         MatchesPattern(options_.hostname, name);
}

}  // namespace admin
