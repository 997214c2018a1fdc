#include "imap/server/quota_commands.h"

#include <array>
#include <vector>

#include "imap/proto/response.h"

namespace imap {
namespace {

constexpr std::string_view kRoot;
constexpr std::uint64_t kStorageUnit = 1024;  // RFC 9208 §5.1.

std::uint64_t InUnits(std::uint64_t bytes) {
  return bytes / kStorageUnit + (bytes % kStorageUnit == 0 ? 0 : 1);
}

// What the account has of what is limited; empty: nothing is.
std::vector<QuotaResource> ResourcesOf(const store::Account& account, const store::QuotaLimits& limits) {
  std::vector<QuotaResource> resources;
  if (limits.bytes != 0) resources.push_back({"STORAGE", InUnits(account.usage.bytes), InUnits(limits.bytes)});
  if (limits.mails != 0) resources.push_back({"MESSAGE", account.usage.mails, limits.mails});
  return resources;
}

async::Task<base::Result<std::vector<QuotaResource>>> FindResources(Conversation* c) {
  ASSIGN_OR_CO_RETURN(const store::Account account, co_await c->store()->FindAccount(c->account));
  co_return ResourcesOf(account, store::LimitsOf(account.own_quota, c->store()->quota_rule().limits));
}

}  // namespace

async::Task<Reply> RunGetQuota(Conversation* c, GetQuota quota) {
  const auto resources = co_await FindResources(c);
  if (!resources.has_value()) co_return ReplyTo(resources.error());
  if (quota.root != kRoot || resources->empty()) co_return No(kCodeNonExistent, "there is no such quota root");
  c->out.Add(QuotaLine(kRoot, *resources));
  co_return Ok("GETQUOTA completed");
}

// RFC 9208 §4.1.2: a mailbox that is not there may be asked for too; what would count is told.
async::Task<Reply> RunGetQuotaRoot(Conversation* c, GetQuotaRoot quota) {
  const auto resources = co_await FindResources(c);
  if (!resources.has_value()) co_return ReplyTo(resources.error());
  if (resources->empty()) {
    c->out.Add(QuotaRootLine(quota.mailbox, {}));
  } else {
    c->out.Add(QuotaRootLine(quota.mailbox, std::array{kRoot}));
    c->out.Add(QuotaLine(kRoot, *resources));
  }
  co_return Ok("GETQUOTAROOT completed");
}

}  // namespace imap
