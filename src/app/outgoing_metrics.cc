#include "app/outgoing_metrics.h"

#include <string>

#include <fmt/format.h>

namespace app {

deliver::DeliveryMetrics AddDeliveryMetrics(base::MetricsRegistry* registry, const base::Clock* clock,
                                            std::string_view to) {
  const auto count = [registry, to](std::string_view outcome) {
    return &registry->AddCounter("posthorn_deliveries", "Recipients of queued mail, by the outcome of each attempt.",
                                 fmt::format("to=\"{}\",outcome=\"{}\"", to, outcome));
  };
  return {.clock = clock,
          .delivered = count("delivered"),
          .deferred = count("deferred"),
          .rejected = count("rejected"),
          .delay_seconds = &registry->AddHistogram(
              "posthorn_delivery_delay_seconds", "From the queue to the recipient.",
              {0.01, 0.1, 0.5, 1, 5, 30, 60, 300, 900, 3600, 14'400, 86'400}, fmt::format("to=\"{}\"", to))};
}

deliver::NoticeMetrics AddNoticeMetrics(base::MetricsRegistry* registry) {
  const auto count = [registry](std::string_view action) {
    return &registry->AddCounter("posthorn_notices", "Recipients whose fate senders were told of.",
                                 fmt::format("action=\"{}\"", action));
  };
  return {.failed = count("failed"), .delayed = count("delayed"), .delivered = count("delivered")};
}

deliver::CalloutMetrics AddCalloutMetrics(base::MetricsRegistry* registry) {
  const auto count = [registry](std::string_view result) {
    return &registry->AddCounter("posthorn_callouts", "Recipients of relay domains, by what is known of them.",
                                 fmt::format("result=\"{}\"", result));
  };
  return {.taken = count("taken"),
          .refused = count("refused"),
          .no_answer = count("no_answer"),
          .remembered = count("remembered")};
}

net::ResolverMetrics AddResolverMetrics(base::MetricsRegistry* registry) {
  const auto count = [registry](std::string_view result) {
    return &registry->AddCounter("posthorn_dns_questions", "Questions to the DNS.",
                                 fmt::format("result=\"{}\"", result));
  };
  return {.answered = count("answered"),
          .failed = count("failed"),
          .seconds = &registry->AddHistogram("posthorn_dns_seconds", "Time to an answer of the DNS.",
                                             {0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5})};
}

void AddConnectionMetrics(base::MetricsRegistry* registry, const deliver::RemoteCourier* courier) {
  constexpr std::string_view kHelp = "Connections that a mail went over, new ones and used again.";
  registry->AddCounterCallback(
      "posthorn_next_hop_connections", kHelp, [courier] { return static_cast<double>(courier->opened_count()); },
      "kind=\"opened\"");
  registry->AddCounterCallback(
      "posthorn_next_hop_connections", kHelp, [courier] { return static_cast<double>(courier->pool().reused_count()); },
      "kind=\"reused\"");
  registry->AddCallback("posthorn_next_hop_connections_idle", "Connections kept for the next mail.",
                        [courier] { return static_cast<double>(courier->pool().idle_count()); });
}

}  // namespace app
