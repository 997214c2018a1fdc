#include "base/result.h"

#include <system_error>

namespace base {

std::string_view ToString(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return "invalid";
    case Errc::kNotFound:
      return "not_found";
    case Errc::kExists:
      return "exists";
    case Errc::kNoSpace:
      return "no_space";
    case Errc::kLimit:
      return "limit";
    case Errc::kBusy:
      return "busy";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kIo:
      return "io";
    case Errc::kCorrupt:
      return "corrupt";
    case Errc::kReadOnly:
      return "read_only";
    case Errc::kDenied:
      return "denied";
    case Errc::kClosed:
      return "closed";
    case Errc::kUnsupported:
      return "unsupported";
  }
  return "unknown";
}

Error ErrnoError(std::string_view doing, int errno_value) {
  Errc code = Errc::kIo;
  switch (errno_value) {
    case ENOENT:
      code = Errc::kNotFound;
      break;
    case EEXIST:
      code = Errc::kExists;
      break;
    case ENOSPC:
    case EDQUOT:
      code = Errc::kNoSpace;
      break;
    case EACCES:
    case EPERM:
      code = Errc::kDenied;
      break;
    case EBUSY:
    case EADDRINUSE:
      code = Errc::kBusy;
      break;
    default:
      break;
  }
  return Error(code, std::string(doing) + ": " + std::generic_category().message(errno_value));
}

}  // namespace base
