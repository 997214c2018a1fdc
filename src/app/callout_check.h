// CalloutCheck: what SMTP sessions ask of recipients of relay domains, answered by deliver's call-outs.
#pragma once

#include <string>
#include <utility>

#include "deliver/recipient_callout.h"
#include "smtp/server/recipient_check.h"

namespace app {

// Thread: the node's shard. Borrows the call-outs.
class CalloutCheck final : public smtp::RecipientCheck {
 public:
  explicit CalloutCheck(deliver::RecipientCallout* callout) : callout_(callout) {}

  async::Task<smtp::RecipientAnswer> Ask(std::string address) override {
    using Verdict = smtp::RecipientAnswer::Verdict;
    deliver::CalloutAnswer answer = co_await callout_->Ask(std::move(address));
    Verdict verdict = Verdict::kNotKnown;
    if (answer.kind == deliver::CalloutAnswer::Kind::kTaken) verdict = Verdict::kTaken;
    if (answer.kind == deliver::CalloutAnswer::Kind::kRefused) verdict = Verdict::kRefused;
    co_return smtp::RecipientAnswer{.verdict = verdict, .words = std::move(answer.words)};
  }

 private:
  deliver::RecipientCallout* callout_;
};

}  // namespace app
