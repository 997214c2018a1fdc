// Result and Error: how a function says that the world failed it (disk, peer, client, quota).
// Our own mistakes are CHECKs (base/check.h); cancellation is an exception that unwinds to the TaskGroup.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace base {

// What a caller can act on. Short on purpose: a new code is added only when some caller does something else for it.
enum class Errc {
  kInvalid,      // The request itself is wrong; repeating it is pointless.
  kNotFound,     // The thing named does not exist.
  kExists,       // The thing to be made exists already.
  kNoSpace,      // A limit of space (volume, quota) was reached; nothing was written.
  kLimit,        // A limit of number (mailboxes, keywords, UIDs) was reached; waiting does not help.
  kBusy,         // A limit of load (memory budget, queue length, connections) was reached; try again later.
  kTimeout,      // A deadline passed.
  kIo,           // A device or socket failed.
  kCorrupt,      // Stored bytes are not what was written.
  kReadOnly,     // The volume was latched read-only after a write error.
  kDenied,       // Not permitted.
  kClosed,       // The other side, or the object itself, has been closed.
  kUnsupported,  // Known, but not available here.
};

// The code's name for logs and metrics: "no_space".
std::string_view ToString(Errc code);

// A code (what the caller can act on) and a sentence (what the operator reads).
class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts what was being done before the sentence: Error(kIo, "read failed").In("open segment 17")
  // reads "open segment 17: read failed".
  Error In(std::string_view doing) && {
    message_.insert(0, ": ");
    message_.insert(0, doing);
    return std::move(*this);
  }

  // `return Error(...)` and `co_return Error(...)` work wherever a Result is returned.
  template <class T>
  operator std::expected<T, Error>() && {
    return std::unexpected(std::move(*this));
  }

 private:
  Errc code_;
  std::string message_;
};

template <class T = void>
using Result = std::expected<T, Error>;

// Kills an unused-result warning where an error is deliberately of no interest; say why beside the call.
template <class T>
void Ignore(const Result<T>&) {}

// An errno as an Error; `doing` is what was attempted: "open /dev/sdb".
Error ErrnoError(std::string_view doing, int errno_value);

}  // namespace base

#define POSTHORN_CONCAT_(a, b) a##b
#define POSTHORN_CONCAT(a, b) POSTHORN_CONCAT_(a, b)

// Returns the error of `expr` from this function.
#define RETURN_IF_ERROR(expr)                                                       \
  do {                                                                              \
    if (auto posthorn_result = (expr); !posthorn_result.has_value()) [[unlikely]] { \
      return std::move(posthorn_result).error();                                    \
    }                                                                               \
  } while (false)

// `ASSIGN_OR_RETURN(auto row, Find(id));`
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(POSTHORN_CONCAT(posthorn_result_, __LINE__), lhs, expr, return)

// The same two inside coroutines.
#define CO_RETURN_IF_ERROR(expr)                                                    \
  do {                                                                              \
    if (auto posthorn_result = (expr); !posthorn_result.has_value()) [[unlikely]] { \
      co_return std::move(posthorn_result).error();                                 \
    }                                                                               \
  } while (false)

#define ASSIGN_OR_CO_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(POSTHORN_CONCAT(posthorn_result_, __LINE__), lhs, expr, co_return)

#define ASSIGN_OR_RETURN_IMPL_(result, lhs, expr, return_keyword) \
  auto result = (expr);                                           \
  if (!result.has_value()) [[unlikely]]                           \
    return_keyword std::move(result).error();                     \
  lhs = *std::move(result)
