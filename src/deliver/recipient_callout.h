// RecipientCallout: whether the next hop of an address takes mail for it, asked before a mail for it is taken
// (a call-out), and remembered.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "base/bounded_table.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "deliver/connection_pool.h"
#include "deliver/hop_session.h"
#include "deliver/mail_hosts.h"
#include "deliver/next_hop_table.h"
#include "net/resolver.h"

namespace deliver {

struct CalloutAnswer {
  enum class Kind : std::uint8_t { kTaken, kRefused, kNoAnswer };
  Kind kind = Kind::kNoAnswer;
  std::string words;  // Of the next hop, or why there is no answer. One line without control characters.
};

struct RecipientCalloutOptions {
  std::chrono::milliseconds deadline{5000};  // Of a question, with the wait for its turn.
  std::chrono::seconds taken_ttl{24 * 3600};
  std::chrono::seconds refused_ttl{3600};   // Short: the address may be made any time.
  std::chrono::seconds silence_ttl{15};     // A next hop that could not be reached is left alone for so long.
  std::uint32_t entries_max = 100'000;      // Answers remembered, about 300 bytes each; the oldest go first.
  std::uint32_t questions_max = 500;        // At once, waiting for their turn or asked.
  std::uint32_t questions_per_hop_max = 4;  // Asked at once.
  std::uint32_t endpoints_max = 3;          // Addresses of a next hop that are tried.
  smtp::ClientSettings client;              // As RemoteCourierOptions::client.
  MailHostOptions hosts;
  ConnectionPoolOptions pool;
};

// What is null is not counted.
struct CalloutMetrics {
  base::Counter* taken = nullptr;  // Questions, by their answers.
  base::Counter* refused = nullptr;
  base::Counter* no_answer = nullptr;
  base::Counter* remembered = nullptr;  // Addresses that needed no question.
};

// What it stands on; all borrowed. The table may change between two questions.
struct RecipientCalloutWorld {
  net::Resolver* resolver = nullptr;
  const base::Clock* clock = nullptr;
  const NextHopTable* table = nullptr;
  Dial dial;
  CalloutMetrics metrics{};
};

// The question is MAIL FROM:<> and RCPT TO, without a mail after it. Only a 5xx to RCPT is a refusal. Everything else
// that is no yes (4xx, a refused MAIL, a next hop that is dead or slow) is no answer, and is not remembered for the
// address. An answer that is remembered counts as long as it holds, whether or not the next hop can be reached then.
//
// An address is asked for once however many wait for it. Who waits for one next hop waits for nobody else.
//
// Thread: the shard of `executor`. Memory only: after a start all is asked anew. Start(), then await Stop() before
// destruction, when nobody waits in Ask() any more.
class RecipientCallout {
 public:
  RecipientCallout(async::Executor executor, RecipientCalloutWorld world, RecipientCalloutOptions options);
  ~RecipientCallout();

  void Start() { pool_.Start(); }
  async::Task<void> Stop();

  // Without waiting: what is remembered. kTaken or kRefused.
  std::optional<CalloutAnswer> Known(const std::string& address);
  // `address`: fit for a path, its domain in A-labels and lower case. Answers within the deadline.
  async::Task<CalloutAnswer> Ask(std::string address);

  std::size_t questions() const { return questions_.size(); }

 private:
  // One address that is asked for, and who waits for the answer.
  struct Question {
    Question(async::Executor executor, std::string of) : address(std::move(of)), answered(executor) {}
    const std::string address;
    std::optional<CalloutAnswer> answer;
    async::Notifier answered;
  };
  // A next hop. Never erased: there are no more than relay domains have.
  struct Hop {
    explicit Hop(async::Executor executor) : freed(executor) {}
    std::uint32_t asking = 0;
    base::SteadyTime silent_until{};
    std::string silence;  // Why.
    async::Notifier freed;
  };
  struct Remembered {
    CalloutAnswer answer;
    base::SteadyTime until;
  };
  class Turn;
  class Settling;

  async::Task<void> Run(std::shared_ptr<Question> question);
  async::Task<CalloutAnswer> AskInTurn(std::shared_ptr<Question> question);
  async::Task<CalloutAnswer> AskHop(std::string destination, std::string address, Hop* hop);
  // Nothing: the connection was no good, try another.
  async::Task<std::optional<CalloutAnswer>> AskOver(HopSession session, std::string destination, std::string address);
  CalloutAnswer FallSilent(Hop* hop, std::string why);
  bool IsSilent(const Hop& hop) const { return world_.clock->SteadyNow() < hop.silent_until; }
  void Settle(Question* question, CalloutAnswer answer);
  Hop* HopOf(const std::string& destination);

  async::Executor executor_;
  RecipientCalloutWorld world_;
  RecipientCalloutOptions options_;
  base::BoundedTable<Remembered> remembered_;
  std::map<std::string, std::shared_ptr<Question>> questions_;  // Owners: this, the task that asks, and who waits.
  std::map<std::string, Hop> hops_;
  ConnectionPool pool_;
  base::Random random_;
  async::TaskGroup asking_;
};

}  // namespace deliver
