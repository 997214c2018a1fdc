// For tests of what asks the DNS: a zone as a table, and a Resolver that answers from it.
#pragma once

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "async/deadline.h"
#include "async/notifier.h"
#include "net/dns_rdata.h"
#include "net/resolver.h"

namespace net {

// What the DNS of a test says. Names are in any case, with or without the last dot. A value; change it between
// questions.
class DnsTable {
 public:
  void Add(const std::string& name, DnsType type, std::string rdata) {
    names_[Key(name)][type].push_back(std::move(rdata));
  }
  void AddMx(const std::string& name, std::uint16_t preference, std::string exchange) {
    Add(name, DnsType::kMx, EncodeMx({.preference = preference, .exchange = std::move(exchange)}));
  }
  // An A or AAAA record, as `ip` is.
  void AddIp(const std::string& name, const std::string& ip) {
    Add(name, ip.contains(':') ? DnsType::kAaaa : DnsType::kA, EncodeIp(ip));
  }
  // A name that exists and has no record.
  void AddName(const std::string& name) { names_[Key(name)]; }
  void AddAlias(const std::string& name, const std::string& target) { aliases_[Key(name)] = Key(target); }
  void SetSecure(const std::string& name) { secure_.insert(Key(name)); }
  // SERVFAIL.
  void Fail(const std::string& name, DnsType type) { failing_.insert({Key(name), type}); }
  // No answer at all.
  void Hang(const std::string& name, DnsType type) { hanging_.insert({Key(name), type}); }
  void Mend(const std::string& name, DnsType type) {
    failing_.erase({Key(name), type});
    hanging_.erase({Key(name), type});
  }

  bool Fails(const std::string& name, DnsType type) const { return failing_.contains({Key(name), type}); }
  bool Hangs(const std::string& name, DnsType type) const { return hanging_.contains({Key(name), type}); }
  // What `name` is an alias of; itself when it is none.
  std::string Target(const std::string& name) const {
    const auto alias = aliases_.find(Key(name));
    return alias == aliases_.end() ? Key(name) : alias->second;
  }
  DnsAnswer Find(const std::string& name, DnsType type) const {
    const std::string target = Target(name);
    DnsAnswer answer{.kind = DnsAnswer::Kind::kNoName,
                     .is_secure = secure_.contains(Key(name)) && secure_.contains(target),
                     .is_alias = target != Key(name)};
    const auto found = names_.find(target);
    if (found == names_.end()) return answer;
    const auto records = found->second.find(type);
    answer.kind = records == found->second.end() ? DnsAnswer::Kind::kNoRecords : DnsAnswer::Kind::kRecords;
    if (records != found->second.end()) answer.records = records->second;
    return answer;
  }

  static std::string Key(std::string name) {
    if (name.ends_with('.')) name.pop_back();
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return name;
  }

 private:
  std::map<std::string, std::map<DnsType, std::vector<std::string>>> names_;
  std::map<std::string, std::string> aliases_;
  std::set<std::string> secure_;
  std::set<std::pair<std::string, DnsType>> failing_;
  std::set<std::pair<std::string, DnsType>> hanging_;
};

// Answers at once from `table`, which the test owns and may change; a question that hangs is looked at again after
// Wake(), and ends with kTimeout at its deadline.
//
// Thread: one shard. Outlives the tasks that ask.
class ScriptedResolver final : public Resolver {
 public:
  ScriptedResolver(async::Executor executor, const DnsTable* table,
                   std::chrono::milliseconds deadline = std::chrono::seconds(5))
      : table_(table), changed_(executor), deadline_(deadline) {}

  async::Task<base::Result<DnsAnswer>> LookUp(std::string name, DnsType type) override {
    const std::string question = std::string(ToString(type)) + " " + DnsTable::Key(name);
    asked_.push_back(question);
    const auto arrived = co_await async::WithDeadline(UntilItAnswers(name, type), deadline_);
    if (!arrived.has_value()) co_return base::Error(base::Errc::kTimeout, question + ": no answer in time");
    if (table_->Fails(name, type)) co_return base::Error(base::Errc::kIo, "the DNS servers failed");
    co_return table_->Find(name, type);
  }

  void Wake() { changed_.NotifyAll(); }
  // Each question in the order of the calls: "MX example.test".
  const std::vector<std::string>& asked() const { return asked_; }
  // The most questions that were unanswered at one time.
  int most_waiting() const { return most_waiting_; }

 private:
  async::Task<void> UntilItAnswers(std::string name, DnsType type) {
    struct Leave {
      int* waiting;
      ~Leave() { *waiting -= 1; }
    };
    most_waiting_ = std::max(most_waiting_, ++waiting_);
    const Leave leave{&waiting_};
    do {
      co_await asio::post(co_await asio::this_coro::executor, async::use_task);
      if (table_->Hangs(name, type)) co_await changed_.Wait();
    } while (table_->Hangs(name, type));
  }

  const DnsTable* table_;
  async::Notifier changed_;
  std::chrono::milliseconds deadline_;
  std::vector<std::string> asked_;
  int waiting_ = 0;
  int most_waiting_ = 0;
};

}  // namespace net
