#include "smtp/proto/data_scanner.h"

#include <cstring>

namespace smtp {
namespace {

// Moves [from, to) down to `out` and returns the new end. Most mail has no stuffed dot: then nothing moves.
char* Keep(char* out, const char* from, const char* to) {
  const auto size = static_cast<std::size_t>(to - from);
  if (out != from) std::memmove(out, from, size);
  return out + size;
}

// Whether [from, to) has a CR that no LF follows, but for one as the last byte, which the next bytes decide.
bool HasBareCr(const char* from, const char* to) {
  while (from < to) {
    const auto* cr = static_cast<const char*>(std::memchr(from, '\r', static_cast<std::size_t>(to - from)));
    if (cr == nullptr || cr + 1 == to) return false;
    if (cr[1] != '\n') return true;
    from = cr + 2;
  }
  return false;
}

}  // namespace

DataScanner::Step DataScanner::Scan(std::span<char> bytes) {
  char* const begin = bytes.data();
  char* const end = begin + bytes.size();
  char* out = begin;
  char* in = begin;
  bool cr_before = false;
  while (in < end) {
    switch (state_) {
      case State::kLineStart:
        if (*in == '.' && framing_ == Framing::kDots) {
          ++in;  // Stuffing, or the final dot: not part of the mail either way.
          state_ = State::kAfterDot;
        } else {
          state_ = State::kInLine;
        }
        break;
      case State::kInLine: {
        auto* lf = static_cast<char*>(std::memchr(in, '\n', static_cast<std::size_t>(end - in)));
        char* const stop = lf == nullptr ? end : lf + 1;
        bare_ = bare_ || HasBareCr(in, stop);
        if (lf == nullptr) {
          state_ = end[-1] == '\r' ? State::kAfterCr : State::kInLine;
        } else if (lf > in && lf[-1] == '\r') {
          state_ = State::kLineStart;
        } else {
          bare_ = true;  // The line goes on: a dot after a bare LF is no end.
        }
        out = Keep(out, in, stop);
        in = stop;
        break;
      }
      case State::kAfterCr:
        if (*in == '\n') {
          out = Keep(out, in, in + 1);
          ++in;
          state_ = State::kLineStart;
        } else {
          bare_ = true;
          state_ = State::kInLine;
        }
        break;
      case State::kAfterDot:
        if (*in == '\r') {
          ++in;
          state_ = State::kAfterDotCr;
        } else {
          state_ = State::kInLine;
        }
        break;
      case State::kAfterDotCr:
        if (*in == '\n') {
          ++in;
          state_ = State::kLineStart;
          return {static_cast<std::size_t>(out - begin), static_cast<std::size_t>(in - begin), true, cr_before};
        }
        // "." CR and something else: the dot was stuffing and the CR a bare one, which is given back.
        if (in == begin) {
          cr_before = true;
        } else {
          *out++ = '\r';
        }
        bare_ = true;
        state_ = State::kInLine;
        break;
    }
  }
  return {static_cast<std::size_t>(out - begin), bytes.size(), false, cr_before};
}

}  // namespace smtp
