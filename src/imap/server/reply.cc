#include "imap/server/reply.h"

#include "base/log.h"

namespace imap {

Reply ReplyTo(const base::Error& error) {
  using base::Errc;
  switch (error.code()) {
    case Errc::kInvalid:
      return No(kCodeCannot, error.message());
    case Errc::kNotFound:
      return No(kCodeNonExistent, error.message());
    case Errc::kExists:
      return No(kCodeAlreadyExists, error.message());
    case Errc::kDenied:
      return No(kCodeNoPermission, error.message());
    case Errc::kUnsupported:
      return No(kCodeCannot, error.message());
    case Errc::kLimit:
      return No(kCodeLimit, error.message());
    case Errc::kNoSpace:
      // Not OVERQUOTA (RFC 5530 §3): the whole server is short of space, not this user, and that passes.
      return No(kCodeUnavailable, "the server has no room for new mail now; try again later");
    case Errc::kBusy:
    case Errc::kTimeout:
    case Errc::kClosed:
      return No(kCodeUnavailable, "the server is busy; try again later");
    case Errc::kReadOnly:
      return No(kCodeUnavailable, "mail can only be read at the moment; try again later");
    case Errc::kCorrupt:
      base::LogError("imap_corrupt", {{"reason", error.message()}});
      return No(kCodeCorruption, "the stored mail is damaged; ask the administrator");
    case Errc::kIo:
      base::LogError("imap_io", {{"reason", error.message()}});
      return No(kCodeUnavailable, "the mail store failed; try again later");
  }
  return No(kCodeServerBug, "internal error");
}

Reply ReplyToStoring(const base::Error& error) {
  if (error.code() != base::Errc::kDenied) return ReplyTo(error);
  return No(kCodeOverQuota, "the mailbox has no room left; delete mail, and empty the trash");
}

}  // namespace imap
