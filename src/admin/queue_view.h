// QueueView: what of the queue a browser asks for: the parameters of its address. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/queue_selection.h"
#include "admin/queue_tally.h"
#include "base/result.h"
#include "queue/mail_queue.h"

namespace admin {

// A value.
struct QueueView {
  TallyBy by = TallyBy::kDestination;
  QueueSelection selection;
  queue::QueueId after;                // The list begins behind it.
  std::optional<queue::QueueId> mail;  // Only this one, in full.

  // Unknown parameters are ignored, empty ones absent. Errors: kInvalid.
  static base::Result<QueueView> Parse(std::string_view target);

  // The parameters that make this view, in the order of the page's form; without those that are as they would be
  // anyway.
  std::vector<std::pair<std::string, std::string>> Parameters() const;
  // An address of the page: this view with one parameter set anew; an empty value takes it away. With another
  // parameter than "after" the list begins anew.
  std::string Link(std::string_view name, std::string_view value) const;
};

}  // namespace admin
