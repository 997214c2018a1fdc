// The metrics of deliveries, of connections to next hops and of the DNS. docs/metrics.md
#pragma once

#include <string_view>

#include "base/metrics.h"
#include "deliver/delivery_metrics.h"
#include "deliver/recipient_callout.h"
#include "deliver/remote_courier.h"
#include "net/measured_resolver.h"

namespace app {

// `to`: "mailbox" or "next_hop".
deliver::DeliveryMetrics AddDeliveryMetrics(base::MetricsRegistry* registry, const base::Clock* clock,
                                            std::string_view to);
deliver::NoticeMetrics AddNoticeMetrics(base::MetricsRegistry* registry);
deliver::CalloutMetrics AddCalloutMetrics(base::MetricsRegistry* registry);
net::ResolverMetrics AddResolverMetrics(base::MetricsRegistry* registry);
// Read when the page is asked for, on the courier's shard. The courier outlives the registry's use.
void AddConnectionMetrics(base::MetricsRegistry* registry, const deliver::RemoteCourier* courier);

}  // namespace app
