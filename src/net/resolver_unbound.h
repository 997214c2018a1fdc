// UnboundResolver: the node's Resolver, on libunbound: caching, and validating where DNSSEC can be.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "async/asio.h"
#include "async/shard.h"
#include "net/resolver.h"

struct ub_ctx;
struct ub_result;  // NOLINT(readability-identifier-naming): the name that libunbound has.

namespace net {

// Whom to ask, what operators expect: the servers of /etc/resolv.conf, as every other program of the machine does, so
// that internal zones and networks that let no other DNS out work unchanged. A mail system of some size wants answers
// that nobody else's resolver has judged, limited or cached: a validating resolver of its own on the same machine
// (`servers`), or this one walking down from the root itself (`from_root`).
struct UnboundOptions {
  // "192.0.2.53", "2001:db8::53" or either with a port behind it: "127.0.0.1@5353". All are asked for everything.
  // Empty: those of `resolv_conf`, read once, here; when it names none or is absent, as `from_root`.
  std::vector<std::string> servers;
  bool from_root = false;  // No server at all: ask the root's servers, then those they name. Excludes `servers`.
  // Whether signed answers are checked. Unless said: with from_root, when the anchor's file is there. Not with servers:
  // many take the signatures off, and then each signed name would fail. Without it no answer is_secure.
  std::optional<bool> validates;

  std::chrono::milliseconds deadline{5000};  // For each question.
  // Questions whose answer the library still looks for. One that nobody waits for any more counts until the library
  // gives up on it: what it finds is in the cache when the question comes again. Each may hold a descriptor.
  std::size_t outstanding_max = 512;
  // Questions that wait for their turn when there are so many, until their deadline; past it LookUp answers kBusy.
  // A mail to a thousand domains asks them all at once.
  std::size_t waiting_max = 4096;
  std::size_t cache_bytes = 32u << 20u;

  // Of Debian's dns-root-data. Without the hints those built into libunbound do.
  std::string resolv_conf = "/etc/resolv.conf";
  std::string root_hints = "/usr/share/dns/root.hints";
  std::string trust_anchor = "/usr/share/dns/root.key";
};

// Thread: LookUp on any shard. The library's one context belongs to one thread of this class, which takes questions
// from the shards as posted work, reads the library's descriptor and posts each answer to the shard that asked; the
// library resolves on a second thread. So nothing of it ever runs on a shard, and there is no lock.
//
// Destroyed after all shards whose tasks ask have ended those tasks, and before their io_contexts. The destructor never
// waits for a server: it ends both threads within milliseconds; who still asks gets kIo.
class UnboundResolver final : public Resolver {
 public:
  // Errors: kInvalid (an option that libunbound refuses; says which and what it should be), kNotFound (validation was
  // asked for and there is no trust anchor), kIo (no context or thread could be had).
  static base::Result<std::unique_ptr<UnboundResolver>> Make(UnboundOptions options);
  ~UnboundResolver() override;
  UnboundResolver(const UnboundResolver&) = delete;
  UnboundResolver& operator=(const UnboundResolver&) = delete;

  async::Task<base::Result<DnsAnswer>> LookUp(std::string name, DnsType type) override;

 private:
  struct Question;
  // A question in the library's hands; it gives the address back with the answer.
  struct Asked {
    UnboundResolver* resolver;
    std::shared_ptr<Question> question;  // Owners: this, the LookUp that waits, and what is posted between the two.
    std::list<Asked>::iterator self;
  };
  struct FreeContext {
    void operator()(ub_ctx* context) const;
  };

  UnboundResolver(UnboundOptions options, std::unique_ptr<ub_ctx, FreeContext> context);

  // All below: the thread of `thread_` only.
  void Ask(std::shared_ptr<Question> question);
  void AskThoseThatWait();
  void HandOver(std::shared_ptr<Question> question);
  void WaitForAnswers();
  static void TakeAnswer(void* asked, int error, ub_result* result);
  void Stop();

  const UnboundOptions options_;
  std::unique_ptr<ub_ctx, FreeContext> context_;
  async::Shard thread_{"dns"};
  asio::posix::basic_stream_descriptor<async::Executor> descriptor_;  // The context's, lent.
  std::list<Asked> asked_;
  std::deque<std::shared_ptr<Question>> waiting_;  // In the order of their deadlines.
  bool stopping_ = false;
};

}  // namespace net
